// Lists that fail, move or are too large, for Task.list() and resolveAll().
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Credentials, DeepintHTTPError, resolveAll, Task } from "../../mod.ts";
import { random, tasksBy, TOKEN } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

const HOUR = 3_600_000;
const credentials = new Credentials({ token: TOKEN });
const ids = { organizationId: "o-1", workspaceId: "w-1" };

type Answer = (url: URL) => Response | Promise<Response>;
const fetchBy = (answer: Answer) => async (url: string) => await answer(new URL(url));
const isList = ({ pathname }: URL) => pathname.endsWith("/tasks");
const pageOf = ({ searchParams }: URL) =>
  ["page", "limit"].map((name) => Number(searchParams.get(name))) as [number, number];

async function listed(answer: Answer, pageSize?: number): Promise<string[]> {
  const names: string[] = [];
  const options = { ...ids, credentials, fetch: fetchBy(answer), pageSize };
  for await (const { taskId } of Task.list(options)) names.push(taskId);
  return names;
}

/** Waits for tasks of an hour; counts the requests of a list that `fail` may replace. */
async function hourOf(
  count: number,
  fail: (list: number, seconds: number) => Response | undefined,
) {
  using clock = new FakeClock();
  using _random = random(0.5);
  const start = clock.now;
  let lists = 0;
  let loads = 0;
  const listTimes: number[] = [];
  const answer: Answer = (url) => {
    const seconds = (clock.now - start) / 1_000;
    const status = seconds < 3_600 ? "running" : "success";
    if (!isList(url)) {
      loads++;
      return Response.json({ id: url.pathname.split("/").at(-1), status });
    }
    listTimes.push(seconds);
    const failure = fail(++lists, seconds);
    if (failure) return failure;
    const items = Array.from({ length: count }, (_, index) => ({ id: `t-${index}`, status }));
    return Response.json({ items, pages_count: 1, page: 0 });
  };
  const tasks = tasksBy(fetchBy(answer), Array.from({ length: count }, (_, index) => `t-${index}`));
  const errors = new Set<string>();
  await clock.runUntil(
    (async () => {
      for await (const { error } of resolveAll(tasks)) if (error) errors.add(error.code);
    })(),
    3 * HOUR,
  );
  return { lists, loads, listTimes, errors: [...errors], seconds: (clock.now - start) / 1_000 };
}

Deno.test("a list that fails once costs at most a tenth more requests in an hour", async () => {
  const without = await hourOf(100, () => undefined);
  for (const status of [408, 429, 500, 503, 520]) {
    const failed = await hourOf(
      100,
      (list) => list === 3 ? new Response("", { status }) : undefined,
    );
    const ratio = (failed.lists + failed.loads) / (without.lists + without.loads);
    assert(ratio <= 1.1, `${status}: ${ratio}`);
    assertEquals([failed.loads, failed.errors], [100, []], `${status}`);
  }
});

Deno.test("a list that has worked is retried with back-off during an outage", async () => {
  const isDown = (seconds: number) => seconds > 100 && seconds < 200;
  const { loads, errors, listTimes } = await hourOf(
    100,
    (_, seconds) => isDown(seconds) ? new Response("", { status: 503 }) : undefined,
  );
  assertEquals([loads, errors], [100, []]);
  const during = listTimes.filter(isDown);
  assert(during.length <= 4, `${during}`);
});

Deno.test("a list that was replaced by loads is tried again after 1, 2, 4, … 16 rounds", async () => {
  const always = await hourOf(20, () => new Response("", { status: 403 }));
  // adaptive intervals grow with the age, so the gaps are compared with the loads in between
  assert(always.lists >= 6 && always.lists <= 16, `${always.lists} lists`);
  assertEquals(always.errors, []);
  // it works again after ten minutes: few loads from then on
  const recovered = await hourOf(
    20,
    (_, seconds) => seconds < 600 ? new Response("", { status: 404 }) : undefined,
  );
  assert(recovered.loads < always.loads / 2, `${recovered.loads} of ${always.loads} loads`);
});

Deno.test("a list that has never worked is replaced by loads, whatever its failure", async () => {
  for (const status of [403, 503]) {
    const { loads, errors } = await hourOf(
      20,
      (list) => list === 1 ? new Response("", { status }) : undefined,
    );
    assert(loads >= 40 && loads <= 60, `${status}: ${loads} loads`);
    assertEquals(errors, []);
  }
});

Deno.test("an outage of everything for more than 2 minutes settles the tasks with its error", async () => {
  using clock = new FakeClock();
  const start = clock.now;
  const answer: Answer = (url) => {
    if (clock.now - start > 60_000) return new Response("", { status: 502 });
    const items = [0, 1, 2].map((index) => ({ id: `t-${index}`, status: "running" }));
    return Response.json(isList(url) ? { items, pages_count: 1 } : items[0]);
  };
  const tasks = tasksBy(fetchBy(answer), ["t-0", "t-1", "t-2"]);
  const codes: (string | undefined)[] = [];
  await clock.runUntil((async () => {
    for await (const { error } of resolveAll(tasks)) codes.push(error?.code);
  })());
  assertEquals(codes, ["BAD_GATEWAY", "BAD_GATEWAY", "BAD_GATEWAY"]);
  const seconds = (clock.now - start) / 1_000;
  assert(seconds > 180 && seconds < 320, `${seconds}`);
});

Deno.test("a page that is too large is requested with half the limit, each task once", async () => {
  const all = Array.from({ length: 500 }, (_, index) => ({
    id: `t-${index}`,
    status: "running",
    // the first tasks are small, the last ones large
    description: "x".repeat(index < 250 ? 10 : 30_000),
  }));
  for (const cap of [500, 90]) {
    const requested: string[] = [];
    const answer: Answer = (url) => {
      requested.push(url.search);
      const [page, wanted] = pageOf(url);
      const limit = Math.min(wanted, cap);
      const items = all.slice(page * limit, (page + 1) * limit);
      return Response.json({ page, limit, items, pages_count: Math.ceil(all.length / limit) });
    };
    assertEquals(await listed(answer), all.map(({ id }) => id), `${cap}`);
    assertEquals(new Set(requested).size, requested.length, "no page is requested twice");
  }
});

Deno.test("a single task that is too large is BODY_TOO_LARGE", async () => {
  const limits: number[] = [];
  const answer: Answer = (url) => {
    limits.push(pageOf(url)[1]);
    const items = [{ id: "t-1", status: "running", description: "x".repeat(1_100_000) }];
    return Response.json({ items, pages_count: 1 });
  };
  const error = await assertRejects(() => listed(answer), DeepintHTTPError);
  assertEquals(error.code, "BODY_TOO_LARGE");
  assertEquals(limits, [500, 250, 125, 62, 31, 15, 7, 3, 1]);
});

Deno.test("resolveAll() reads a list that is too large in smaller pages, and remembers the size", async () => {
  using clock = new FakeClock();
  const start = clock.now;
  const all = Array.from({ length: 400 }, (_, index) => `t-${index}`);
  let tooLarge = 0;
  let loads = 0;
  const answer: Answer = (url) => {
    const status = clock.now - start < 600_000 ? "running" : "success";
    if (!isList(url)) {
      loads++;
      return Response.json({ id: url.pathname.split("/").at(-1), status });
    }
    const [page, limit] = pageOf(url);
    const items = all.slice(page * limit, (page + 1) * limit)
      .map((id) => ({ id, status, description: "x".repeat(5_000) }));
    if (items.length > 200) tooLarge++;
    return Response.json({ page, limit, items, pages_count: Math.ceil(all.length / limit) });
  };
  const tasks = tasksBy(fetchBy(answer), all);
  let settled = 0;
  await clock.runUntil((async () => {
    for await (const { error } of resolveAll(tasks)) settled += error ? 0 : 1;
  })());
  assertEquals({ settled, loads, tooLarge }, { settled: 400, loads: 400, tooLarge: 2 });
});
