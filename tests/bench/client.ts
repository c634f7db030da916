/** The client compared with the minimal code for the same work. */
import type { Block } from "./client_loads.ts";
import { type Figure, median } from "./figure.ts";
import { outputOf, runClient, type RuntimeName, startUpstream } from "./process.ts";

const ROUNDS = 3;
const IMPORTS = 7;

/**
 * The parts of the output of `deno bench --json` that are used: minimum times in ns, which other load
 * affects least.
 */
interface Report {
  benches: { name: string; results: { ok?: { min: number }; failed?: unknown }[] }[];
}

function times({ benches }: Report): Map<string, number> {
  return new Map(benches.map(({ name, results: [result] }) => {
    if (!result?.ok) throw new Error(`${name} failed: ${JSON.stringify(result?.failed)}`);
    return [name, result.ok.min];
  }));
}

function micro(ms: number): string {
  const value = 1_000 * ms;
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}

/** `load()` and `resolve()` on one runtime. */
export async function clientFigures(runtime: RuntimeName): Promise<Figure[]> {
  await using upstream = await startUpstream();
  const output = await runClient(runtime, upstream);
  const blocks = output.trim().split("\n").map((line): Block => JSON.parse(line));
  const against = (name: "load" | "resolve"): Figure => ({
    what: `${runtime}: ${name}() / fetch and json()`,
    value: median(blocks.map((block) => block[name] / block.fetch)),
    unit: "×",
    budget: { most: 1.25 },
    detail: `${micro(median(blocks.map((block) => block[name])))} to ` +
      `${micro(median(blocks.map((block) => block.fetch)))} µs`,
  });
  return [against("load"), against("resolve")];
}

/** `TaskInfo.fromDict` and signatures, measured by `deno bench`. */
export async function codeFigures(): Promise<Figure[]> {
  const rounds: Map<string, number>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const args = ["bench", "--json", "tests/bench/code_bench.ts"];
    rounds.push(times(JSON.parse(await outputOf(Deno.execPath(), args))));
  }
  const time = (name: string) => median(rounds.map((round) => round.get(name) ?? NaN)) / 1e6;
  const against = (what: string, ours: string, theirs: string): Figure => ({
    what,
    value: median(rounds.map((round) => (round.get(ours) ?? NaN) / (round.get(theirs) ?? NaN))),
    unit: "×",
    detail: `${micro(time(ours))} to ${micro(time(theirs))} µs`,
  });
  return [
    against(
      "TaskInfo.fromDict(JSON.parse(…)) / JSON.parse(…)",
      "JSON.parse and TaskInfo.fromDict",
      "JSON.parse",
    ),
    against("signature / npm standardwebhooks", "webhookVerifier", "standardwebhooks"),
  ];
}

/** Measures the import time of modules, each in a process of its own, in ms. */
export async function importFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const module of ["mod.ts", "functions/app.ts"]) {
    const took: number[] = [];
    for (let round = 0; round < IMPORTS; round++) {
      took.push(
        Number(
          await outputOf(Deno.execPath(), ["run", "--allow-read", "tests/bench/import.ts", module]),
        ),
      );
    }
    figures.push({ what: `import of ${module}`, value: median(took), unit: "ms" });
  }
  return figures;
}
