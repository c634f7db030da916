/** Check of stored watches: an older or newer release may have written them, and a store may be damaged. */
import { TaskInfo } from "../../mod.ts";
import { ID_FORMAT } from "../task/request_schema.ts";
import { STATE_VERSION, type Watch, WATCH_STATES } from "./state.ts";

const STATES: readonly unknown[] = WATCH_STATES;
const TEXTS = ["id", "eventId", "instance", "callbackUrl"];
const NUMBERS = ["startedAt", "deadline", "dueAt", "updatedAt", "polls", "attempts"];
/** Larger than every time and count. The sum of two is a valid date. */
const MAX_NUMBER = 4e15;

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

const areNumbers = (...values: unknown[]) =>
  values.every((value) => Number.isFinite(value) && Math.abs(Number(value)) <= MAX_NUMBER);

const areIds = (...values: unknown[]) =>
  values.every((value) => typeof value === "string" && ID_FORMAT.test(value));

function hasTaskInfo(last: unknown): boolean {
  try {
    return isRecord(last) && isRecord(last.task) && !!TaskInfo.fromDict(last.task.info);
  } catch {
    return false;
  }
}

/** Returns `true` if a stored value is a watch in the current format, which every step can handle. */
export function isWatch(value: unknown): value is Watch {
  if (!isRecord(value) || value.version !== STATE_VERSION || !STATES.includes(value.state)) {
    return false;
  }
  const { ids, event, last, redelivery, callbackUrl, consecutiveMisses } = value;
  return TEXTS.every((name) => typeof value[name] === "string") &&
    areNumbers(consecutiveMisses, ...NUMBERS.map((name) => value[name])) &&
    URL.canParse(String(callbackUrl)) &&
    isRecord(ids) && areIds(ids.organizationId, ids.workspaceId, ids.taskId) &&
    (event === undefined || isRecord(event) && areNumbers(event.endedAt)) &&
    (redelivery === undefined ||
      isRecord(redelivery) && areNumbers(redelivery.at, redelivery.attempts)) &&
    (last === undefined || hasTaskInfo(last));
}
