// The one timer: whatever ends `within()`, it is cleared, and the work is told to stop.
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { within } from "../../mod.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

/** Work that never ends, and the signal that it was handed. */
function hanging() {
  const handed: AbortSignal[] = [];
  const work = (signal: AbortSignal) => {
    handed.push(signal);
    return new Promise<string>(() => {});
  };
  return { handed, work };
}

Deno.test("within() gives what the work gives, and clears its timer", async () => {
  using clock = new FakeClock();
  const text = await within(1_000, undefined, () => "late", () => Promise.resolve("in time"));
  await clock.tick(0);
  assertEquals([text, clock.pending], ["in time", 0]);
});

Deno.test("the signal that within() hands to the work aborts when the time is over, whatever comes of that", async () => {
  using clock = new FakeClock();
  const reason = new Error("late");
  const fail = () => {
    throw reason;
  };
  for (const expire of [() => "late", fail]) {
    const { handed, work } = hanging();
    const outcome = within(1_000, undefined, expire, work).catch((error: unknown) => error);
    await clock.tick(999);
    assertEquals(handed.map(({ aborted }) => aborted), [false]);
    assertEquals(await clock.runUntil(outcome), expire === fail ? reason : "late");
    assertEquals([handed.map(({ aborted }) => aborted), clock.pending], [[true], 0]);
  }
});

Deno.test("an abort ends within() with the signal's reason, and the work with it", async () => {
  using clock = new FakeClock();
  const controller = new AbortController();
  const { handed, work } = hanging();
  const outcome = within(1_000, controller.signal, () => "late", work).catch((error) => error);
  controller.abort("enough");
  assertEquals([await outcome, clock.pending], ["enough", 0]);
  assertEquals(handed.map(({ reason }) => reason), ["enough"]);
});

Deno.test("within() begins no work for a signal that has aborted", async () => {
  using clock = new FakeClock();
  const { handed, work } = hanging();
  const signal = AbortSignal.abort("enough");
  const outcome = within(1_000, signal, () => "late", work).catch((error) => error);
  assertEquals([await outcome, handed.length, clock.pending], ["enough", 0, 0]);
});

Deno.test("work that throws before it gives a promise leaves no timer and no listener of within()", async () => {
  using clock = new FakeClock();
  const { signal } = new AbortController();
  const listeners = new Set<unknown>();
  Object.assign(signal, {
    addEventListener: (_: string, listener: unknown) => listeners.add(listener),
    removeEventListener: (_: string, listener: unknown) => listeners.delete(listener),
  });
  const defect = new Error("a defect");
  const error = await assertRejects(() =>
    within(1_000, signal, () => "late", () => {
      throw defect;
    })
  );
  assertStrictEquals(error, defect);
  assertEquals([clock.pending, listeners.size], [0, 0]);
});
