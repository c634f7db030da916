/** The client compared with the minimal code for the same work, measured by `deno bench`. */
import { type Figure, median } from "./figure.ts";
import { outputOf, startServer } from "./process.ts";

const ROUNDS = 3;
const IMPORTS = 7;

/**
 * The parts of the output of `deno bench --json` that are used: minimum times in ns, which other load
 * affects least.
 */
interface Report {
  benches: { name: string; results: { ok?: { min: number }; failed?: unknown }[] }[];
}

/** `load()`, `TaskInfo.fromDict`, signatures. */
export async function clientFigures(): Promise<Figure[]> {
  await using upstream = await startServer("upstream");
  const settings = { BENCH_UPSTREAM: upstream.origin };
  const permissions = ["--allow-net=127.0.0.1", "--allow-env=BENCH_UPSTREAM"];
  const rounds: Map<string, number>[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const args = ["bench", "--json", ...permissions, "tests/bench/client_bench.ts"];
    rounds.push(times(JSON.parse(await outputOf(args, settings))));
  }
  const time = (name: string) => median(rounds.map((round) => round.get(name) ?? NaN));
  const against = (what: string, ours: string, theirs: string, most?: number): Figure => ({
    what,
    value: median(rounds.map((round) => (round.get(ours) ?? NaN) / (round.get(theirs) ?? NaN))),
    unit: "×",
    ...(most !== undefined && { budget: { most } }),
    detail: `${micro(time(ours))} to ${micro(time(theirs))} µs`,
  });
  return [
    against("load() / fetch and json()", "load()", "fetch and json()", 1.25),
    against(
      "TaskInfo.fromDict(JSON.parse(…)) / JSON.parse(…)",
      "JSON.parse and TaskInfo.fromDict",
      "JSON.parse",
    ),
    {
      ...against("signature / npm standardwebhooks", "webhookVerifier", "standardwebhooks"),
      detail: ["webhookVerifier", "standardwebhooks"]
        .map((name) => Math.round(1e9 / time(name)).toLocaleString("en"))
        .join(" to ") + " a second",
    },
  ];
}

/** Measures the import time of modules, each in a process of its own, in ms. */
export async function importFigures(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const module of ["mod.ts", "functions/app.ts"]) {
    const took: number[] = [];
    for (let round = 0; round < IMPORTS; round++) {
      took.push(
        Number(await outputOf(["run", "--allow-read", "tests/bench/import.ts", module])),
      );
    }
    figures.push({ what: `import of ${module}`, value: median(took), unit: "ms" });
  }
  return figures;
}

function times({ benches }: Report): Map<string, number> {
  return new Map(benches.map(({ name, results: [result] }) => {
    if (!result?.ok) throw new Error(`${name} failed: ${JSON.stringify(result?.failed)}`);
    return [name, result.ok.min];
  }));
}

function micro(nanoseconds: number): string {
  const value = nanoseconds / 1_000;
  return value < 10 ? value.toFixed(1) : value.toFixed(0);
}
