// Deadlines of one length share a timer, and still pass one by one.
import { assertEquals } from "@std/assert";
import { poolTimers } from "../../functions/http/timer_pool.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

function startTimer(expire: () => void, ms: number): () => void {
  const timer = setTimeout(expire, ms);
  return () => clearTimeout(timer);
}

Deno.test("deadlines of the pool pass in order, each at its time, behind one timer", async () => {
  using clock = new FakeClock();
  const start = poolTimers(1_000, startTimer);
  const passed: string[] = [];
  start(() => passed.push("first"), 1_000);
  await clock.tick(400);
  const stop = start(() => passed.push("stopped"), 1_000);
  await clock.tick(100);
  start(() => passed.push("third"), 1_000);
  assertEquals(clock.pending, 1);
  stop();
  await clock.tick(499);
  assertEquals(passed, []);
  await clock.tick(1);
  assertEquals(passed, ["first"]);
  await clock.tick(499);
  assertEquals([passed, clock.pending], [["first"], 1]);
  await clock.tick(1);
  assertEquals([passed, clock.pending], [["first", "third"], 0]);
});

Deno.test("a deadline of another length has its own timer, and the last one stopped leaves none", async () => {
  using clock = new FakeClock();
  const start = poolTimers(1_000, startTimer);
  const passed: string[] = [];
  const stops = [start(() => passed.push("a"), 1_000), start(() => passed.push("b"), 1_000)];
  start(() => passed.push("other"), 10);
  assertEquals(clock.pending, 2);
  await clock.tick(10);
  assertEquals(passed, ["other"]);
  for (const stop of stops) stop();
  assertEquals(clock.pending, 0);
});
