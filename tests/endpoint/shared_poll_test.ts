// Concurrent callers of one task share one upstream request.
import { assert, assertEquals } from "@std/assert";
import type { ExecutionContext } from "../../functions/app.ts";
import { type Endpoint, IDS, outcomeOf, RUNNING } from "../helpers/endpoint.ts";
import { setUp, SUCCESS, TASK_PATH } from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import type { FakePlatform } from "../helpers/fake_platform.ts";

const TIMEOUT = 1_000;
const settings = { RESOLVE_TIMEOUT_MS: String(TIMEOUT) };

/** Holds the next upstream request until it is let go; tells whether it was broken off. */
function hold(platform: FakePlatform) {
  const { promise, resolve } = Promise.withResolvers<Response>();
  const held = { aborted: false, answer: (body: object) => resolve(Response.json(body)) };
  platform.inject((request) => {
    request.signal.addEventListener("abort", () => held.aborted = true);
    return promise;
  });
  return held;
}

/** A caller that may go away, by the GET route. */
function call(endpoint: Endpoint, path = TASK_PATH) {
  const controller = new AbortController();
  const answer = endpoint.get(path, { signal: controller.signal });
  // one that went away gets no answer, and nobody cares which it would have been
  const gone = answer.then(() => {}, () => {});
  return { answer, gone, leave: () => controller.abort() };
}

const statusOf = async (answer: Promise<Response>) => (await answer).status;

Deno.test("64 concurrent callers of one task share one upstream request", async () => {
  using clock = new FakeClock();
  const { platform, bearer, webhook, get, log } = setUp(settings);
  const held = hold(platform);
  const asks = [() => bearer(IDS), () => webhook(IDS), () => get(TASK_PATH)];
  const answers = Array.from({ length: 64 }, (_, index) => asks[index % 3]?.() ?? get("/none"));
  await clock.tick(10);
  assertEquals(platform.count(), 1);
  held.answer(RUNNING);
  const statuses = (await Promise.all(answers)).map(({ status }) => status);
  assertEquals(statuses, Array.from({ length: 64 }, (_, index) => index % 3 === 1 ? 503 : 202));
  assertEquals(log.filter(({ upstream }) => upstream === "fetched").length, 1);
  assertEquals(log.filter(({ upstream }) => upstream === "shared").length, 63);
  assertEquals([platform.count(), clock.pending], [1, 0]);
  platform.inject(() => Response.json(RUNNING));
  await get(TASK_PATH);
  assertEquals(platform.count(), 2, "a later one polls afresh");
});

Deno.test("callers of different tasks, workspaces or organizations share no poll", async () => {
  using clock = new FakeClock();
  const endpoint = setUp(settings);
  const paths = [TASK_PATH, TASK_PATH.replace("t-1", "t-2")];
  paths.push(TASK_PATH.replace("workspace-1", "w-2"), TASK_PATH.replace("organization-1", "o-2"));
  const held = paths.map(() => hold(endpoint.platform));
  const answers = paths.map((path) => endpoint.get(path));
  await clock.tick(0);
  assertEquals(endpoint.platform.count(), paths.length);
  for (const [index, one] of held.entries()) {
    one.answer({ ...RUNNING, id: index === 1 ? "t-2" : "t-1" });
  }
  assertEquals(await Promise.all(answers.map(statusOf)), [202, 202, 202, 202]);
});

Deno.test("all callers get the error of a shared poll, and the next caller polls again", async () => {
  using clock = new FakeClock();
  const { platform, get } = setUp(settings);
  const { promise, resolve } = Promise.withResolvers<Response>();
  platform.inject(() => promise);
  const answers = [get(TASK_PATH), get(TASK_PATH), get(TASK_PATH)];
  await clock.tick(0);
  resolve(new Response("", { status: 500 }));
  assertEquals(await Promise.all(answers.map(statusOf)), [502, 502, 502]);
  assertEquals(platform.count(), 1);
  platform.add({ id: "t-1", status: "running" });
  assertEquals([(await get(TASK_PATH)).status, platform.count()], [202, 2]);
});

Deno.test("a caller that disconnects does not affect the others, including the starter", async () => {
  for (const leaving of [0, 1, 2]) {
    using clock = new FakeClock();
    const endpoint = setUp(settings);
    const held = hold(endpoint.platform);
    const callers = [call(endpoint), call(endpoint), call(endpoint)];
    await clock.tick(100);
    callers[leaving]?.leave();
    await callers[leaving]?.gone;
    assert(!held.aborted, "others still wait");
    held.answer(RUNNING);
    const staying = callers.filter((_, index) => index !== leaving);
    assertEquals(await Promise.all(staying.map(({ answer }) => statusOf(answer))), [202, 202]);
    assertEquals([endpoint.platform.count(), clock.pending], [1, 0]);
  }
});

Deno.test("a caller's deadline ends only its own wait", async () => {
  using clock = new FakeClock();
  const { platform, get } = setUp(settings);
  const held = hold(platform);
  const first = get(TASK_PATH);
  await clock.tick(400);
  const second = get(TASK_PATH);
  await clock.tick(599);
  const third = Promise.race([first, Promise.resolve("waits")]);
  assertEquals(await third, "waits", "not before its deadline");
  await clock.tick(1);
  assertEquals(await outcomeOf(await first), [504, "upstream-timeout"]);
  assert(!held.aborted);
  await clock.tick(300);
  held.answer(RUNNING);
  assertEquals(await statusOf(second), 202);
  assertEquals([platform.count(), clock.pending], [1, 0]);
});

Deno.test("the last caller to disconnect aborts the upstream request", async () => {
  using clock = new FakeClock();
  const endpoint = setUp(settings);
  const held = hold(endpoint.platform);
  const callers = [call(endpoint), call(endpoint)];
  await clock.tick(100);
  callers[1]?.leave();
  await clock.tick(0);
  assert(!held.aborted);
  callers[0]?.leave();
  await clock.tick(0);
  assert(held.aborted);
  await Promise.all(callers.map(({ gone }) => gone));
  assertEquals(clock.pending, 0);
});

Deno.test("the last deadline to pass aborts the upstream request", async () => {
  using clock = new FakeClock();
  const { platform, get } = setUp(settings);
  const held = hold(platform);
  const first = get(TASK_PATH);
  await clock.tick(300);
  const second = get(TASK_PATH);
  await clock.tick(999);
  assert(!held.aborted);
  await clock.tick(1);
  assert(held.aborted);
  assertEquals(await Promise.all([first, second].map(statusOf)), [504, 504]);
  assertEquals([platform.count(), clock.pending], [1, 0]);
});

Deno.test("a caller that disconnects for any reason leaves a log line and no unhandled error", async () => {
  for (const reason of [undefined, "gone", null, new Error("gone")]) {
    using clock = new FakeClock();
    const { platform, get, log } = setUp(settings);
    const held = hold(platform);
    const controller = new AbortController();
    const answer = get(TASK_PATH, { signal: controller.signal });
    await clock.tick(10);
    controller.abort(reason);
    const outcome = await answer.then(() => "answered", () => "rejected");
    assertEquals([outcome, held.aborted], ["answered", true], `fetch never rejects: ${reason}`);
    assertEquals(log.map(({ status }) => status), [499], `${reason}`);
  }
});

Deno.test("a poll older than half the deadline is not joined, its successor is", async () => {
  using clock = new FakeClock();
  const { platform, get } = setUp(settings);
  const [old, young] = [hold(platform), hold(platform)];
  const first = get(TASK_PATH);
  await clock.tick(499);
  const joiner = get(TASK_PATH);
  await clock.tick(0);
  assertEquals(platform.count(), 1, "not yet half");
  await clock.tick(1);
  const second = get(TASK_PATH);
  await clock.tick(100);
  const third = get(TASK_PATH);
  await clock.tick(0);
  assertEquals(platform.count(), 2);
  young.answer({ ...RUNNING, progress: 2 });
  const progress = async (answer: Promise<Response>) =>
    JSON.stringify(await (await answer).json()).match(/"progress":(\d+)/)?.[1];
  assertEquals(await Promise.all([second, third].map(progress)), ["2", "2"]);
  assert(!old.aborted, "the old one still has its own callers");
  old.answer({ ...RUNNING, progress: 1 });
  assertEquals(await Promise.all([first, joiner].map(progress)), ["1", "1"]);
  assertEquals([platform.count(), clock.pending], [2, 0]);
});

Deno.test("a poll that is being aborted is not joined", async () => {
  for (let turns = 0; turns < 20; turns++) {
    using clock = new FakeClock();
    const endpoint = setUp(settings);
    const held = hold(endpoint.platform);
    const first = call(endpoint);
    await clock.tick(10);
    endpoint.platform.add({ id: "t-1", status: "running" });
    first.leave();
    for (let turn = 0; turn < turns; turn++) await Promise.resolve();
    const second = endpoint.get(TASK_PATH);
    await clock.tick(0);
    // where it came soon enough to keep the poll alive, it gets this answer
    assertEquals(held.aborted, endpoint.platform.count() === 2, `${turns} turns`);
    held.answer(RUNNING);
    assertEquals(await statusOf(second), 202, `${turns} turns`);
    await first.gone;
    assertEquals(clock.pending, 0);
  }
});

Deno.test("two endpoints share neither polls nor caches", async () => {
  using clock = new FakeClock();
  const one = setUp({ ...settings, DEEPINT_INSTANCE: "one.example" });
  const two = setUp({ ...settings, DEEPINT_INSTANCE: "two.example" });
  const held = [hold(one.platform), hold(two.platform)];
  const answers = [one.get(TASK_PATH), two.get(TASK_PATH)];
  await clock.tick(0);
  held[0]?.answer(SUCCESS);
  held[1]?.answer({ ...SUCCESS, status: "failed" });
  assertEquals(await Promise.all(answers.map(statusOf)), [200, 424]);
  assertEquals([await statusOf(one.get(TASK_PATH)), await statusOf(two.get(TASK_PATH))], [
    200,
    424,
  ]);
  const asked = [one, two].map(({ platform }) =>
    platform.requests.map(({ url }) => new URL(url).host)
  );
  assertEquals(asked, [["one.example"], ["two.example"]]);
});

/** A platform that keeps promises alive after the answer. */
function executionContext(): ExecutionContext & { promises: Promise<unknown>[] } {
  const promises: Promise<unknown>[] = [];
  return { promises, waitUntil: (promise) => void promises.push(promise) };
}

Deno.test("a caller's abort does not end the poll with waitUntil, and its result is cached", async () => {
  using clock = new FakeClock();
  const context = executionContext();
  const endpoint = setUp(settings, { context });
  const held = hold(endpoint.platform);
  const first = call(endpoint);
  await clock.tick(10);
  assertEquals(context.promises.length, 1);
  first.leave();
  await first.gone;
  await clock.tick(100);
  assert(!held.aborted);
  held.answer(SUCCESS);
  await Promise.all(context.promises);
  assertEquals(await statusOf(endpoint.get(TASK_PATH)), 200);
  assertEquals([endpoint.platform.count(), clock.pending], [1, 0]);
});

Deno.test("the starter's deadline ends the poll and its callers with waitUntil", async () => {
  using clock = new FakeClock();
  const context = executionContext();
  const endpoint = setUp(settings, { context });
  const held = hold(endpoint.platform);
  const [first, second] = [endpoint.get(TASK_PATH), call(endpoint)];
  await clock.tick(999);
  assert(!held.aborted);
  await clock.tick(1);
  assert(held.aborted);
  assertEquals(await Promise.all([first, second.answer].map(statusOf)), [504, 504]);
  const settled = await Promise.allSettled(context.promises);
  assertEquals(settled.map(({ status }) => status), ["fulfilled"], "it never rejects");
  assertEquals(clock.pending, 0);
});

Deno.test("a cached response passes nothing to waitUntil", async () => {
  const context = executionContext();
  const { platform, get } = setUp({}, { context });
  platform.add({ id: "t-1", status: "success" });
  await get(TASK_PATH);
  await get(TASK_PATH);
  assertEquals([platform.count(), context.promises.length], [1, 1]);
  await Promise.all(context.promises);
});
