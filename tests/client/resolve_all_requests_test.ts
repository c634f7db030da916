// The number of requests that waiting for many tasks takes.
import { assert, assertEquals } from "@std/assert";
import { pollDelay, resolveAll, Task } from "../../mod.ts";
import { random } from "../helpers/client.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { collect, handle, handlesOf, order, running } from "../helpers/resolve_all.ts";

/** Counts the requests of one adaptive wait for a task. */
function pollsOfOne(duration: number): number {
  let polls = 1;
  for (let elapsed = 0; elapsed < duration; polls++) elapsed += pollDelay({ elapsed, random: 0.5 });
  return polls;
}

Deno.test("1,000 tasks of 6 s at an interval of 1 s take 1,060 requests at most", async () => {
  using clock = new FakeClock();
  const { platform, handles, count } = handlesOf(
    Array.from({ length: 1_000 }, () => running(6_000)),
  );
  assertEquals((await clock.runUntil(order(handles, { pollInterval: 1_000 }))).length, 1_000);
  assert(platform.count() <= 1_060, `${platform.count()} requests`);
  assertEquals(count.get(), 1_000);
});

Deno.test("5,000 tasks of 10 minutes take 100 times fewer requests before they settle than one poller each", async () => {
  using clock = new FakeClock();
  const minutes = 600_000;
  const { handles, count } = handlesOf(Array.from({ length: 5_000 }, () => running(minutes)));
  assertEquals((await clock.runUntil(order(handles))).length, 5_000);
  assertEquals(count.get(), 5_000);
  const ratio = 5_000 * pollsOfOne(minutes) / count.list();
  assert(ratio >= 100, `${ratio}`);
});

Deno.test("requests grow with the pages of the list, not with the tasks", async () => {
  const lists: number[] = [];
  for (const size of [10, 100, 1_000, 10_000]) {
    using clock = new FakeClock();
    using _ = random(0.5);
    const { handles, count } = handlesOf(Array.from({ length: size }, () => running(60_000)));
    assertEquals((await clock.runUntil(order(handles))).length, size);
    assertEquals(count.get(), size);
    lists.push(count.list());
  }
  const [ten = 0, ...others] = lists;
  assertEquals(others, [ten, 2 * ten, 20 * ten]);
});

Deno.test("one task of a workspace is never listed, and workspaces are listed apart", async () => {
  using clock = new FakeClock();
  const { platform, handles } = handlesOf([
    { ...running(3_000), workspace: "w-1" },
    { ...running(3_000), workspace: "w-2" },
    { ...running(3_000), workspace: "w-2" },
    { ...running(3_000), workspace: "w-2", organization: "o-2" },
  ]);
  assertEquals((await clock.runUntil(order(handles))).length, 4);
  const listed = platform.requests.filter(({ path }) => path.includes("/tasks?"));
  assert(listed.length > 0 && listed.every(({ path }) => path.includes("/w-2/")));
});

Deno.test("the end of tasks of any age is seen 11 % of their run time + 2.2 s late at most", async () => {
  using clock = new FakeClock();
  const durations = [1_000, 5_000, 30_000, 240_000, 900_000, 3_600_000];
  const { handles } = handlesOf(durations.map(running));
  const started = Date.now();
  await clock.runUntil((async () => {
    for await (const { task } of resolveAll(handles)) {
      const duration = durations[Number(task.taskId.slice(2))] ?? NaN;
      const late = Date.now() - started - duration;
      assert(late >= 0 && late <= 0.11 * duration + 2_200, `${task.taskId}: ${late} ms`);
    }
  })());
});

Deno.test("at most `concurrency` requests are in flight", async () => {
  for (const concurrency of [undefined, 3]) {
    using clock = new FakeClock();
    const { platform, handles } = handlesOf(
      Array.from(
        { length: 40 },
        (_, index) => ({ ...running(3_000), workspace: `w-${index % 20}` }),
      ),
    );
    let active = 0;
    let most = 0;
    const tasks = handles.map((task) =>
      Task.fromDict(task.toDict(), {
        credentials: task.credentials,
        fetch: async (url, init) => {
          most = Math.max(most, ++active);
          await new Promise((resolve) => setTimeout(resolve, 50));
          active--;
          return await platform.fetch(url, init);
        },
      })
    );
    assertEquals((await clock.runUntil(order(tasks, { concurrency }))).length, 40);
    assertEquals(most, concurrency ?? 8);
  }
});

Deno.test("tasks of several instances are listed at their own instances", async () => {
  using clock = new FakeClock();
  const { platform } = handlesOf([running(5_000), running(5_000)]);
  const tasks = ["a.example", "b.example"].flatMap((instance) =>
    ["t-0", "t-1"].map((id) => handle(platform, id, { instance }))
  );
  await clock.runUntil(collect(tasks));
  const lists = platform.requests.filter(({ path }) => path.includes("/tasks?")).map(({ url }) =>
    new URL(url).host
  );
  assertEquals([...new Set(lists)].toSorted(), ["a.example", "b.example"]);
});

Deno.test("tasks of a list, the same task several times, and a generator of tasks all settle", async () => {
  using clock = new FakeClock();
  const { platform, handles: [task] } = handlesOf([running(60_000)]);
  assert(task);
  const { organizationId, workspaceId, credentials } = task;
  const options = { organizationId, workspaceId, credentials, fetch: platform.fetch };
  const listed = await Array.fromAsync(Task.list(options));
  const tasks = [...listed, task, task, handle(platform, "t-0"), handle(platform, "t-0")];
  const settled = await clock.runUntil(
    Array.fromAsync(resolveAll(tasks.values()), ({ task }) => task),
  );
  assertEquals(settled.length, 5);
  assertEquals(new Set(settled), new Set(tasks));
  for (const task of settled) assertEquals(task.info.result, "s-1");
  assertEquals(platform.count("/task/t-0"), 5);
});

Deno.test("resolveAll() takes at most one request more than a wait for each task", async () => {
  using _ = random(0.5);
  const size = 60;
  const seconds = [3, 10, 45, 120];
  const alone: number[] = [];
  for (const s of seconds) {
    using clock = new FakeClock();
    const { platform, handles: [task] } = handlesOf([running(s * 1_000)]);
    await clock.runUntil(task?.resolve({ pollInterval: "adaptive" }) ?? Promise.reject());
    alone.push(platform.count());
  }
  for (const pageLimit of [1, 5, 17, 500]) {
    for (const chosen of [[7], [0, 59], [57, 58, 59], [0, 12, 24, 36, 48], [...Array(60).keys()]]) {
      using clock = new FakeClock();
      const { platform, handles } = handlesOf(
        Array.from({ length: size }, (_, index) => running((seconds[index % 4] ?? 0) * 1_000)),
        { pageLimit },
      );
      const tasks = handles.filter((_, index) => chosen.includes(index));
      const settled = await clock.runUntil(collect(tasks));
      assertEquals(Object.keys(settled).length, chosen.length);
      const most = chosen.reduce((sum, index) => sum + (alone[index % 4] ?? 0), 1);
      assert(platform.count() <= most, `${pageLimit} [${chosen}]: ${platform.count()} > ${most}`);
    }
  }
});
