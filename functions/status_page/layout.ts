/** Layout of the status page: head, landmarks, live regions and icons. */
import { html, raw } from "hono/html";
import { SCRIPT } from "./script.ts";
import { STYLE } from "./style.ts";

/** Escaped text. */
export type Html = ReturnType<typeof html>;

/** Content of a page. */
export interface PageContent {
  /** Status that selects the icon and the color. */
  icon: keyof typeof SHAPES;
  /** Text of the status. */
  statusText: string;
  /** Progress in the title of the tab, in percent. @default none */
  percent?: number | null;
  /** Name of the task, or summary of the problem. */
  heading: string;
  /** Text that a screen reader announces when it changes. */
  announcement: string;
  /** Markup below the heading. */
  body: Html;
}

/** Icons that distinguish the statuses without color, 16 by 16. */
const SHAPES = {
  pending: `<circle cx="8" cy="8" r="6"/><path d="M8 4.5V8l2.3 1.6"/>`,
  running: `<circle cx="8" cy="8" r="6" opacity=".3"/><path d="M8 2a6 6 0 0 1 6 6"/>`,
  success: `<circle cx="8" cy="8" r="6"/><path d="m5.3 8.2 1.9 1.9 3.6-4"/>`,
  failed: `<path d="M5.5 2h5L14 5.5v5L10.5 14h-5L2 10.5v-5zM6 6l4 4m0-4-4 4"/>`,
  unknown: `<path d="M8 1.8 14.2 8 8 14.2 1.8 8zM8 5v3.4m0 2.3v.1"/>`,
  problem: `<path d="M8 2.2 14.6 13.6H1.4zM8 6.4v3.4m0 2v.1"/>`,
};

const UNREACHABLE_NOTE =
  "Deep Intelligence is unavailable. This is the last known state; the page retries automatically.";
const OFFLINE_NOTE =
  "You are offline. This is the last known state; the page retries automatically.";

/** Renders a page; `refresh` is in seconds. */
export function layout(
  { icon, statusText, percent = null, heading, announcement, body }: PageContent,
  refresh: number | undefined,
): Html {
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>${percent !== null && `${percent}% · `}${statusText} · ${heading}</title>
        ${raw(`<style>${STYLE}</style>`)}
      </head>
      <body>
        <header>Deep Intelligence</header>
        <main data-icon="${icon}" data-announcement="${announcement}" data-refresh="${refresh ??
          ""}">
              <p id="status">
                <svg viewBox="0 0 16 16" aria-hidden="true"><g id="shape">${raw(
                  SHAPES[icon],
                )}</g></svg>
                <span id="status-text">${statusText}</span>
              </p>
              <h1 id="name" dir="auto">${heading}</h1>
              ${body}
            </main>
        <p id="note" role="status" aria-live="polite" data-unreachable="${UNREACHABLE_NOTE}" data-offline="${OFFLINE_NOTE}"></p>
        <p id="announcement" role="status" aria-live="polite"></p>
        <footer>This page updates automatically. You can close it; the task keeps running.</footer>
        ${raw(`<script>${SCRIPT}</script>`)}
      </body>
    </html>
  `;
}
