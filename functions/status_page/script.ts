/** The script of the page: it brings the page up to date in place. Without it, the browser loads it anew. */
import { formatDateTime, span } from "./format.ts";

/**
 * It asks for its own address again and takes over what has changed in `<main>`, so that neither focus
 * nor place is lost. It asks nothing while nobody looks, and stops when the answer has no
 * `data-refresh`. What a screen reader should say comes in `data-say`, and is put into the one live
 * region only when it is another.
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
// or the browser would load the page anew, by the header that is for browsers without scripts
addEventListener("load", () => setTimeout(() => stop()));
setInterval(tick, 1000);
arrive();
wait(Number(main.dataset.refresh));
})();`;
