/** What the page looks like. Each text in it is somebody else's: all is escaped and made printable. */
import { html } from "hono/html";
import type { TaskDict, TaskInfoDict } from "../../mod.ts";
import type { ErrorBody, Finished, Running } from "../response_schemas.ts";
import { type Content, frame, type Html } from "./layout.ts";
import { moment, span } from "./format.ts";

/** What a link answers as JSON. */
export type LinkAnswer = Finished | Running | ErrorBody;

/** How a page is made. */
export interface PageOptions {
  /** The client's own function of that name. */
  printable: (text: string, max?: number) => string;
  /** The time, in ms since 1970. */
  now: number;
  /** Seconds until the page is out of date; undefined when it stays as it is. */
  refresh: number | undefined;
}

const WORDS = {
  pending: "Waiting to start",
  running: "Running",
  success: "Finished",
  failed: "Failed",
  unknown: "Unknown status",
};

/** Makes the page of what a link answers. */
export async function pageOf(answer: LinkAnswer, options: PageOptions): Promise<string> {
  const content = "task" in answer && answer.task
    ? contentOfTask(answer, answer.task, options)
    : contentOfProblem(answer as ErrorBody, options);
  return String(await frame(content, options.refresh)).trim();
}

function contentOfTask(answer: LinkAnswer, task: TaskDict, options: PageOptions): Content {
  const { info } = task;
  const look = info.status ?? "unknown";
  const word = WORDS[look];
  const { printable } = options;
  const heading = printable(info.name ?? "").trim() || `Task ${info.id}`;
  const subtask = printable(info.subtask ?? "").trim();
  const goesOn = look === "pending" || look === "running";
  const main = goesOn
    ? bar(info.progress, subtask)
    : look === "success"
    ? result(info, "links" in answer ? answer.links?.result : undefined, options)
    : look === "failed"
    ? failure(info, options)
    : html`
      <div class="box">
        <p>Deep Intelligence calls the status of this task “${theirs(
          "raw_status" in answer ? answer.raw_status : "",
          options,
        )}”, which this page does not know. Please look at it there.</p>
      </div>
    `;
  return {
    look,
    word,
    heading,
    say: goesOn && subtask ? `${word}: ${subtask}` : word,
    body: html`
      ${main}${facts(info, goesOn, options)}
    `,
  };
}

/** Says what a problem means to the person who waits, and nothing of what upstream said. */
function contentOfProblem(problem: ErrorBody, { refresh }: PageOptions): Content {
  const { word, heading, text } = refresh
    ? {
      word: "Trying again",
      heading: "Deep Intelligence cannot be reached right now",
      text:
        "This says nothing about the task, which may well go on. The page tries again by itself.",
    }
    : EXPLAINED[problem.code] ?? {
      word: "Error",
      heading: "This page cannot be shown",
      text: UNEXPLAINED,
    };
  const body = html`
    <p class="lead">${text}</p>
    ${text === UNEXPLAINED && html`
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

const EXPLAINED: Readonly<Record<string, Pick<Content, "word" | "heading"> & { text: string }>> = {
  ROUTE_NOT_FOUND: {
    word: "Not found",
    heading: "This link leads nowhere",
    text: "It may be too old, or was not copied in full. Ask whoever sent it to you for a new one.",
  },
  TASK_NOT_FOUND: {
    word: "Not found",
    heading: "This task is not there any more",
    text: "It was probably deleted in Deep Intelligence.",
  },
};

const UNEXPLAINED =
  "Something is wrong with it. Tell whoever sent you the link, with the reference below.";

/** How far the current subtask is. */
function bar(progress: number | null, subtask: string): Html {
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
  options: PageOptions,
): Html {
  if (result === null) {
    return html`
      <div class="box">
        <p>It is done. It made nothing that could be looked at.</p>
      </div>
    `;
  }
  return html`
    <div class="box">
      <p><b>Result</b></p>
      <p>${theirs(result_type, options)} <code>${theirs(result, options)}</code></p>
    </div>
    ${url && html`<p><a class="button" href="${url}">Open in Deep Intelligence</a></p>`}
  `;
}

function failure({ error_code, error_description }: TaskInfoDict, options: PageOptions): Html {
  return html`
    <div class="box">
      <p><b><code>${theirs(error_code || "UNKNOWN", options)}</code></b></p>
      <p>${theirs(error_description || "Deep Intelligence gives no reason.", options, 1_000)}</p>
    </div>
  `;
}

function facts(info: TaskInfoDict, goesOn: boolean, options: PageOptions): Html {
  const { created, duration, user_name } = info;
  const age = created === null ? -1 : options.now - Date.parse(created);
  const ms = goesOn && age >= 0 ? age : duration;
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
          <dd>${theirs(user_name, options)}</dd>
        </div>
      `} ${created !== null && html`
        <div>
          <dt>Started</dt>
          <dd><time datetime="${created}">${moment(new Date(created), "UTC")}</time></dd>
        </div>
      `}
    </dl>
  `;
}

/** Somebody else's text: on one line, in whichever direction it is written. */
function theirs(
  text: string | null | undefined,
  { printable }: PageOptions,
  max?: number,
): Html {
  return html`<bdi>${printable(text ?? "", max)}</bdi>`;
}
