/**
 * The command line of `@deepint/task`: shows, lists and stops tasks, waits for them, prints their results
 * and signs webhooks. Importing this module has no effect.
 *
 * ```sh
 * deno install --global --name deepint-task --allow-net --allow-read --allow-env=\
 * DEEPINT_TOKEN,DEEPINT_INSTANCE,DEEPINT_ORGANIZATION,RESOLVE_WEBHOOK_SECRETS,\
 * HOME,USERPROFILE,TERM,TERM_PROGRAM,TMUX,NO_COLOR \
 *   jsr:@deepint/task/cli
 * deepint-task wait "https://app.deepint.net/o/o-1/workspace?ws=w-1&s=task&i=t-1" --timeout 10m
 * ```
 *
 * @module
 */
import { runProgram } from "./cli/program.ts";

if (import.meta.main) await runProgram();
