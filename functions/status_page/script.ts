/** Script of the status page. It updates the page in place; without scripts the browser reloads it. */
import { formatDuration } from "../../src/internal/duration.ts";
import { formatDateTime } from "./format.ts";

/**
 * It fetches its own URL and applies the changes in `<main>`, so that focus and scroll position are kept.
 * It pauses while the page is hidden, and stops when a response has no `data-refresh`. A new
 * `data-announcement` is put into the live region.
 */
export const SCRIPT = `(() => {
const formatDuration = ${formatDuration};
const formatDateTime = ${formatDateTime};
const main = document.querySelector("main");
const live = document.getElementById("announcement");
const note = document.getElementById("note");
const parts = (root) => [...root.querySelectorAll("[id]")];
const outline = (root) => parts(root).map(({ id }) => id).join();
let shown = main.cloneNode(true);
let timer, controller, dueAt, seconds, loadedAt;

const render = (next) => {
  if (outline(next) !== outline(shown)) {
    main.replaceChildren(...next.cloneNode(true).childNodes);
  } else {
    for (const part of parts(next)) {
      const current = document.getElementById(part.id);
      if (part.isEqualNode(parts(shown).find(({ id }) => id === part.id))) continue;
      for (const { name, value } of part.attributes) current.setAttribute(name, value);
      current.replaceChildren(...part.cloneNode(true).childNodes);
    }
  }
  if (next.dataset.announcement !== shown.dataset.announcement) {
    live.textContent = next.dataset.announcement;
  }
  Object.assign(main.dataset, next.dataset);
  shown = next;
  localize();
};

// the server renders times in UTC
const localize = () => {
  loadedAt = performance.now();
  for (const time of main.querySelectorAll("time")) {
    time.textContent = formatDateTime(new Date(time.dateTime));
  }
};

const tick = () => {
  const clock = document.getElementById("clock");
  if (clock && seconds) {
    clock.textContent = formatDuration(Number(clock.dataset.ms) + performance.now() - loadedAt);
  }
};

const startTimer = () => {
  clearTimeout(timer);
  const delay = Math.min(Math.max(dueAt - performance.now(), 0), 86400000);
  if (seconds && !controller && !document.hidden) timer = setTimeout(refresh, delay);
};

const scheduleRefresh = (delay) => {
  seconds = delay;
  dueAt = performance.now() + 1000 * seconds;
  startTimer();
};

const refresh = async () => {
  controller = new AbortController();
  const deadline = setTimeout(() => controller.abort(), 70000);
  let delay;
  try {
    const { signal } = controller;
    const init = { headers: { accept: "text/html" }, cache: "no-store", signal };
    const response = await fetch(location.href, init);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    const next = page.querySelector("main");
    delay = Number(next.dataset.refresh);
    if (response.ok || !delay) {
      document.title = page.title;
      note.textContent = "";
      render(next);
    } else {
      note.textContent = note.dataset.unreachable;
    }
  } catch {
    note.textContent = note.dataset.offline;
    delay = Math.min(2 * seconds, 60);
  }
  clearTimeout(deadline);
  controller = undefined;
  scheduleRefresh(delay);
};

addEventListener("visibilitychange", startTimer);
addEventListener("pagehide", () => controller?.abort());
// cancel the reload by the Refresh header, which is for browsers without scripts
addEventListener("load", () => setTimeout(() => stop()));
setInterval(tick, 1000);
localize();
scheduleRefresh(Number(main.dataset.refresh));
})();`;
