/** Imports a module of the project, which is cached, and prints how long that took, in ms. */
import { root } from "../helpers/run_deno.ts";

const began = performance.now();
await import(new URL(Deno.args[0] ?? "", root).href);
// deno-lint-ignore no-console -- for the bench
console.log(performance.now() - began);
