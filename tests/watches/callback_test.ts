// The callbacks of the watches: the allowed hosts, their secrets, one delivery.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { ConfigError, readConfig } from "../../functions/app.ts";
import { deliver, parseCallbackHosts } from "../../functions/watches/callback.ts";
import { IDS, KEY, objectOf, outcomeOf, problemOf, SECRET } from "../helpers/endpoint.ts";
import { TOKEN } from "../helpers/endpoint.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { CALLBACK_SECRET, configWith } from "../helpers/watches.ts";

import { HOOK, ORDER, OTHER_SECRET, setUp } from "../helpers/watch_endpoint.ts";

const INVALID: [pointer: string, change: Record<string, unknown>][] = [
  ["#/callback_url", { callback_url: undefined }],
  ["#/callback_url", { callback_url: null }],
  ["#/callback_url", { callback_url: 5 }],
  ["#/callback_url", { callback_url: "" }],
  ["#/callback_url", { callback_url: "hooks.example/end" }],
  ["#/callback_url", { callback_url: "https://" }],
  ["#/callback_url", { callback_url: `${HOOK}?${"a".repeat(2_000)}` }],
  ["#/callback_url", { callback_url: `${HOOK}?${"\u20ac".repeat(1_000)}` }],
  ["#/callback_url", { callback_url: "http://hooks.example/end" }],
  ["#/callback_url", { callback_url: "http://hooks.example:443/end" }],
  ["#/callback_url", { callback_url: "ftp://hooks.example/end" }],
  ["#/callback_url", { callback_url: "javascript:alert(1)" }],
  ["#/callback_url", { callback_url: "https://user@hooks.example/end" }],
  ["#/callback_url", { callback_url: "https://user:canary@hooks.example/end" }],
  ["#/callback_url", { callback_url: "https://:canary@hooks.example/end" }],
  ["#/deadline", { deadline: 0 }],
  ["#/deadline", { deadline: 2_592_001 }],
  ["#/deadline", { deadline: 1.5 }],
  ["#/deadline", { deadline: "0" }],
  ["#/deadline", { deadline: "1.5" }],
  ["#/deadline", { deadline: "1 day" }],
  ["#/deadline", { deadline: "9999999" }],
  ["#/deadline", { deadline: true }],
  ["#/task_id", { task_id: "../t" }],
  ["#/task_id", { task_id: undefined }],
];

Deno.test("a watch accepts empty members and a posted task, plain and as an event", async () => {
  using setup = await setUp();
  const { organization_id, workspace_id, task_id, callback_url } = ORDER;
  const task = { organization_id, workspace_id, info: { id: task_id } };
  const forms = [
    { ...ORDER, deadline: null, url: "" },
    { ...task, callback_url, deadline: "" },
    { task, callback_url },
  ];
  const ids = new Set<unknown>();
  for (const body of [...forms, ...forms.map((data) => ({ type: "task.started", data }))]) {
    const answer = await setup.create(body);
    assertEquals(answer.status, 202, JSON.stringify(body));
    ids.add((await answer.json()).id);
  }
  assertEquals(ids.size, 1, "one watch");
  const contrary = await setup.create({ ...ORDER, task: { ...task, info: { id: "t-9" } } });
  assertEquals((await problemOf(contrary)).errors?.[0]?.pointer, "#/task/info/id");
});

Deno.test("an invalid watch is refused with 400 and a JSON pointer, without a request", async () => {
  using setup = await setUp();
  for (const [pointer, change] of INVALID) {
    const answer = await setup.create({ ...ORDER, ...change });
    const { status, errors, detail } = await problemOf(answer);
    assertEquals([status, errors?.map((error) => error.pointer)], [400, [pointer]], detail);
    assert(!detail.includes("canary"), detail);
  }
  const missing = await problemOf(await setup.create(IDS));
  assertEquals(missing.detail, "#/callback_url: is required");
  assertEquals((await problemOf(await setup.create([]))).detail, "#: must be a JSON object");
  const wrapped = await setup.create({ type: "a", data: { ...ORDER, callback_url: "x" } });
  assertEquals((await problemOf(wrapped)).errors?.[0]?.pointer, "#/data/callback_url");
  await setup.watches.sweep();
  assertEquals([setup.platform.count(), setup.calls], [0, []]);
});

/** Hosts that only resemble the host of the setting, or lead to this machine. */
const ELSEWHERE = [
  "https://evil.example/",
  "https://hooks.example.evil.example/",
  "https://evil-hooks.example/",
  "https://sub.hooks.example/",
  "https://hooks.example:8443/",
  "https://hooks.example:80/",
  "https://hooks.example./",
  "https://hooks.example%2eevil.example/",
  "https://h\u043eoks.example/", // with a Cyrillic letter
  "https://evil.example\\@hooks.example/",
  "https://evil.example/@hooks.example/",
  "https://evil.example?@hooks.example/",
  "https://localhost/",
  "https://app.localhost/",
  "https://127.0.0.1/",
  "https://2130706433/",
  "https://0x7f000001/",
  "https://0177.0.0.1/",
  "https://127.1/",
  "https://0/",
  "https://10.0.0.1/",
  "https://172.16.0.1/",
  "https://192.168.1.1/",
  "https://169.254.169.254/latest/meta-data/",
  "https://2852039166/",
  "https://100.64.0.1/",
  "https://[::1]/",
  "https://[::]/",
  "https://[::ffff:127.0.0.1]/",
  "https://[::ffff:a9fe:a9fe]/",
  "https://[fe80::1]/",
  "https://[fc00::1]/",
  "https://[64:ff9b::7f00:1]/",
  "https://metadata.google.internal/",
];

Deno.test("a callback to any other host is 403 without a request", async () => {
  using setup = await setUp();
  for (const url of ELSEWHERE) {
    const answer = await setup.create({ ...ORDER, callback_url: url });
    assertEquals((await problemOf(answer)).code, "CALLBACK_NOT_ALLOWED", url);
    assertEquals(answer.status, 403, url);
  }
  await setup.watches.sweep();
  assertEquals([setup.platform.count(), setup.calls], [0, []]);
});

Deno.test("an http: callback needs a loopback host and a loopback instance", async () => {
  const settings = { DEEPINT_INSTANCE: "http://127.0.0.1:1" };
  for (
    const [listed, url, status] of [
      ["127.0.0.1:8080", "http://127.0.0.1:8080/end", 202],
      ["127.0.0.1:8080", "http://2130706433:8080/end", 202],
      ["127.0.0.1:8080", "http://127.0.0.1:8081/end", 403],
      ["127.0.0.1:8080", "http://127.0.0.2:8080/end", 403],
      ["localhost:80", "http://localhost/end", 202],
      ["localhost", "http://localhost/end", 403],
      ["[::1]:8080", "http://[0:0::1]:8080/end", 202],
      ["hooks.example:80", "http://hooks.example/end", 400],
    ] as const
  ) {
    using setup = await setUp(listed, settings);
    const answer = await setup.create({ ...ORDER, callback_url: url });
    assertEquals(answer.status, status, url);
    await answer.body?.cancel();
  }
});

Deno.test("a redirect of a receiver is not followed and its body is not read", async () => {
  using setup = await setUp();
  setup.platform.add({ id: "t-1", status: "success" });
  let cancelled = false;
  setup.respond = () =>
    new Response(new ReadableStream({ cancel: () => void (cancelled = true) }), {
      status: 307,
      headers: { location: "https://evil.example/" },
    });
  const { location } = await objectOf(await setup.create(ORDER));
  await setup.watches.sweep();
  assertEquals(setup.calls, [HOOK]);
  const { state, attempts, last_status } = await objectOf(await setup.ask("GET", String(location)));
  assertEquals([state, attempts, last_status, cancelled], ["watching", 1, 307, true]);
});

Deno.test("a delivery without a response has status 0", async () => {
  using clock = new FakeClock();
  const { callbackHosts: callbacks = [] } = configWith("hooks.example");
  const delivery = { url: HOOK, id: "id-0", event: {}, now: clock.now };
  const began = clock.now;
  let given: AbortSignal | undefined;
  const hanging = deliver(delivery, callbacks, (_input, init) => {
    given = init?.signal ?? undefined;
    return new Promise(() => {});
  });
  assertEquals(await clock.runUntil(hanging), { status: 0, timedOut: true });
  assertEquals(clock.now - began, 10_000);
  assertEquals([given?.aborted, clock.pending], [true, 0]);
  const refused = () => Promise.reject(new TypeError("connection refused"));
  assertEquals(await deliver(delivery, callbacks, refused), { status: 0, timedOut: false });
  let calls = 0;
  const counted = () => Promise.resolve(new Response(null, { status: 200 + calls++ }));
  for (const url of ["https://gone.example/end", "https://hooks.example:8443/end"]) {
    assertEquals((await deliver({ ...delivery, url }, callbacks, counted)).status, 0);
  }
  assertEquals([(await deliver(delivery, callbacks, counted)).status, calls], [200, 1]);
});

Deno.test("an entry with a path allows only URLs under it, at a segment boundary", async () => {
  const allowed = [HOOK, `${HOOK}/`, `${HOOK}/a?b=c`, "https://hooks.example/x/../end/a"];
  const forbidden = ["", "ending", "End", "end%2f..%2fother", "end/../other", "end%5c..%5cother"];
  using setup = await setUp("hooks.example/end");
  for (const callback_url of allowed) {
    const response = await setup.create({ ...ORDER, callback_url });
    assertEquals(response.status, 202, callback_url);
  }
  for (const path of forbidden) {
    const response = await setup.create({
      ...ORDER,
      callback_url: `https://hooks.example/${path}`,
    });
    assertEquals(await outcomeOf(response), [403, "forbidden"], path);
  }
});

Deno.test("an event is signed with the secrets of the longest path", async () => {
  using setup = await setUp(`hooks.example=${OTHER_SECRET},hooks.example/end`);
  setup.platform.add({ id: "t-1", status: "success" });
  await setup.create(ORDER);
  await setup.watches.sweep();
  const [received] = setup.receiver.received;
  assertEquals(received?.headers["webhook-signature"]?.split(" ").length, 1);
  await setup.create({ ...ORDER, callback_url: "https://hooks.example/other" });
  await setup.watches.sweep();
  assertEquals(setup.calls.length, 2, "the other path has the secret of the host");
  assertEquals(setup.receiver.received.length, 1);
});

Deno.test("a host with two entries gets a signature by each secret", async () => {
  using setup = await setUp(`hooks.example=${OTHER_SECRET},hooks.example`);
  setup.platform.add({ id: "t-1", status: "success" });
  await setup.create(ORDER);
  await setup.watches.sweep();
  const [received] = setup.receiver.received;
  assertEquals(received?.headers["webhook-signature"]?.split(" ").length, 2);
  assertEquals(received?.status, 204, "verified by one of them");
});

const CALLBACKS: [wrong: string, setting: string][] = [
  ["no secret", "hooks.example"],
  ["no host", `=${CALLBACK_SECRET}`],
  ["a short secret", "hooks.example=whsec_Y2FuYXJ5"],
  ["another kind of secret", "hooks.example=canary-callback-secret"],
  ["an empty entry", `hooks.example=${CALLBACK_SECRET},`],
  ["a scheme", `https://hooks.example=${CALLBACK_SECRET}`],
  ["a query", `hooks.example/end?a=${CALLBACK_SECRET}`],
  ["dot segments in its path", `hooks.example/a/../b=${CALLBACK_SECRET}`],
  ["an escape in its path", `hooks.example/%65nd=${CALLBACK_SECRET}`],
  ["an empty segment in its path", `hooks.example//end=${CALLBACK_SECRET}`],
  [
    "one secret for two paths",
    `hooks.example/a=${CALLBACK_SECRET},hooks.example/b=${CALLBACK_SECRET}`,
  ],
  ["user info", `user@hooks.example=${CALLBACK_SECRET}`],
  ["a bad port", `hooks.example:65536=${CALLBACK_SECRET}`],
  ["port 0", `hooks.example:0=${CALLBACK_SECRET}`],
  ["no port after its colon", `hooks.example:=${CALLBACK_SECRET}`],
  ["a pattern", `*.hooks.example=${CALLBACK_SECRET}`],
  ["two entries that a semicolon parts", `a.example;hooks.example=${CALLBACK_SECRET}`],
  ["an escape", `hooks%2eexample=${CALLBACK_SECRET}`],
  ["an inbound secret", `hooks.example=${SECRET}`],
  ["the secret of a link", `hooks.example=${OTHER_SECRET}`],
  ["one secret for two hosts", `a.example=${CALLBACK_SECRET},b.example=${CALLBACK_SECRET}`],
  ["one secret for two ports", `a.example=${CALLBACK_SECRET},a.example:8443=${CALLBACK_SECRET}`],
  ["loopback", `127.0.0.1:80=${CALLBACK_SECRET}`],
  ["localhost", `localhost=${CALLBACK_SECRET}`],
  ["a name of loopback", `app.localhost=${CALLBACK_SECRET}`],
  ["a private address", `10.0.0.1=${CALLBACK_SECRET}`],
  ["a decimal address", `169254169254=${CALLBACK_SECRET}`],
  ["an address in IPv6", `[::ffff:10.0.0.1]=${CALLBACK_SECRET}`],
];

for (const [wrong, setting] of CALLBACKS) {
  Deno.test(`RESOLVE_CALLBACK_HOSTS with ${wrong} is refused without quoting it`, () => {
    const env = {
      DEEPINT_TOKEN: TOKEN,
      RESOLVE_API_KEYS: KEY,
      RESOLVE_WEBHOOK_SECRETS: SECRET,
      RESOLVE_LINK_SECRETS: OTHER_SECRET,
    };
    const error = assertThrows(
      () =>
        readConfig({ ...env, RESOLVE_CALLBACK_HOSTS: setting }, {
          parseCallbackHosts,
        }),
      ConfigError,
      "RESOLVE_CALLBACK_HOSTS: ",
    );
    assert(!/Y2Fu|canary|user/.test(Deno.inspect(error)), error.message);
  });
}
