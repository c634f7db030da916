/** The study as a picture: polls a task on the left, how late the end is seen on the right. */
import { bound, greatest, type Group, mean, type Sample, summary } from "./study.ts";

const WIDTH = 860;
const HEIGHT = 386;
/** The two plots: left and right edge, within the same top and bottom. */
const BARS = { left: 92, right: 400, top: 118, bottom: 330 };
const LINES = { left: 486, right: 844, top: 118, bottom: 330 };

const TIMES = [[10, "10 s"], [60, "1 min"], [600, "10 min"], [3_600, "1 h"], [
  36_000,
  "10 h",
]] as const;
/** Seconds on the axis of the lateness. */
const LATENESS = [0, 20, 40, 60, 80] as const;
const LATEST = 85;
/** Points of a line on each tenfold of the run time, and tasks that a point takes. */
const POINTS = 8;
const ENOUGH = 30;

const STYLE = `
  text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; fill: #59636e }
  .title { font-size: 16px; font-weight: 600; fill: #1f2328 }
  .value { font-weight: 600; fill: #1f2328 }
  .grid { stroke: #d1d9e0 } .axis { stroke: #818b98 } .line { fill: none; stroke-width: 2.5; stroke-linejoin: round }
  .fixed { fill: #bc4c00 } .line.fixed { fill: none; stroke: #bc4c00 }
  .adaptive { fill: #0969da } .line.adaptive { fill: none; stroke: #0969da }
  .thin { stroke-width: 1.5 } .bound { fill: none; stroke: #59636e; stroke-width: 1.5; stroke-dasharray: 5 4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #9198a1 } .title, .value { fill: #f0f6fc }
    .grid { stroke: #3d444d } .axis { stroke: #656c76 } .bound { stroke: #9198a1 }
    .fixed { fill: #f0883e } .line.fixed { stroke: #f0883e }
    .adaptive { fill: #4493f8 } .line.adaptive { stroke: #4493f8 }
  }`;

/** Draws the study as SVG. It has light and dark colours, and no font or script of its own. */
export function chart(groups: readonly Group[]): string {
  const samples = groups.flatMap((group) => group.samples);
  const fewer = groups.map(({ name, samples }) => `${ratio(samples)} times fewer for ${name}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title about">
<title id="title">Polls a task, and how late its end is seen: adaptive against every 3 seconds</title>
<desc id="about">The adaptive schedule polls ${
    fewer.join(", ")
  } (median run times). It sees the end at most 11 % of the run time + 2.2 s late.</desc>
<style>${STYLE}
</style>
${legend()}
${bars(groups)}
${lines(samples)}
</svg>
`;
}

function legend(): string {
  const top = 14;
  return [
    box("fixed", 14, top, 14, 14),
    text("a poll every 3 s", 34, top + 12, "value"),
    box("adaptive", 164, top, 14, 14),
    text("adaptive: a tenth of the run time so far, from 2 s to 60 s", 184, top + 12, "value"),
  ].join("\n");
}

function bars(groups: readonly Group[]): string {
  const { left, right, top, bottom } = BARS;
  const sums = groups.map(({ name, samples }) => ({
    name,
    samples,
    fixed: summary(samples, "fixed").polls,
    adaptive: summary(samples, "adaptive").polls,
  }));
  const most = greatest(sums.map(({ fixed }) => fixed));
  const step = most > 1_000 ? 500 : 100;
  const length = (polls: number) => (right - left - 40) * polls / most;
  const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, at) => at * step);
  const height = (bottom - top) / sums.length;
  return [
    text("Polls a task, on average", 14, 66, "title"),
    text("by median run time", 14, 86),
    ...ticks.map((tick) => {
      const x = left + length(tick);
      return `${segment("grid", x, top, x, bottom)}\n${
        label(count(tick), x, bottom + 20, "middle")
      }`;
    }),
    ...sums.map(({ name, samples, fixed, adaptive }, at) => {
      const y = top + at * height + 10;
      const end = left + length(adaptive);
      return [
        label(name, left - 8, y + 29, "end"),
        box("fixed", left, y, length(fixed), 22),
        text(count(fixed), left + length(fixed) + 6, y + 16, "value"),
        box("adaptive", left, y + 25, length(adaptive), 22),
        text(`${count(adaptive)}: ${ratio(samples)} × fewer`, end + 6, y + 41, "value"),
      ].join("\n");
    }),
    segment("axis", left, top, left, bottom),
    label("polls", (left + right - 40) / 2, bottom + 42, "middle"),
  ].join("\n");
}

function lines(samples: readonly Sample[]): string {
  const { left, right, top, bottom } = LINES;
  const x = logScale(TIMES[0][0], 36_000, left, right);
  const y = (seconds: number) => bottom - (bottom - top) * seconds / LATEST;
  const points = averages(samples);
  const line = (name: string, of: (point: Point) => number) =>
    curve(`line ${name}`, points.map((point) => [x(point.seconds), y(of(point))]));
  const mostAt = (seconds: number) => bound(1_000 * seconds) / 1_000;
  const allowed = Array.from({ length: 61 }, (_, i) => 10 * 3_600 ** (i / 60))
    .filter((seconds) => mostAt(seconds) <= LATEST);
  return [
    text("How late the end is seen", left - 40, 66, "title"),
    text("by run time (logarithmic)", left - 40, 86),
    ...LATENESS.map((seconds) =>
      [
        segment(seconds === 0 ? "axis" : "grid", left, y(seconds), right, y(seconds)),
        label(`${seconds} s`, left - 8, y(seconds) + 4, "end"),
      ].join("\n")
    ),
    ...TIMES.map(([seconds, name]) =>
      [
        segment("axis", x(seconds), bottom, x(seconds), bottom + 5),
        label(name, x(seconds), bottom + 20, seconds === 36_000 ? "end" : "middle"),
      ].join("\n")
    ),
    curve("bound", allowed.map((seconds) => [x(seconds), y(mostAt(seconds))])),
    curve("line adaptive thin", points.map(({ worst }) => [x(worst.seconds), y(worst.late)])),
    line("adaptive", ({ adaptive }) => adaptive),
    line("fixed", ({ fixed }) => fixed),
    label("at most 11 %", x(300), y(52) + 4, "end"),
    label("of it + 2.2 s", x(300), y(45) + 4, "end"),
    label("adaptive, worst", right, y(66) - 7, "end", "value"),
    label("adaptive, mean", right, y(32) - 10, "end", "value"),
    label("every 3 s, mean", right, y(1.5) - 8, "end", "value"),
    label("run time", (left + right) / 2, bottom + 42, "middle"),
  ].join("\n");
}

/** Tasks of about the same run time: how late their ends were seen, in seconds. */
interface Point {
  seconds: number;
  fixed: number;
  adaptive: number;
  /** Of the adaptive schedule, with the run time that it happened at. */
  worst: { seconds: number; late: number };
}

function averages(samples: readonly Sample[]): Point[] {
  const bins = new Map<number, Sample[]>();
  for (const sample of samples) {
    const bin = Math.round(POINTS * Math.log10(sample.duration / 10_000));
    bins.set(bin, [...bins.get(bin) ?? [], sample]);
  }
  return [...bins.entries()]
    .filter(([bin, { length }]) =>
      length >= ENOUGH && bin >= 0 && bin <= POINTS * Math.log10(3_600)
    )
    .sort(([a], [b]) => a - b)
    .map(([bin, samples]) => ({
      seconds: 10 * 10 ** (bin / POINTS),
      fixed: mean(samples.map(({ fixed }) => fixed.lateness)) / 1_000,
      adaptive: mean(samples.map(({ adaptive }) => adaptive.lateness)) / 1_000,
      worst: worstOf(samples),
    }));
}

function worstOf(samples: readonly Sample[]): Point["worst"] {
  const lateness = greatest(samples.map(({ adaptive }) => adaptive.lateness));
  const duration = samples.find(({ adaptive }) => adaptive.lateness === lateness)?.duration ?? 0;
  return { seconds: duration / 1_000, late: lateness / 1_000 };
}

function ratio(samples: readonly Sample[]): string {
  return (summary(samples, "fixed").polls / summary(samples, "adaptive").polls).toFixed(1);
}

function count(number: number): string {
  return Math.round(number).toLocaleString("en");
}

function logScale(min: number, max: number, from: number, to: number): (value: number) => number {
  return (value) => from + (to - from) * Math.log(value / min) / Math.log(max / min);
}

// one decimal, so that the last bits of a logarithm don't show
const round = (number: number) => String(Math.round(10 * number) / 10);

function text(content: string, x: number, y: number, name = ""): string {
  return label(content, x, y, "start", name);
}

function label(
  content: string,
  x: number,
  y: number,
  anchor: "start" | "middle" | "end",
  name = "",
): string {
  const style = (name && ` class="${name}"`) +
    (anchor === "start" ? "" : ` text-anchor="${anchor}"`);
  return `<text x="${round(x)}" y="${round(y)}"${style}>${content}</text>`;
}

function box(name: string, x: number, y: number, width: number, height: number): string {
  return `<rect class="${name}" x="${round(x)}" y="${round(y)}" width="${
    round(width)
  }" height="${height}" rx="2"/>`;
}

function segment(name: string, x1: number, y1: number, x2: number, y2: number): string {
  return `<path class="${name}" d="M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}"/>`;
}

function curve(name: string, points: readonly (readonly number[])[]): string {
  return `<path class="${name}" d="M${
    points.map((point) => point.map(round).join(" ")).join("L")
  }"/>`;
}
