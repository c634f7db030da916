/**
 * `deno task bench`: the figures of the README, each a ratio of what was measured side by side in this
 * run, with the budget beside it; also as JSON in `dist/bench.json`. `--only NAME` measures one part of
 * them, `--check` ends with 1 when a budget is missed.
 */
// deno-lint-ignore-file no-console
import { root } from "../helpers/run_deno.ts";
import { clientFigures, importFigures } from "./client.ts";
import { endpointFigures } from "./endpoint.ts";
import { type Figure, isWithin, row } from "./figure.ts";
import { listFigures, waitFigures } from "./many.ts";
import { sizeFigures } from "./sizes.ts";
import { table } from "./table.ts";
import { workerdFigures } from "./workerd.ts";

const parts: Record<string, () => Promise<Figure[]>> = {
  endpoint: endpointFigures,
  client: clientFigures,
  import: importFigures,
  workerd: workerdFigures,
  list: listFigures,
  wait: waitFigures,
  sizes: sizeFigures,
};

const only = Deno.args.includes("--only") ? Deno.args[Deno.args.indexOf("--only") + 1] ?? "" : "";
if (only && !(only in parts)) {
  console.error(`--only ${only}: must be one of ${Object.keys(parts).join(", ")}`);
  Deno.exit(2);
}
const figures: Record<string, Figure[]> = {};
for (const [name, measure] of Object.entries(parts)) {
  if (only && name !== only) continue;
  const began = performance.now();
  figures[name] = await measure();
  console.error(`measured ${name} in ${((performance.now() - began) / 1_000).toFixed(0)} s`);
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
Deno.exit(over.length > 0 && Deno.args.includes("--check") ? 1 : 0);
