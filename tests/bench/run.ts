/**
 * `deno task bench`: each figure is a ratio of what this run measured side by side, with its budget. The
 * results are also in `dist/bench.json`. Options:
 *
 * - `--only endpoint,client`: measures these parts only
 * - `--on node,bun`: measures the endpoint and the client on these runtimes only
 * - `--rounds 5`, `--seconds 2`: length of the endpoint's measurements
 * - `--check`: exits with 1 when a figure is over its budget
 */
// deno-lint-ignore-file no-console
import { parseArgs } from "node:util";
import { root } from "../helpers/run_deno.ts";
import { clientFigures, codeFigures, importFigures } from "./client.ts";
import { endpointFigures } from "./endpoint.ts";
import { type Figure, isWithin, row } from "./figure.ts";
import { listFigures, waitFigures } from "./many.ts";
import { prepare, type RuntimeName, RUNTIMES } from "./process.ts";
import { sizeFigures } from "./sizes.ts";
import { table } from "./table.ts";
import { watchFigures } from "./watch_polls.ts";
import { workerdFigures } from "./workerd.ts";

const { values: options } = parseArgs({
  args: Deno.args,
  options: {
    only: { type: "string" },
    on: { type: "string" },
    rounds: { type: "string", default: "5" },
    seconds: { type: "string", default: "2" },
    check: { type: "boolean", default: false },
  },
});

/** Returns the names that an option selects; all without the option. */
function select<T extends string>(option: string | undefined, names: readonly T[]): T[] {
  const unknown = option?.split(",").filter((name) => !(names as readonly string[]).includes(name));
  if (unknown?.length) throw new RangeError(`${unknown} must be some of ${names.join(",")}`);
  return names.filter((name) => option === undefined || option.split(",").includes(name));
}

const length = { rounds: Number(options.rounds), seconds: Number(options.seconds) };
const runtimes = select(options.on, RUNTIMES);

async function onEach(measure: (runtime: RuntimeName) => Promise<Figure[]>): Promise<Figure[]> {
  await prepare();
  const figures: Figure[] = [];
  for (const runtime of runtimes) figures.push(...await measure(runtime));
  return figures;
}

const parts = {
  endpoint: () => onEach((runtime) => endpointFigures(runtime, length)),
  client: () => onEach(clientFigures),
  code: codeFigures,
  import: importFigures,
  workerd: workerdFigures,
  list: listFigures,
  wait: waitFigures,
  watches: watchFigures,
  sizes: sizeFigures,
};

const figures: Record<string, Figure[]> = {};
for (const name of select(options.only, Object.keys(parts) as (keyof typeof parts)[])) {
  const startedAt = performance.now();
  figures[name] = await parts[name]();
  console.error(`measured ${name} in ${((performance.now() - startedAt) / 1_000).toFixed(0)} s`);
}
const all = Object.values(figures).flat();
console.log(table(["what", "measured", "budget", "", ""], all.map(row)));
await Deno.mkdir(new URL("dist/", root), { recursive: true });
await Deno.writeTextFile(
  new URL("dist/bench.json", root),
  JSON.stringify({ time: new Date().toISOString(), figures }, null, 2),
);
const over = all.filter((figure) => isWithin(figure) === false);
console.log(over.length === 0 ? "\nwithin every budget" : `\n${over.length} over budget`);
Deno.exit(over.length > 0 && options.check ? 1 : 0);
