// 1,000 watches kept by two processes on one file, which are killed again and again.
import { assert, assertEquals } from "@std/assert";
import { createReceiver } from "../helpers/watches.ts";
import { beginMany, folder, originOf, serve, server, tasksIn } from "../helpers/watch_server.ts";

const WATCHES = 1_000;
const KILLS = 4;
const DONE = { status: "success", result: "s-1", result_type: "source" } as const;

Deno.test("two processes that are killed in turns deliver the events of 1,000 watches", async () => {
  await using place = await folder();
  // each event needs three attempts
  const receiver = createReceiver((_task, before) => before < 2 ? 500 : 204);
  await using world = serve(receiver);
  const tasks = Array.from({ length: WATCHES }, (_, n) => ({
    steps: [{ status: "running", ms: n % 4 * 3_000 + 1 }, DONE],
  }));
  const start = () => server(place.file, world.settings);
  let [one, other] = [start(), start()];
  const [first, second] = [await originOf(one), await originOf(other)];
  const begun = [
    ...await beginMany(first, world, tasks.slice(0, WATCHES / 2)),
    ...await beginMany(second, world, tasks.slice(WATCHES / 2)),
  ];
  let deliveredBefore = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await one.end("SIGKILL");
    [one, other] = [other, start()];
    await originOf(other);
    deliveredBefore = receiver.taken().size;
  }
  assert(deliveredBefore < WATCHES, "some were left after the last kill");
  await receiver.until(WATCHES);
  assertEquals(tasksIn(receiver), begun.map(({ task }) => task).toSorted());
  for (const [id, events] of receiver.taken()) {
    // at least once: a process may be killed between a delivery and its save
    assert(events.length <= 1 + KILLS, `${id}: ${events.length} deliveries`);
  }
  assertEquals([await one.end("SIGTERM"), await other.end("SIGTERM")], [0, 0]);
});
