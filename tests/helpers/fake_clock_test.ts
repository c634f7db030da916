import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { FakeClock } from "./fake_clock.ts";

const START = Date.UTC(2026, 4, 6, 7, 8, 9);

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("tick() fires what is due, in order of time, then of arming", async () => {
  using clock = new FakeClock(START);
  const fired: string[] = [];
  const note = (name: string) => fired.push(`${name} at ${clock.now - START}`);
  setTimeout(note, 30, "c");
  setTimeout(note, 10, "a");
  setTimeout(note, 20, "b1");
  setTimeout(note, 20, "b2");
  setTimeout(note, 31, "late");
  await clock.tick(30);
  assertEquals(fired, ["a at 10", "b1 at 20", "b2 at 20", "c at 30"]);
  assertEquals([clock.now, clock.pending], [START + 30, 1]);
  await clock.tick(1);
  assertEquals([fired.length, clock.pending], [5, 0]);
});

Deno.test("a timer armed by another fires in the same tick when it is due by then", async () => {
  using clock = new FakeClock(START);
  const fired: number[] = [];
  const again = () => {
    fired.push(clock.now - START);
    if (clock.now < START + 50) setTimeout(again, 10);
  };
  setTimeout(again, 10);
  setTimeout(() => setTimeout(() => fired.push(-1), 0), 15);
  await clock.tick(35);
  assertEquals(fired, [10, -1, 20, 30]);
  await clock.tick(1_000);
  assertEquals(fired, [10, -1, 20, 30, 40, 50]);
});

Deno.test("tick() lets what is under way arm its timers before the clock moves", async () => {
  using clock = new FakeClock(START);
  const fired: number[] = [];
  new Response("x").text().then(() => setTimeout(() => fired.push(clock.now - START), 10));
  assertEquals(clock.pending, 0);
  await clock.tick(10);
  assertEquals(fired, [10]);
});

Deno.test("a cleared timer never fires and is no longer pending", async () => {
  using clock = new FakeClock(START);
  let fired = 0;
  const first: unknown = setTimeout(() => fired++, 10);
  const second = setTimeout(() => fired++, 10);
  setTimeout(() => clearTimeout(second), 5);
  assert(typeof first === "number");
  assertEquals(clock.pending, 3);
  clearTimeout(first);
  clearTimeout(first);
  clearTimeout(undefined);
  assertEquals(clock.pending, 2);
  await clock.tick(20);
  assertEquals([fired, clock.pending], [0, 0]);
});

Deno.test("a delay that is negative or no number is 0, beyond 24.8 days it overflows", async () => {
  using clock = new FakeClock(START);
  const fired: string[] = [];
  setTimeout(() => fired.push("overflow"), 2 ** 31);
  setTimeout(() => fired.push("longest"), 2 ** 31 - 1);
  setTimeout(() => fired.push("none"));
  setTimeout(() => fired.push("negative"), -5);
  setTimeout(() => fired.push("NaN"), NaN);
  await clock.tick(0);
  assertEquals(fired, ["none", "negative", "NaN"]);
  await clock.tick(1);
  assertEquals(fired.slice(3), ["overflow"]);
  await clock.tick(2 ** 31);
  assertEquals(fired.slice(4), ["longest"]);
});

Deno.test("Date and performance.now move with the clock only", async () => {
  using clock = new FakeClock(START);
  const seen: number[] = [];
  setTimeout(() => seen.push(Date.now(), new Date().getTime(), performance.now()), 250);
  assertEquals([Date.now(), performance.now()], [START, 0]);
  await clock.tick(1_000);
  assertEquals(seen, [START + 250, START + 250, 250]);
  assertEquals(Date.now(), START + 1_000);
  assertEquals(Date(), new Date(START + 1_000).toString());
});

Deno.test("a Date of a given time is a Date like any other", () => {
  const before = new Date(5);
  using _clock = new FakeClock(START);
  assertEquals(new Date(0).toISOString(), "1970-01-01T00:00:00.000Z");
  assertEquals(new Date("2026-01-02T03:04:05Z").getTime(), Date.UTC(2026, 0, 2, 3, 4, 5));
  assertEquals(new Date(2026, 0, 2).getMonth(), 0);
  assertEquals(Date.parse("1970-01-01T00:00:01Z"), 1_000);
  assert(before instanceof Date && new Date() instanceof Date);
});

Deno.test("promise chains through bodies, streams and messages settle between timers", async () => {
  using clock = new FakeClock(START);
  const seen: string[] = [];
  const poll = async (name: string) => {
    seen.push(`${name} ${await new Response("text").text()}`);
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode("stream"));
        controller.close();
      },
    });
    const piped = stream.pipeThrough(new TransformStream());
    seen.push(`${name} ${await new Response(piped).text()}`);
    for (let i = 0; i < 3; i++) await message();
    for (let i = 0; i < 1_000; i++) await null;
    seen.push(`${name} done at ${clock.now - START}`);
  };
  setTimeout(poll, 10, "first");
  setTimeout(poll, 11, "second");
  await clock.tick(20);
  assertEquals(seen, [
    "first text",
    "first stream",
    "first done at 10",
    "second text",
    "second stream",
    "second done at 11",
  ]);
});

Deno.test("Web Crypto, which works on other threads, is waited for between timers", async () => {
  using clock = new FakeClock(START);
  const seen: number[] = [];
  const verify = async () => {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const usages: KeyUsage[] = ["sign", "verify"];
    const key = await crypto.subtle.importKey("raw", new Uint8Array(32), algorithm, false, usages);
    const body = new Uint8Array(20_000_000); // Takes some milliseconds.
    const signature = await crypto.subtle.sign("HMAC", key, body);
    assert(await crypto.subtle.verify("HMAC", key, signature, body));
    seen.push(clock.now - START);
  };
  setTimeout(verify, 10);
  setTimeout(verify, 20);
  await clock.tick(5_000);
  assertEquals(seen, [10, 20]);
  await assertRejects(() => crypto.subtle.digest("no such hash", new Uint8Array(1)));
  await clock.tick(1);
});

Deno.test("a loop that sleeps and reads runs through in one tick", async () => {
  using clock = new FakeClock(START);
  const polls: number[] = [];
  (async () => {
    while (polls.length < 4) {
      await sleep(3_000);
      await new Response("x").text();
      polls.push(clock.now - START);
    }
  })();
  await clock.tick(60_000);
  assertEquals(polls, [3_000, 6_000, 9_000, 12_000]);
});

Deno.test("runUntil() moves the clock as far as the promise needs", async () => {
  using clock = new FakeClock(START);
  setTimeout(() => {}, 90_000);
  const value = await clock.runUntil((async () => {
    await sleep(20_000);
    await sleep(40_000);
    return await new Response("done").text();
  })());
  assertEquals([value, clock.now - START, clock.pending], ["done", 60_000, 1]);
  assertEquals(await clock.runUntil(Promise.resolve("at once")), "at once");
  assertEquals(clock.now - START, 60_000);
});

Deno.test("runUntil() throws what the promise rejects with", async () => {
  using clock = new FakeClock(START);
  const reason = new Error("changed my mind");
  const rejecting = sleep(10).then(() => Promise.reject(reason));
  assertStrictEquals(await clock.runUntil(rejecting).catch((error) => error), reason);
});

Deno.test("runUntil() gives up at its limit, or when no timer is armed", async () => {
  using clock = new FakeClock(START);
  const never = new Promise(() => {});
  await assertRejects(() => clock.runUntil(never), Error, "no timer is armed");
  const beat = () => setTimeout(beat, 100);
  beat();
  await assertRejects(() => clock.runUntil(never, 1_000), Error, "within 1000 ms (1 timers armed)");
  assertEquals(clock.now - START, 1_000);
});

Deno.test("what a timer throws comes out of tick()", async () => {
  using clock = new FakeClock(START);
  setTimeout(() => {
    throw new Error("thrown by a timer");
  }, 5);
  await assertRejects(() => clock.tick(10), Error, "thrown by a timer");
  assertEquals(clock.now - START, 5);
});

Deno.test("the real clock is back when the fake one is disposed of", () => {
  const real = globals();
  let fake;
  try {
    using _clock = new FakeClock(START);
    fake = globals();
    throw new Error("a test that fails");
  } catch {
    assertEquals(globals().every((value, i) => value === real[i]), true);
  }
  assertEquals(fake?.some((value, i) => value === real[i]), false);
  assertEquals([Object.keys(performance), Object.keys(crypto.subtle)], [[], []]);
  assert(Math.abs(Date.now() - START) > 1_000);
});

Deno.test("a real timer can be cleared in fake time", async () => {
  let fired = false;
  const real = setTimeout(() => fired = true, 0);
  {
    using clock = new FakeClock(START);
    clearTimeout(real);
    await clock.tick(1);
  }
  await sleep(0); // Real, and armed later: the other would have fired by now.
  assertEquals(fired, false);
});

Deno.test("a wait of weeks passes timer by timer", async () => {
  using clock = new FakeClock(START);
  let polls = 0;
  const done = (async () => {
    for (; polls < 1_000; polls++) {
      await sleep(3_600_000);
      await new Response("x").text();
    }
  })();
  await clock.runUntil(done, Infinity);
  assertEquals([polls, clock.now - START, clock.pending], [1_000, 3_600_000_000, 0]);
});

function globals(): unknown[] {
  const { digest, importKey, sign, verify } = crypto.subtle;
  return [setTimeout, clearTimeout, Date, performance.now, digest, importKey, sign, verify];
}

/** One turn of the event loop. */
function message(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      port2.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
