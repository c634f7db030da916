// Deadlines of a wait, while clocks are changed and the process is suspended.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { DeepintTimeoutError, resolveAll, type Task } from "../../mod.ts";
import { random, tasksBy, taskWith } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

const HOUR = 3_600_000;

/** A task, the times of its polls in ms of the timers, and the time of its end. */
function setUp(
  clock: FakeClock,
  { id = "t-1", endsAt = Infinity, created = null as string | null },
) {
  const start = clock.now;
  const polls: number[] = [];
  const fetch = () => {
    polls.push(clock.now - start);
    const status = clock.now - start >= endsAt ? "success" : "running";
    return Promise.resolve(Response.json({ id, status, created }));
  };
  const { task } = taskWith({ fetch, known: { id, status: "running", created } });
  return { task, polls, start };
}

type Wait = (task: Task, options: { timeout?: number; pollInterval?: number }) => Promise<unknown>;

/** The three ways to wait; each resolves with the last status, or rejects. */
const WAITS: Record<string, Wait> = {
  "resolve()": async (task, options) => (await task.resolve(options)).status,
  "watch()": async (task, options) => {
    for await (const _info of task.watch(options));
    return task.info.status;
  },
  "resolveAll()": async (task, options) => {
    for await (const { error } of resolveAll([task], { pollInterval: 3_000, ...options })) {
      if (error) throw error;
    }
    return task.info.status;
  },
};

for (const [name, wait] of Object.entries(WAITS)) {
  Deno.test(`${name} makes one last poll 1 s before its deadline`, async () => {
    using clock = new FakeClock();
    using _random = random(0);
    const { task, polls } = setUp(clock, { endsAt: 62_000 });
    const status = await clock.runUntil(wait(task, { pollInterval: 60_000, timeout: 100_000 }));
    assertEquals({ status, polls }, { status: "success", polls: [0, 60_000, 99_000] });
  });

  Deno.test(`${name} rejects at its deadline if the task is running in the last poll`, async () => {
    using clock = new FakeClock();
    const { task, polls, start } = setUp(clock, {});
    const waiting = clock.runUntil(wait(task, { pollInterval: 60_000, timeout: 100_000 }));
    await assertRejects(() => waiting, DeepintTimeoutError);
    const { now, pending } = clock;
    assertEquals({ polls, at: now - start, pending }, {
      polls: [0, 60_000, 99_000],
      at: 100_000,
      pending: 0,
    });
  });

  Deno.test(`${name} makes the last poll after half of a remaining time below 2 s`, async () => {
    using clock = new FakeClock();
    const { task, polls } = setUp(clock, {});
    const waiting = clock.runUntil(wait(task, { pollInterval: 60_000, timeout: 800 }));
    await assertRejects(() => waiting, DeepintTimeoutError);
    assertEquals(polls, [0, 400]);
  });

  Deno.test(`${name} keeps its deadline and its polls when the wall clock is set back`, async () => {
    using clock = new FakeClock();
    const { task, polls, start } = setUp(clock, {});
    const waiting = wait(task, { pollInterval: 20_000, timeout: 60_000 });
    waiting.catch(() => {});
    await clock.tick(10_000);
    clock.shiftWall(-HOUR);
    const error = await assertRejects(() => clock.runUntil(waiting), DeepintTimeoutError);
    assertEquals({ polls, at: clock.now - start, elapsed: error.elapsed }, {
      polls: [0, 20_000, 40_000, 59_000],
      at: 60_000,
      elapsed: 60_000,
    });
  });

  Deno.test(`${name} polls at its interval when the wall clock is set forward`, async () => {
    using clock = new FakeClock();
    const { task, polls } = setUp(clock, { endsAt: 50_000 });
    const waiting = wait(task, { pollInterval: 20_000, timeout: 10 * HOUR });
    await clock.tick(10_000);
    clock.shiftWall(HOUR);
    await clock.runUntil(waiting);
    assertEquals(polls, [0, 20_000, 40_000, 60_000]);
  });

  Deno.test(`${name} polls once more after a suspension past its deadline`, async () => {
    for (const endsAt of [0, Infinity]) {
      using clock = new FakeClock();
      const { task, polls } = setUp(clock, { endsAt: endsAt + 15_000 });
      const waiting = wait(task, { pollInterval: 20_000, timeout: 30 * 60_000 });
      waiting.catch(() => {});
      await clock.tick(10_000);
      clock.suspend(HOUR);
      if (endsAt === 0) assertEquals(await clock.runUntil(waiting), "success");
      else await assertRejects(() => clock.runUntil(waiting), DeepintTimeoutError);
      assertEquals({ polls, pending: clock.pending }, { polls: [0, 20_000], pending: 0 });
    }
  });

  Deno.test(`${name} polls once more after a suspension during a request`, async () => {
    using clock = new FakeClock();
    const start = clock.now;
    let polls = 0;
    const fetch = () => {
      if (++polls === 1) return new Promise<Response>(() => {});
      return Promise.resolve(Response.json({ id: "t-1", status: "success" }));
    };
    const { task } = taskWith({ fetch });
    const waiting = wait(task, { pollInterval: 20_000, timeout: 5_000 });
    await clock.tick(2_000);
    clock.suspend(HOUR);
    assertEquals(await clock.runUntil(waiting), "success");
    assert(clock.now - start <= 10_000);
    assertEquals(polls, 2);
  });

  Deno.test(`${name} bounds the poll after a suspension by requestTimeout`, async () => {
    using clock = new FakeClock();
    let polls = 0;
    const fetch = () =>
      ++polls === 1
        ? Promise.resolve(Response.json({ id: "t-1", status: "running" }))
        : new Promise<Response>(() => {});
    const { task } = taskWith({ fetch });
    const start = clock.now;
    const waiting = wait(task, { pollInterval: 20_000, timeout: 30 * 60_000 });
    waiting.catch(() => {});
    await clock.tick(10_000);
    clock.suspend(HOUR);
    await assertRejects(() => clock.runUntil(waiting), DeepintTimeoutError);
    assertEquals({ polls, at: clock.now - start, pending: clock.pending }, {
      polls: 2,
      at: 30_000,
      pending: 0,
    });
  });
}

Deno.test("a change of the wall clock does not change the adaptive interval", async () => {
  for (const shift of [-HOUR, HOUR]) {
    using clock = new FakeClock();
    using _random = random(0);
    const created = new Date(clock.now - 100_000).toISOString();
    const { task, polls } = setUp(clock, { created, endsAt: 30_000 });
    const waiting = task.resolve({ pollInterval: "adaptive" });
    await clock.tick(5_000);
    clock.shiftWall(shift);
    await clock.runUntil(waiting);
    assertEquals(polls, [0, 10_000, 21_000, 33_100]);
  }
});

Deno.test("resolveAll() makes its last polls by the list", async () => {
  using clock = new FakeClock();
  const start = clock.now;
  const paths: Record<number, string[]> = {};
  const ids = Array.from({ length: 50 }, (_, index) => `t-${index}`);
  const fetch = (url: string) => {
    const { pathname } = new URL(url);
    const at = clock.now - start;
    (paths[at] ??= []).push(pathname);
    const status = at >= 99_000 ? "success" : "running";
    if (!pathname.endsWith("/tasks")) {
      return Promise.resolve(Response.json({ id: pathname.split("/").at(-1), status }));
    }
    const items = ids.map((id) => ({ id, status }));
    return Promise.resolve(Response.json({ items, pages_count: 1, page: 0, limit: 500 }));
  };
  const tasks = tasksBy(fetch, ids);
  let settled = 0;
  await clock.runUntil((async () => {
    const options = { pollInterval: 60_000, timeout: 100_000 };
    for await (const { error } of resolveAll(tasks, options)) settled += error ? 0 : 1;
  })());
  assertEquals(settled, 50);
  assertEquals(Object.keys(paths).map(Number), [0, 60_000, 99_000]);
  assertEquals(paths[99_000]?.length, 51);
});
