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

Deno.test("withTimeout() gives what the work gives, and clears its timer", async () => {
  using clock = new FakeClock();
  const text = await withTimeout(() => Promise.resolve("in time"), {
    ms: 1_000,
    onTimeout: () => "late",
  });
  await clock.tick(0);
  assertEquals([text, clock.pending], ["in time", 0]);
});

Deno.test("the signal that withTimeout() hands to the work aborts when the time is over, whatever comes of that", async () => {
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

Deno.test("an abort ends withTimeout() with the signal's reason, and the work with it", async () => {
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

Deno.test("withTimeout() begins no work for a signal that has aborted", async () => {
  using clock = new FakeClock();
  const { handed, work } = hanging();
  const signal = AbortSignal.abort("enough");
  const outcome = withTimeout(work, { ms: 1_000, signal, onTimeout: () => "late" }).catch((error) =>
    error
  );
  assertEquals([await outcome, handed.length, clock.pending], ["enough", 0, 0]);
});

Deno.test("work that throws before it gives a promise leaves no timer and no listener of withTimeout()", async () => {
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
