/** The valibot schema of what is asked of `POST /watches`, beside the task; apart, as `request_schema.ts` is. */
import * as v from "valibot";

/** The longest deadline, and the one of who names none: a month and a day, in seconds. */
export const MAX_DEADLINE = 2_592_000;
export const DEFAULT_DEADLINE = 86_400;

const DEADLINE = `must be a whole number of seconds from 1 to ${MAX_DEADLINE}`;

/** Who is told of the end of the task, and by when. */
export const WatchFields = v.object({
  callback_url: v.string("must be a URL"),
  deadline: v.optional(v.pipe(
    v.number(DEADLINE),
    v.integer(DEADLINE),
    v.minValue(1, DEADLINE),
    v.maxValue(MAX_DEADLINE, DEADLINE),
  )),
}, "must be a JSON object");
