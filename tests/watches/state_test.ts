// Transitions of a watch, with times that the tests choose.
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MAX_DEADLINE } from "../../functions/watches/request_schema.ts";
import {
  afterDelivery,
  afterPoll,
  cancelled,
  isActive,
  newWatch,
  pollInterval,
  type PollOutcome,
  type Watch,
} from "../../functions/watches/state.ts";
import { isWatch } from "../../functions/watches/stored_state.ts";
import type { Finished, Running } from "../../functions/task/response_schema.ts";
import { Credentials, Task, TaskInfo } from "../../mod.ts";
import { checkProperty } from "../helpers/property.ts";
import { seededRandom } from "../helpers/seeded_random.ts";

const START = Date.UTC(2026, 0, 1);
const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const IDS = { organizationId: "o-1", workspaceId: "w-1", taskId: "t-1" };
const INSTANCE = "app.deepint.net";
const ORDER = {
  id: "id-0",
  instance: INSTANCE,
  ids: IDS,
  callbackUrl: "https://hooks.example/end",
  deadline: DAY,
};

function taskOf(info: Record<string, unknown>) {
  const credentials = new Credentials({ token: "a-token" });
  return new Task({ ...IDS, credentials, info: TaskInfo.fromDict({ id: "t-1", ...info }) })
    .toDict();
}

function running(created: number | null = START): { answer: Running } {
  const task = taskOf({ status: "running", created });
  return { answer: { status: "running", task, retry_after: 3 } };
}

function ended(status: "success" | "failed"): { answer: Finished } {
  return { answer: { status, result: {}, task: taskOf({ status }) } };
}

/** Polls at the due times until there is an event. */
function follow(
  watch: Watch,
  outcome: (now: number) => PollOutcome,
  random: () => number = () => 0,
): { watch: Watch; waits: number[] } {
  const waits: number[] = [];
  while (!watch.event) {
    const now = watch.dueAt;
    watch = afterPoll(watch, outcome(now), { now, random: random() });
    waits.push(watch.dueAt - now);
  }
  return { watch, waits };
}

/** Delivers at the due times until the watch ends; returns the times since the event. */
function deliverAll(watch: Watch, status: (attempt: number) => number, random = 0) {
  const times: number[] = [];
  while (isActive(watch)) {
    const now = watch.dueAt;
    times.push(now - (watch.event?.endedAt ?? 0));
    watch = afterDelivery(watch, { status: status(watch.attempts + 1) }, { now, random });
  }
  return { watch, times };
}

const told = () => afterPoll(newWatch(ORDER, START), ended("success"), { now: START, random: 0 });

Deno.test("a new watch is polled immediately, and the end of its task is due immediately", () => {
  const watch = newWatch(ORDER, START);
  assertEquals([watch.dueAt, watch.polls, watch.state], [START, 0, "watching"]);
  for (const status of ["success", "failed"] as const) {
    const now = START + SECOND;
    const polled = afterPoll(watch, ended(status), { now, random: 0.5 });
    assertEquals(polled.event, { type: `task.${status}`, endedAt: now });
    assertEquals([polled.dueAt, polled.polls, polled.state], [now, 1, "watching"]);
  }
});

Deno.test("a running task is polled on the adaptive schedule", () => {
  let watch = newWatch(ORDER, START);
  const due: number[] = [];
  for (let poll = 0; poll < 4; poll++) {
    watch = afterPoll(watch, running(START - 100 * SECOND), { now: watch.dueAt, random: 0 });
    due.push(watch.dueAt - START);
  }
  assertEquals(due, [10_000, 21_000, 33_100, 46_410]);
});

Deno.test("Retry-After delays the next poll, but not beyond the deadline", () => {
  const watch = newWatch(ORDER, START);
  const at = { now: START, random: 0 };
  assertEquals(afterPoll(watch, { ...running(), retryAfter: HOUR }, at).dueAt, START + HOUR);
  const limited = { problem: "rate-limited", retryAfter: HOUR } as const;
  assertEquals(afterPoll(watch, limited, at).dueAt, START + HOUR);
  assertEquals(afterPoll(watch, { ...limited, retryAfter: 2 * DAY }, at).dueAt, START + DAY);
});

Deno.test("at the deadline a last poll decides between the end and task.expired", () => {
  for (const outcome of [running(), { problem: "upstream-timeout" } as const]) {
    const { watch } = follow(newWatch(ORDER, START), () => outcome);
    assertEquals(watch.event, { type: "task.expired", endedAt: START + DAY });
    const { watch: over } = deliverAll(watch, () => 204);
    assertEquals([over.state, over.attempts, over.lastStatus], ["expired", 1, 204]);
  }
  const last = (now: number) => now === START + DAY ? ended("failed") : running();
  const { watch } = follow(newWatch(ORDER, START), last);
  assertEquals(watch.event?.type, "task.failed");
});

Deno.test("five misses in a row end the watch, whatever their mix", () => {
  const codes = [
    ["not-found", "TASK_NOT_FOUND"],
    ["unknown-status", "UNKNOWN_STATUS"],
    ["upstream-credentials", "UPSTREAM_CREDENTIALS"],
  ] as const;
  for (const [problem, code] of codes) {
    const { watch } = follow(newWatch(ORDER, START), () => ({ problem }));
    assertEquals(watch.polls, 5);
    assertEquals(watch.event, { type: "task.unresolved", code, endedAt: watch.updatedAt });
  }
  const mix = (count: number) => codes[count % 3]?.[0] ?? "not-found";
  let count = 0;
  const mixed = follow(newWatch(ORDER, START), () => ({ problem: mix(count++) }));
  assertEquals(mixed.watch.polls, 5);
  for (const other of [running(), { problem: "upstream-unavailable" } as const]) {
    count = 0;
    const { watch } = follow(
      newWatch(ORDER, START),
      () => ++count % 5 ? { problem: mix(count) } : other,
    );
    assertEquals(watch.event?.type, "task.expired", "another outcome starts the count again");
  }
});

Deno.test("an unreachable platform never ends a watch before its deadline", () => {
  for (const problem of ["upstream-unavailable", "rate-limited", "internal-error"] as const) {
    const { watch } = follow(newWatch(ORDER, START), () => ({ problem }));
    assertEquals(watch.event, { type: "task.expired", endedAt: START + DAY });
  }
});

Deno.test("a failed delivery is retried with exponential back-off for 24 hours", () => {
  const { watch, times } = deliverAll(told(), () => 500);
  assertEquals(watch.state, "failed");
  assertEquals(times.slice(0, 6), [0, 1_000, 3_000, 7_000, 15_000, 31_000]);
  assertEquals(times.at(-1), DAY);
  assertEquals(watch.attempts, times.length);
  const waits = times.slice(1).map((time, index) => time - (times[index] ?? 0));
  assert(Math.max(...waits) <= HOUR, `${waits}`);
});

Deno.test("a delivery that succeeds within 24 hours ends the watch as delivered", () => {
  for (const [attempt, status] of [[1, 200], [2, 204], [30, 299]] as const) {
    const { watch } = deliverAll(told(), (count) => count < attempt ? 0 : status);
    assertEquals([watch.state, watch.attempts, watch.lastStatus], ["delivered", attempt, status]);
  }
});

Deno.test("only 410 and a 2xx end the deliveries", () => {
  const { watch } = deliverAll(told(), (attempt) => attempt < 3 ? 503 : 410);
  assertEquals([watch.state, watch.attempts, watch.lastStatus], ["failed", 3, 410]);
  for (const status of [0, 199, 300, 302, 307, 400, 401, 404, 409, 429, 500]) {
    assertEquals(deliverAll(told(), () => status).times.at(-1), DAY, `${status}`);
  }
});

Deno.test("Retry-After of a 429 or 503 delays the next delivery, at most to the last attempt", () => {
  const at = { now: START, random: 0 };
  const dueIn = (status: number, retryAfter: number) =>
    afterDelivery(told(), { status, retryAfter }, at).dueAt - START;
  for (const status of [429, 503]) {
    assertEquals(dueIn(status, 20 * SECOND), 20 * SECOND);
    assertEquals(dueIn(status, 0), SECOND, "never before the back-off");
    assertEquals(dueIn(status, 30 * DAY), DAY);
  }
  assertEquals(dueIn(500, HOUR), SECOND);
});

Deno.test("each watch has an event id of its own", () => {
  const [one, other] = [newWatch(ORDER, START), newWatch(ORDER, START)];
  assert(one.eventId !== other.eventId && one.eventId.length >= 36);
  assertEquals(told().eventId.length, one.eventId.length);
});

Deno.test("isWatch rejects damaged watches and other versions", () => {
  const watch = structuredClone(told());
  assert(isWatch(watch) && isWatch(newWatch(ORDER, START)));
  assert(isWatch(JSON.parse(JSON.stringify(watch))));
  for (const name of ["version", "id", "eventId", "instance", "ids", "dueAt", "state", "polls"]) {
    assert(!isWatch({ ...watch, [name]: undefined }), name);
  }
  const damaged = {
    version: 2,
    ids: { ...watch.ids, taskId: "../t-1" },
    event: "task.success",
    last: { status: "running", task: { info: { id: "t-1", name: 5 } } },
    redelivery: { at: 1e300, attempts: 1 },
    startedAt: 1e300,
    dueAt: NaN,
  };
  for (const [name, value] of Object.entries(damaged)) {
    assert(!isWatch({ ...watch, [name]: value }), name);
  }
  for (const value of [null, undefined, 1, "watch", []]) assert(!isWatch(value));
});

Deno.test("cancelling ends an open watch and leaves an ended one unchanged", () => {
  const watch = cancelled(newWatch(ORDER, START), START + SECOND);
  assertEquals([watch.state, watch.updatedAt], ["cancelled", START + SECOND]);
  const { watch: over } = deliverAll(told(), () => 200);
  assertEquals(cancelled(over, START + DAY), over);
});

Deno.test("each text of a response is truncated to 4 kB", () => {
  for (const [character, kept] of [["a", 4_000], ["\xe9", 4_000], ["\u20ac", 2_000]] as const) {
    const { answer } = ended("failed");
    answer.task.info.error_description = character.repeat(20_000);
    const watch = afterPoll(newWatch(ORDER, START), { answer }, { now: START, random: 0 });
    assertEquals(watch.last?.task.info.error_description, character.repeat(kept));
    assertEquals(watch.last?.task.info.duration, null);
  }
});

Deno.test("a text is not truncated within a character", () => {
  const { answer } = ended("failed");
  answer.task.info.error_description = `a${"\u{1f600}".repeat(2_000)}`;
  const watch = afterPoll(newWatch(ORDER, START), { answer }, { now: START, random: 0 });
  assertEquals(watch.last?.task.info.error_description, `a${"\u{1f600}".repeat(999)}`);
});

Deno.test("the poll interval stays within its bounds for any task and time", async (t) => {
  const property = fc.property(
    fc.integer({ min: 1, max: MAX_DEADLINE }),
    fc.integer({ min: 0, max: 2 * MAX_DEADLINE * SECOND }),
    fc.option(fc.integer({ min: -10 * DAY, max: 10 * DAY })),
    fc.option(fc.integer({ min: 0, max: 2 * DAY }), { nil: undefined }),
    fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    (seconds, after, created, retryAfter, random) => {
      const deadline = seconds * SECOND;
      const { answer: last } = running(created === null ? null : START + created);
      const moment = { now: START + after, random };
      const interval = pollInterval({ last, startedAt: START, deadline }, retryAfter, moment);
      assert(interval >= Math.max(2_000, retryAfter ?? 0), `${interval}`);
      const most = 1.1 * Math.max(MINUTE, deadline / 800);
      assert(interval <= Math.max(most, retryAfter ?? 0) + 0.001, `${interval} of ${most}`);
      if (retryAfter === undefined && seconds <= 48_000) assert(interval <= 66_001);
    },
  );
  await checkProperty(t, property);
});

Deno.test("no watch takes 850 polls, for any deadline and age of its task", async (t) => {
  let most = 0;
  const property = fc.property(
    fc.oneof(fc.constant(MAX_DEADLINE), fc.integer({ min: 1, max: MAX_DEADLINE })),
    fc.option(fc.integer({ min: -8 * DAY, max: DAY })),
    fc.oneof(fc.constant(undefined), fc.integer()),
    (seconds, created, seed) => {
      const random = seed === undefined ? () => 0 : seededRandom(seed);
      const watch = newWatch({ ...ORDER, deadline: seconds * SECOND }, START);
      const outcome = running(created === null ? null : START + created);
      const { waits } = follow(watch, () => outcome, random);
      most = Math.max(most, waits.length);
      assert(waits.length < 850, `${waits.length} polls`);
    },
  );
  await checkProperty(t, property, { cases: 150 });
  assert(most > 700, `only ${most}: the longest was not among them`);
});
