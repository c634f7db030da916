// Request bodies: their limit and their type.
import { assert, assertEquals, assertLessOrEqual } from "@std/assert";
import { chunkedBody, IDS, KEY, outcomeOf, post, setUp } from "../helpers/endpoint.ts";

const BODY = { ...IDS, note: "a body" };

Deno.test("a body of 20,000 bytes is read and one of 20,001 is refused", async () => {
  const { platform, bearer } = setUp();
  platform.add({ id: "t-1", status: "running" });
  const sized = (size: number) => new TextEncoder().encode(JSON.stringify(BODY).padEnd(size));
  for (const [size, status] of [[20_000, 202], [20_001, 413]] as const) {
    const stream = new Blob([sized(size)]).stream();
    assertEquals((await bearer("", { body: sized(size) })).status, status, "whole");
    assertEquals((await bearer("", { body: stream })).status, status, "chunked");
  }
});

Deno.test("a chunked body or one with a lying length is read up to 20 kB", async () => {
  for (const length of [undefined, "10", "-1", "abc", "20000"]) {
    const { platform, bearer } = setUp();
    const { body, state } = chunkedBody(1_000, 100_000);
    const headers = length === undefined ? {} : { "content-length": length };
    const response = await bearer("", { body, headers });
    assertEquals(await outcomeOf(response), [413, "content-too-large"], length);
    assertLessOrEqual(state.read, 21_000, length);
    assert(state.cancelled, "the rest is refused");
    assertEquals(platform.count(), 0);
  }
});

Deno.test("a content-length next to transfer-encoding does not bypass the limit", async () => {
  const { app, platform } = setUp();
  for (const coding of ["transfer-encoding", "content-encoding"]) {
    const { body, state } = chunkedBody(1_000, 1_000_000);
    const headers = { authorization: `Bearer ${KEY}`, "content-length": "2", [coding]: "chunked" };
    const request = new Request("http://localhost/resolve", post("", { body, headers }));
    const response = await app.fetch(request, { remoteAddr: { hostname: "127.0.0.1" } });
    assertEquals(response.status, coding === "transfer-encoding" ? 413 : 415);
    assertLessOrEqual(state.read, 21_000);
  }
  assertEquals(platform.count(), 0);
});

Deno.test("a body that declares more than 20 kB is not read", async () => {
  const { bearer, webhook } = setUp();
  const headers = { "content-length": "20001" };
  const { body, state } = chunkedBody(1_000, 100_000);
  assertEquals(await outcomeOf(await bearer("", { body, headers })), [413, "content-too-large"]);
  assertEquals(state, { read: 0, cancelled: true });
  assertEquals((await webhook(IDS, { headers })).status, 413);
});

Deno.test("only JSON content types are accepted", async () => {
  const { platform, bearer } = setUp();
  platform.add({ id: "t-1", status: "running" });
  const json = ["application/json", "Application/JSON", "application/json;charset=utf-8"];
  const structured = ["application/cloudevents+json", "application/vnd.a.b+json ; charset=UTF-8"];
  for (const type of [...json, ...structured]) {
    assertEquals((await bearer(BODY, { headers: { "content-type": type } })).status, 202, type);
  }
  const others = ["text/plain", "text/json", "application/jsonp", "application/x-json", "json"];
  const tricks = ["application/json, text/html", "text/html;a=application/json", "+json", "/+json"];
  for (const type of [...others, ...tricks, "application/json-seq", "multipart/form-data"]) {
    const response = await bearer(BODY, { headers: { "content-type": type } });
    assertEquals(await outcomeOf(response), [415, "unsupported-media-type"], type);
  }
  for (const encoding of ["gzip", "br", "identity"]) {
    const response = await bearer(BODY, { headers: { "content-encoding": encoding } });
    assertEquals(await outcomeOf(response), [415, "unsupported-media-type"], encoding);
  }
});
