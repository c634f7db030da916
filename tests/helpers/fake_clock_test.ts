import { assert, assertEquals, assertRejects, assertStrictEquals } from "@std/assert";
import { FakeClock } from "./fake_clock.ts";

const START = Date.UTC(2026, 4, 6, 7, 8, 9);

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function globals(): unknown[] {
  const { digest, importKey, sign, verify } = crypto.subtle;
  return [setTimeout, clearTimeout, Date, performance.now, digest, importKey, sign, verify];
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

Deno.test("runUntil() throws at its limit and without a pending timer", async () => {
  using clock = new FakeClock(START);
  const never = new Promise(() => {});
  await assertRejects(() => clock.runUntil(never), Error, "no timer is armed");
  const beat = () => setTimeout(beat, 100);
  beat();
  await assertRejects(() => clock.runUntil(never, 1_000), Error, "within 1000 ms (1 timers armed)");
  assertEquals(clock.now - START, 1_000);
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

Deno.test("shiftWall() and suspend() move Date.now, but neither timers nor performance.now", async () => {
  using clock = new FakeClock();
  const wall = Date.now();
  let fired = false;
  setTimeout(() => fired = true, 1_000);
  clock.shiftWall(-3_600_000);
  assertEquals([Date.now() - wall, performance.now()], [-3_600_000, 0]);
  clock.suspend(7_200_000);
  await clock.tick(999);
  assertEquals([Date.now() - wall, fired], [3_600_999, false]);
  await clock.tick(1);
  assertEquals([performance.now(), fired], [1_000, true]);
});
