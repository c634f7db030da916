/** Script of the status page. It updates the page in place; without scripts the browser reloads it. */
import { formatDateTime, span } from "./format.ts";

/**
 * It fetches its own URL and applies the changes in `<main>`, so that focus and scroll position are kept.
 * It pauses while the page is hidden, and stops when a response has no `data-refresh`. A new `data-say` is
 * announced through the live region.
 */
export const SCRIPT = `(() => {
const span = ${span};
const moment = ${formatDateTime};
const main = document.querySelector("main");
const say = document.getElementById("say");
const note = document.getElementById("note");
const all = (root) => [...root.querySelectorAll("[id]")];
const shape = (root) => all(root).map(({ id }) => id).join();
let shown = main.cloneNode(true);
let timer, asking, due, seconds, loaded;

const show = (next) => {
  if (shape(next) !== shape(shown)) {
    main.replaceChildren(...next.cloneNode(true).childNodes);
  } else {
    for (const now of all(next)) {
      const here = document.getElementById(now.id);
      if (now.isEqualNode(all(shown).find(({ id }) => id === now.id))) continue;
      for (const { name, value } of now.attributes) here.setAttribute(name, value);
      here.replaceChildren(...now.cloneNode(true).childNodes);
    }
  }
  if (next.dataset.say !== shown.dataset.say) say.textContent = next.dataset.say;
  Object.assign(main.dataset, next.dataset);
  shown = next;
  arrive();
};

const arrive = () => {
  loaded = performance.now();
  for (const time of main.querySelectorAll("time")) {
    time.textContent = moment(new Date(time.dateTime));
  }
};

const tick = () => {
  const clock = document.getElementById("clock");
  if (clock && seconds) {
    clock.textContent = span(Number(clock.dataset.ms) + performance.now() - loaded);
  }
};

const plan = () => {
  clearTimeout(timer);
  const wait = Math.min(Math.max(due - performance.now(), 0), 86400000);
  if (seconds && !asking && !document.hidden) timer = setTimeout(ask, wait);
};

const wait = (answer) => {
  seconds = answer;
  due = performance.now() + 1000 * seconds;
  plan();
};

const ask = async () => {
  asking = new AbortController();
  const late = setTimeout(() => asking.abort(), 70000);
  let next, refresh;
  try {
    const { signal } = asking;
    const init = { headers: { accept: "text/html" }, cache: "no-store", signal };
    const response = await fetch(location.href, init);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    next = page.querySelector("main");
    refresh = Number(next.dataset.refresh);
    if (response.ok || !refresh) {
      document.title = page.title;
      note.textContent = "";
      show(next);
    } else {
      note.textContent = note.dataset.away;
    }
  } catch {
    note.textContent = note.dataset.offline;
    refresh = Math.min(2 * seconds, 60);
  }
  clearTimeout(late);
  asking = undefined;
  wait(refresh);
};

addEventListener("visibilitychange", plan);
addEventListener("pagehide", () => asking?.abort());
// cancel the reload by the Refresh header, which is for browsers without scripts
addEventListener("load", () => setTimeout(() => stop()));
setInterval(tick, 1000);
arrive();
wait(Number(main.dataset.refresh));
})();`;
