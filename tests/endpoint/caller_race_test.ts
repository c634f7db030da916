// Waits for callers: those of connected callers have a timer and an abort listener only after 20 ms.
import { assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { isConnected, raceCaller } from "../../functions/http/caller_race.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

const never = new Promise<never>(() => {});

/** A caller, and the number of times that its signal was read. */
function connectedCaller() {
  const controller = new AbortController();
  const reads = { count: 0 };
  const request = {
    get signal() {
      reads.count++;
      return controller.signal;
    },
  };
  return { caller: { request, connected: true }, controller, reads };
}

Deno.test("a short wait of a connected caller reads no signal and leaves no timer", async () => {
  using clock = new FakeClock();
  const { caller, reads } = connectedCaller();
  const options = { caller, ms: 1_000, onTimeout: () => "late" };
  assertEquals(await raceCaller(Promise.resolve("in time"), options), "in time");
  const error = new Error("broken");
  assertStrictEquals(
    await assertRejects(() => raceCaller(Promise.reject(error), options)),
    error,
  );
  assertEquals([reads.count, clock.pending], [0, 0]);
});

Deno.test("a wait of a connected caller ends exactly at its deadline", async () => {
  using clock = new FakeClock();
  const startedAt = clock.now;
  const ends = [0, 5].map(async (delay) => {
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay));
    const { caller } = connectedCaller();
    const result = await raceCaller(never, { caller, ms: 1_000, onTimeout: () => "late" });
    return [result, clock.now - startedAt - delay];
  });
  assertEquals(await clock.runUntil(Promise.all(ends)), [["late", 1_000], ["late", 1_000]]);
  assertEquals(clock.pending, 0);
});

Deno.test("a connected caller that disconnects ends its wait, before and after the 20 ms", async () => {
  using clock = new FakeClock();
  for (const delay of [0, 500]) {
    const { caller, controller } = connectedCaller();
    const startedAt = clock.now;
    const outcome = raceCaller(never, { caller, ms: 1_000, onTimeout: () => "late" })
      .catch((error) => [error, clock.now - startedAt]);
    await clock.tick(delay);
    controller.abort("left");
    assertEquals(await clock.runUntil(outcome), ["left", Math.max(delay, 20)]);
  }
  assertEquals(clock.pending, 0);
});

Deno.test("waits that end within the 20 ms read no signal while another is open", async () => {
  using clock = new FakeClock();
  const options = { ms: 1_000, onTimeout: () => "late" };
  const open = connectedCaller();
  const outcome = raceCaller(never, { ...options, caller: open.caller });
  const short = connectedCaller();
  for (let round = 0; round < 3; round++) {
    const inTime = Promise.resolve("in time");
    assertEquals(await raceCaller(inTime, { ...options, caller: short.caller }), "in time");
    await clock.tick(15);
  }
  assertEquals([short.reads.count, open.reads.count], [0, 1]);
  assertEquals(await clock.runUntil(outcome), "late");
  assertEquals(clock.pending, 0);
});

Deno.test("a result after the 20 ms clears the timer of its wait", async () => {
  using clock = new FakeClock();
  const { caller } = connectedCaller();
  const slow = new Promise<string>((resolve) => setTimeout(resolve, 300, "in time"));
  const outcome = raceCaller(slow, { caller, ms: 1_000, onTimeout: () => "late" });
  assertEquals(await clock.runUntil(outcome), "in time");
  assertEquals(clock.pending, 0);
});

Deno.test("a wait for any other caller ends at once when its signal aborts", async () => {
  const { caller, controller } = connectedCaller();
  const outcome = raceCaller(never, {
    caller: { ...caller, request: { signal: controller.signal }, connected: false },
    ms: 1_000,
    onTimeout: () => "late",
  }).catch((error) => error);
  controller.abort("left");
  assertEquals(await outcome, "left");
});

Deno.test("a caller is connected if the server passes an address, which is not read", () => {
  const info = {
    get remoteAddr(): never {
      throw new Error("the address was read");
    },
  };
  assertEquals(isConnected({ info }), true);
  for (const other of [undefined, null, {}]) assertEquals(isConnected({ info: other }), false);
});
