/** Content of the status page. Every text of a task is untrusted: it is escaped and sanitized. */
import { html } from "hono/html";
import type { TaskDict, TaskInfoDict } from "../../mod.ts";
import type { Finished, Running, TaskProblem } from "../task/response_schema.ts";
import { sanitizeText } from "../../src/internal/text.ts";
import { type Html, layout, type PageContent } from "./layout.ts";
import { formatDateTime, span } from "./format.ts";

/** JSON response of a link. */
export type LinkAnswer = Finished | Running | TaskProblem;

/** Options of {@linkcode pageOf}. */
export interface PageOptions {
  /** Current time in ms since 1970. */
  now: number;
  /** Seconds until the page is out of date. @default the page is final */
  refresh: number | undefined;
}

const WORDS = {
  pending: "Waiting to start",
  running: "Running",
  success: "Finished",
  failed: "Failed",
  unknown: "Unknown status",
};

/** Renders the response of a link as HTML. */
export async function pageOf(answer: LinkAnswer, options: PageOptions): Promise<string> {
  const content = "task" in answer && answer.task
    ? contentOfTask(answer, answer.task, options)
    : contentOfProblem(answer as TaskProblem, options);
  return String(await layout(content, options.refresh)).trim();
}

function contentOfTask(answer: LinkAnswer, task: TaskDict, options: PageOptions): PageContent {
  const { info } = task;
  const icon = info.status ?? "unknown";
  const statusText = WORDS[icon];
  const heading = sanitizeText(info.name ?? "").trim() || `Task ${info.id}`;
  const subtask = sanitizeText(info.subtask ?? "").trim();
  const inProgress = icon === "pending" || icon === "running";
  const main = inProgress
    ? progressBar(info.progress, subtask)
    : icon === "success"
    ? result(info, "links" in answer ? answer.links?.result : undefined)
    : icon === "failed"
    ? failureBox(info)
    : html`
      <div class="box">
        <p>Deep Intelligence reports the status of this task as “${untrusted(
          "raw_status" in answer ? answer.raw_status : "",
        )}”, which this page does not know. Open the task in Deep Intelligence.</p>
      </div>
    `;
  return {
    look: icon,
    word: statusText,
    heading,
    say: inProgress && subtask ? `${statusText}: ${subtask}` : statusText,
    body: html`
      ${main}${detailsList(info, inProgress, options)}
    `,
  };
}

/** Explains a problem to the reader, without any text from upstream. */
function contentOfProblem(problem: TaskProblem, { refresh }: PageOptions): PageContent {
  const { word, heading, text } = refresh
    ? {
      word: "Retrying",
      heading: "Deep Intelligence is unavailable",
      text: "The task is not affected and may still be running. The page retries automatically.",
    }
    : PAGE_PROBLEMS[problem.code] ?? {
      word: "Error",
      heading: "This page cannot be displayed",
      text: UNKNOWN_PROBLEM,
    };
  const body = html`
    <p class="lead">${text}</p>
    ${text === UNKNOWN_PROBLEM && html`
      <dl>
        <div>
          <dt>Reference</dt>
          <dd><code>${problem.request_id}</code></dd>
        </div>
      </dl>
    `}
  `;
  return { look: "problem", word, heading, say: heading, body };
}

const PAGE_PROBLEMS: Readonly<
  Record<string, Pick<PageContent, "word" | "heading"> & { text: string }>
> = {
  ROUTE_NOT_FOUND: {
    word: "Not found",
    heading: "This link is not valid",
    text: "It may have expired or be incomplete. Ask the person who sent it for a new link.",
  },
  TASK_NOT_FOUND: {
    word: "Not found",
    heading: "This task no longer exists",
    text: "It was probably deleted in Deep Intelligence.",
  },
};

const UNKNOWN_PROBLEM = "Tell the person who sent you the link, and include the reference below.";

/** Renders the progress of the current subtask. */
function progressBar(progress: number | null, subtask: string): Html {
  const percent = progress === null ? null : Math.round(Math.min(Math.max(progress, 0), 100));
  return html`
    <div class="bar">
      <div>
        <span id="subtask" dir="auto">${subtask || "Progress"}</span>
        ${percent !== null && html`<span id="percent">${percent} %</span>`}
      </div>
      ${percent === null
        ? html`<progress id="busy" aria-labelledby="subtask"></progress>`
        : html`<progress id="progress" aria-labelledby="subtask" max="100" value="${percent}"></progress>`}
    </div>
  `;
}

function result(
  { result, result_type }: TaskInfoDict,
  url: string | undefined,
): Html {
  if (result === null) {
    return html`
      <div class="box">
        <p>The task finished without a result.</p>
      </div>
    `;
  }
  return html`
    <div class="box">
      <p><b>Result</b></p>
      <p>${untrusted(result_type)} <code>${untrusted(result)}</code></p>
    </div>
    ${url && html`<p><a class="button" href="${url}">Open in Deep Intelligence</a></p>`}
  `;
}

function failureBox({ error_code, error_description }: TaskInfoDict): Html {
  return html`
    <div class="box">
      <p><b><code>${untrusted(error_code || "UNKNOWN")}</code></b></p>
      <p>${untrusted(error_description || "Deep Intelligence gave no reason.", 1_000)}</p>
    </div>
  `;
}

function detailsList(info: TaskInfoDict, inProgress: boolean, options: PageOptions): Html {
  const { created, duration, user_name } = info;
  const age = created === null ? -1 : options.now - Date.parse(created);
  const ms = inProgress && age >= 0 ? age : duration;
  return html`
    <dl>
      ${ms !== null && html`
        <div>
          <dt>${info.status === "success" || info.status === "failed" ? "Took" : "So far"}</dt>
          <dd id="clock" data-ms="${ms}">${span(ms)}</dd>
        </div>
      `} ${user_name && html`
        <div>
          <dt>Started by</dt>
          <dd>${untrusted(user_name)}</dd>
        </div>
      `} ${created !== null && html`
        <div>
          <dt>Started</dt>
          <dd><time datetime="${created}">${formatDateTime(new Date(created), "UTC")}</time></dd>
        </div>
      `}
    </dl>
  `;
}

/** Renders untrusted text on one line, in its own direction. */
function untrusted(text: string | null | undefined, max?: number): Html {
  return html`<bdi>${sanitizeText(text ?? "", max)}</bdi>`;
}
