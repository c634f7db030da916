/** Valibot schema of `POST /watches`. */
import * as v from "valibot";
import { TaskFields } from "../task/request_schema.ts";

/** Longest and default deadline of a watch, in seconds: 30 days and 1 day. */
export const MAX_DEADLINE = 2_592_000;
export const DEFAULT_DEADLINE = 86_400;

const DEADLINE = `must be a whole number of seconds from 1 to ${MAX_DEADLINE}`;

const Seconds = v.pipe(
  v.number(DEADLINE),
  v.integer(DEADLINE),
  v.minValue(1, DEADLINE),
  v.maxValue(MAX_DEADLINE, DEADLINE),
);

/** The body of `POST /watches`: a task by its URL or its ids, the callback and the deadline. */
export const WatchRequest = v.object({
  ...TaskFields,
  callback_url: v.string("must be a URL"),
  deadline: v.optional(v.union([
    Seconds,
    v.pipe(v.string(), v.regex(/^\d{1,7}$/, DEADLINE), v.transform(Number), Seconds),
  ], DEADLINE)),
}, ({ path }) => path ? "is required" : "must be a JSON object");
