// The one timer: whatever ends `withTimeout()`, it is cleared, and the work is told to stop.
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { FakeClock } from "../helpers/fake_clock.ts";
import { withTimeout } from "../../src/internal/deadline.ts";

/** Work that never ends, and the signal that it was handed. */
function hanging() {
  const handed: AbortSignal[] = [];
  const work = (signal: AbortSignal) => {
    handed.push(signal);
    return new Promise<string>(() => {});
  };
  return { handed, work };
}

Deno.test("withTimeout() returns the result of the work and clears its timer", async () => {
  using clock = new FakeClock();
  const text = await withTimeout(() => Promise.resolve("in time"), {
    ms: 1_000,
    onTimeout: () => "late",
  });
  await clock.tick(0);
  assertEquals([text, clock.pending], ["in time", 0]);
});

Deno.test("withTimeout() aborts the signal of the work at the deadline", async () => {
  using clock = new FakeClock();
  const reason = new Error("late");
  const fail = () => {
    throw reason;
  };
  for (const onTimeout of [() => "late", fail]) {
    const { handed, work } = hanging();
    const outcome = withTimeout(work, { ms: 1_000, onTimeout }).catch((error: unknown) => error);
    await clock.tick(999);
    assertEquals(handed.map(({ aborted }) => aborted), [false]);
    assertEquals(await clock.runUntil(outcome), onTimeout === fail ? reason : "late");
    assertEquals([handed.map(({ aborted }) => aborted), clock.pending], [[true], 0]);
  }
});

Deno.test("an abort rejects withTimeout() with the signal's reason and aborts the work", async () => {
  using clock = new FakeClock();
  const controller = new AbortController();
  const { handed, work } = hanging();
  const outcome = withTimeout(work, {
    ms: 1_000,
    signal: controller.signal,
    onTimeout: () => "late",
  }).catch((error) => error);
  controller.abort("enough");
  assertEquals([await outcome, clock.pending], ["enough", 0]);
  assertEquals(handed.map(({ reason }) => reason), ["enough"]);
});

Deno.test("withTimeout() starts no work with an aborted signal", async () => {
  using clock = new FakeClock();
  const { handed, work } = hanging();
  const signal = AbortSignal.abort("enough");
  const outcome = withTimeout(work, { ms: 1_000, signal, onTimeout: () => "late" }).catch((error) =>
    error
  );
  assertEquals([await outcome, handed.length, clock.pending], ["enough", 0, 0]);
});

Deno.test("withTimeout() leaves no timer and no listener when the work throws", async () => {
  using clock = new FakeClock();
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  Object.assign(signal, {
    addEventListener: (_: string, listener: unknown) => listeners.add(listener),
    removeEventListener: (_: string, listener: unknown) => listeners.delete(listener),
  });
  const defect = new Error("a defect");
  const error = await assertRejects(() =>
    withTimeout(() => {
      throw defect;
    }, { ms: 1_000, signal, onTimeout: () => "late" })
  );
  assertStrictEquals(error, defect);
  assertEquals([clock.pending, listeners.size], [0, 0]);
});
