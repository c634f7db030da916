/** Content of the status page. Every text of a task is untrusted: it is escaped and sanitized. */
import { html } from "hono/html";
import type { TaskDict, TaskInfoDict } from "../../mod.ts";
import type { Finished, Running, TaskProblem } from "../task/response_schema.ts";
import { formatDuration } from "../../src/internal/duration.ts";
import { sanitizeText } from "../../src/internal/text.ts";
import { formatDateTime } from "./format.ts";
import { type Html, layout, type PageContent } from "./layout.ts";

/** JSON response of a link. */
export type LinkAnswer = Finished | Running | TaskProblem;

/** Options of {@linkcode pageOf}. */
export interface PageOptions {
  /** Current time in ms since 1970. */
  now: number;
  /** Seconds until the page is out of date. @default the page is final */
  refresh: number | undefined;
  /** Web URL of the link's task. @default the link is not valid */
  taskUrl?: URL | undefined;
}

const STATUS_TEXTS = {
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
  const statusText = STATUS_TEXTS[icon];
  const name = truncate(info.name ?? "").trim() || `Task ${info.id}`;
  const subtask = truncate(info.subtask ?? "").trim();
  const common = { icon, statusText, heading: name, announcement: statusText };
  const details = detailsList(info, options);
  if (icon === "pending" || icon === "running") {
    const percent = toPercent(info.progress);
    return {
      ...common,
      ...(icon === "running" && { percent }),
      ...(subtask && { announcement: `${statusText}: ${subtask}` }),
      body: html`
        ${progressBar(percent, subtask)}${details}
      `,
    };
  }
  if (icon === "success") {
    const url = "links" in answer ? answer.links?.result : undefined;
    return {
      ...common,
      body: html`
        ${result(info, url)}${details}
      `,
    };
  }
  const box = icon === "failed"
    ? failureBox(info)
    : unknownStatusBox("raw_status" in answer ? answer.raw_status : "");
  return {
    ...common,
    body: html`
      ${box}${workspaceLink(options)}${details}
    `,
  };
}

/** Explains a problem to the reader, without any text from upstream. */
function contentOfProblem(problem: TaskProblem, options: PageOptions): PageContent {
  const isGone = problem.code === "TASK_NOT_FOUND";
  const { statusText, heading, text } = options.refresh
    ? RETRYING
    : PAGE_PROBLEMS[problem.code] ?? UNKNOWN_PROBLEM;
  const body = html`
    <p class="lead">${text}</p>
    ${isGone && workspaceLink(options)} ${isGone && html`
      <dl>${detail("Task", code(options.taskUrl?.searchParams.get("i")))}</dl>
    `} ${text === UNKNOWN_PROBLEM.text && html`
      <dl>${detail("Reference", code(problem.request_id))}</dl>
    `}
  `;
  return { icon: "problem", statusText, heading, announcement: heading, body };
}

type ProblemText = Pick<PageContent, "statusText" | "heading"> & { text: string };

const RETRYING: ProblemText = {
  statusText: "Retrying",
  heading: "Deep Intelligence is unavailable",
  text: "The task is not affected and may still be running. The page retries automatically.",
};

const PAGE_PROBLEMS: Readonly<Record<string, ProblemText>> = {
  ROUTE_NOT_FOUND: {
    statusText: "Not found",
    heading: "This link is not valid",
    text: "It may have expired or be incomplete. Ask the person who sent it for a new link.",
  },
  TASK_NOT_FOUND: {
    statusText: "Not found",
    heading: "This task no longer exists",
    text: "It was probably deleted in Deep Intelligence.",
  },
};

const UNKNOWN_PROBLEM: ProblemText = {
  statusText: "Error",
  heading: "This page cannot be displayed",
  text: "Tell the person who sent you the link, and include the reference below.",
};

/** Rounds the progress of a task to a percentage from 0 to 100. */
function toPercent(progress: number | null): number | null {
  return progress === null ? null : Math.round(Math.min(Math.max(progress, 0), 100));
}

/** Renders the progress of the current subtask. */
function progressBar(percent: number | null, subtask: string): Html {
  return html`
    <div class="bar">
      <div>
        <span id="subtask" dir="auto">${subtask || "Progress"}</span>
        ${percent !== null && html`<span id="percent">${percent}%</span>`}
      </div>
      ${percent === null
        ? html`<progress id="busy" aria-labelledby="subtask"></progress>`
        : html`<progress id="progress" aria-labelledby="subtask" max="100" value="${percent}"></progress>`}
    </div>
  `;
}

function result({ result, result_type }: TaskInfoDict, url: string | undefined): Html {
  if (result === null) {
    return html`
      <div class="box">
        <p>The task finished without a result.</p>
      </div>
    `;
  }
  if (result_type === "file") return fileResult(result, url);
  return html`
    <div class="box">
      <p><b>Result</b></p>
      <p>${untrusted(result_type)} ${code(result)}</p>
    </div>
    ${url && button(url, "Open in Deep Intelligence")}
  `;
}

/** Renders an exported file. Without a `url` its address cannot be opened safely and stays text. */
function fileResult(address: string, url: string | undefined): Html {
  const whole = code(address, Infinity);
  if (!url) {
    return html`
      <div class="box">
        <p><b>File</b></p>
        <p>${whole}</p>
      </div>
    `;
  }
  return html`
    <div class="box">
      <p><b>File</b></p>
      <p>${untrusted(new URL(url).host)}</p>
      <details>
        <summary>Full address</summary>
        <p>${whole}</p>
      </details>
    </div>
    <p><a class="button" href="${url}" download>Download</a></p>
  `;
}

function failureBox({ error_code, error_description }: TaskInfoDict): Html {
  return html`
    <div class="box">
      <p><b>${code(error_code || "UNKNOWN")}</b></p>
      <p dir="auto">${truncate(error_description || "Deep Intelligence gave no reason.", 1_000)}</p>
    </div>
  `;
}

function unknownStatusBox(status: string | null | undefined): Html {
  return html`
    <div class="box">
      <p>Deep Intelligence reports the status of this task as “${untrusted(status)}”, which this
        page does not know. Look for the task in its workspace.</p>
    </div>
  `;
}

/** Renders a link to the workspace of the task. */
function workspaceLink({ taskUrl }: PageOptions): Html | undefined {
  if (!taskUrl) return undefined;
  const url = new URL(taskUrl);
  url.searchParams.delete("s");
  url.searchParams.delete("i");
  return button(url.href, "Open the workspace in Deep Intelligence");
}

function detailsList(info: TaskInfoDict, { now }: PageOptions): Html {
  const { status, created, duration, user_name } = info;
  const inProgress = status === "pending" || status === "running";
  const age = created === null ? -1 : now - Date.parse(created);
  const ms = inProgress && age >= 0 ? age : duration;
  return html`
    <dl>
      ${ms !== null && detail(
        inProgress ? "Elapsed" : "Duration",
        inProgress
          ? html`<span id="clock" data-ms="${ms}">${formatDuration(ms)}</span>`
          : formatDuration(ms),
      )} ${user_name && detail("Created by", untrusted(user_name))}
      ${created !== null && detail("Created", time(Date.parse(created)))}
      ${detail("Updated", time(now, "updated"))}
      ${status !== "success" && !inProgress && detail("Task", code(info.id))}
    </dl>
  `;
}

function detail(term: string, description: Html | string): Html {
  return html`
    <div>
      <dt>${term}</dt>
      <dd>${description}</dd>
    </div>
  `;
}

function time(ms: number, id?: string): Html {
  const date = new Date(ms);
  return html`<time ${id && html`id="${id}"`} datetime="${date.toISOString()}">${
    formatDateTime(date, "UTC")
  }</time>`;
}

function button(url: string, text: string): Html {
  return html`<p><a class="button" href="${url}">${text}</a></p>`;
}

function code(text: string | null | undefined, max?: number): Html {
  return html`<code>${untrusted(text, max)}</code>`;
}

/** Renders untrusted text on one line, in its own direction. */
function untrusted(text: string | null | undefined, max?: number): Html {
  return html`<bdi>${truncate(text ?? "", max)}</bdi>`;
}

/** Makes text safe to print. Text of more than `max` characters ends with "…". */
function truncate(text: string, max = 200): string {
  return text.length > max ? `${sanitizeText(text, max - 1)}…` : sanitizeText(text, max);
}
