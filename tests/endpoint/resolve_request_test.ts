// POST /resolve: the forms of a request, and its mistakes.
import { assert, assertEquals } from "@std/assert";
import { IDS, objectOf, outcomeOf, problemOf, type Settings, setUp } from "../helpers/endpoint.ts";

const FAILED = { status: "failed", error_code: "NO_ROWS", error_description: "the file is empty" };

const WEB = "https://app.deepint.net/o/organization-1/workspace?ws=workspace-1&s=task&i=t-1";
const API = "https://app.deepint.net/api/v1/workspace/workspace-1/task/t-1";
const { organization_id, workspace_id, task_id } = IDS;
const DICT = {
  organization_id,
  workspace_id,
  info: { id: task_id, status: "success", duration: 1500, subtask: null, result: null },
};
const event = (data: unknown) => ({ type: "task.check", timestamp: "2026-01-01T00:00:00Z", data });

Deno.test("a task is named by web URL, API URL or ids, plain or in an event", async () => {
  const fallback = { DEEPINT_ORGANIZATION: organization_id };
  const cases: [body: object, settings?: Settings][] = [
    [{ url: WEB }],
    [{ url: WEB }, { DEEPINT_ORGANIZATION: "organization-2" }],
    [{ url: `${WEB}&tab=log#top` }],
    [{ url: "https://APP.deepint.net/o/organization-1/workspace/?i=t-1&s=task&ws=workspace-1" }],
    [{ url: WEB, ...IDS }],
    [{ url: API, organization_id }],
    [{ url: API.replace("/task/", "/tasks/"), organization_id, task_id }],
    [{ url: API }, fallback],
    [{ url: API, organization_id }, { DEEPINT_ORGANIZATION: "organization-2" }],
    [IDS],
    [IDS, { DEEPINT_ORGANIZATION: "organization-2" }],
    [{ workspace_id, task_id }, fallback],
    [{ ...IDS, retries: 5, data: { task_id: "t-3" }, type: "x", id: "t-4" }],
    [DICT],
    [{ task: DICT }],
    [{ task: IDS }],
    [{ task: { ...DICT, organization_id: null } }, fallback],
    [{ url: WEB, ...IDS, info: DICT.info, task: DICT }],
    [{ url: API, task: DICT }],
    [{ ...IDS, url: null, info: null, task: "" }],
    [{ ...DICT, url: "", task_id: "", task: { info: { id: "" } } }],
  ];
  for (const [body, settings] of cases) {
    const events = [event({ ...body, more: null }), {
      ...event(body),
      id: "e-1",
      url: "",
      info: "x",
    }, { ...event(body), organization_id: "sender-1", info: { id: null, region: "eu" }, task: {} }];
    for (const sent of [body, ...events]) {
      const { platform, bearer, webhook } = setUp(settings);
      platform.add({ id: "t-1", status: "running" });
      const said = JSON.stringify(sent);
      assertEquals((await bearer(sent)).status, 202, said);
      assertEquals((await webhook(sent)).status, 503, said);
      assertEquals(platform.count(), 2, said);
      for (const { url, method, headers } of platform.requests) {
        assertEquals([method, url], ["GET", API], said);
        assertEquals(headers["x-deepint-organization"], organization_id, said);
      }
    }
  }
});

Deno.test("raise_on_error and pending apply inside an event", async () => {
  const { platform, webhook } = setUp();
  platform.add({ id: "t-1", steps: [{ status: "running" }, FAILED] });
  assertEquals((await webhook(event({ ...IDS, pending: "accepted" }))).status, 202);
  assertEquals((await webhook(event({ ...IDS, raise_on_error: true }))).status, 424);
});

Deno.test("null and empty members count as absent, true and false as booleans", async () => {
  const { platform, bearer } = setUp({ DEEPINT_ORGANIZATION: organization_id });
  platform.add({ id: "t-1", ...FAILED });
  const cases: [change: object, status: number][] = [
    [{ pending: null }, 424],
    [{ pending: "", raise_on_error: "" }, 424],
    [{ raise_on_error: null }, 424],
    [{ raise_on_error: "true" }, 424],
    [{ raise_on_error: "false" }, 200],
    [{ organization_id: "" }, 424],
    [{ organization_id: null, url: null }, 424],
  ];
  for (const [change, status] of cases) {
    for (const body of [{ ...IDS, ...change }, event({ ...IDS, ...change })]) {
      assertEquals((await bearer(body)).status, status, JSON.stringify(body));
    }
  }
});

Deno.test("the task of a response can be posted back", async () => {
  const { platform, bearer } = setUp();
  platform.add({ id: "t-1", status: "running" });
  const { task } = await objectOf(await bearer(IDS));
  for (
    const body of [task, { task }, event(task), event({ task }), { type: "x", data: null, task }]
  ) {
    assertEquals((await bearer(body)).status, 202, JSON.stringify(body));
  }
});

Deno.test("an invalid request is 400 with a pointer to each mistake, without a poll", async () => {
  const url = (url: unknown): [object, string[]] => [{ url, organization_id }, ["#/url"]];
  const long = "x".repeat(129);
  const cases: [body: unknown, pointers: string[]][] = [
    ...["{", "", " ", "t-1", "{}{}", "null", '"t-1"', "5", "true", "[]", "[{}]"]
      .map((text): [string, string[]] => [text, ["#"]]),
    [{}, ["#/organization_id", "#/workspace_id", "#/task_id"]],
    [{ organization_id, task_id }, ["#/workspace_id"]],
    [{ workspace_id, task_id }, ["#/organization_id"]],
    [{ url: API }, ["#/organization_id"]],
    ...["t-1", "ftp://app.deepint.net/x", `${WEB}&i=t-1`, `${API}/logs`].map(url),
    ...[WEB.replace("//", "//a@"), WEB.replace("=task", "=source"), `${API}%2F..`].map(url),
    ...[API.replace("t-1", ".."), API.replace("t-1", "%2e%2e"), API + "x".repeat(128)].map(url),
    ...["/api/v1/workspace/workspace-1/task/t-1", 5, {}, [WEB]].map(url),
    ...["", "..", "a/b", "a%2Fb", "a b", "\u0000", "\u00e9", long, 5, null, ["t-1"]]
      .map((task_id): [object, string[]] => [{ ...IDS, task_id }, ["#/task_id"]]),
    [{ ...IDS, organization_id: "a?b" }, ["#/organization_id"]],
    [{ url: WEB, workspace_id: "a#b" }, ["#/workspace_id"]],
    [{ url: "" }, ["#/organization_id", "#/workspace_id", "#/task_id"]],
    [{ url: null, ...IDS, task_id: null }, ["#/task_id"]],
    ...["False", "1", "yes", " ", 1, 0, []].map((raise_on_error): [object, string[]] => [
      { ...IDS, raise_on_error },
      ["#/raise_on_error"],
    ]),
    [{ task: {} }, ["#/organization_id", "#/workspace_id", "#/task_id"]],
    [{ organization_id, workspace_id, info: {} }, ["#/task_id"]],
    ...["t-1", 5, true].map((task): [object, string[]] => [{ task }, ["#/task"]]),
    [{ ...IDS, info: "x" }, ["#/info"]],
    [{ ...IDS, info: { id: "a/b" } }, ["#/info/id"]],
    [{ task: { ...DICT, info: { id: 5 } } }, ["#/task/info/id"]],
    [{ task: { ...DICT, workspace_id: "a b" } }, ["#/task/workspace_id"]],
    [{ ...IDS, info: { id: "t-2" } }, ["#/info/id"]],
    [{ ...IDS, task: { ...DICT, info: { id: "t-2" } } }, ["#/task/info/id"]],
    [{ ...DICT, task: { workspace_id: "w" } }, ["#/task/workspace_id"]],
    [{ url: WEB, task: { organization_id: "o" } }, ["#/task/organization_id"]],
    [{ url: WEB, info: { id: "t-2" } }, ["#/info/id"]],
    [event({ ...DICT, task: { info: { id: "t-2" } } }), ["#/data/task/info/id"]],
    [{ ...IDS, pending: "later", task_id: long }, ["#/pending", "#/task_id"]],
    [event(null), ["#/data"]],
    [event([]), ["#/data"]],
    [event({ ...IDS, task_id: "../x" }), ["#/data/task_id"]],
    [event({ url: "x", organization_id }), ["#/data/url"]],
    [{ url: WEB, task_id: "t-2" }, ["#/task_id"]],
    [{ url: WEB, organization_id: "o", workspace_id: "w" }, [
      "#/organization_id",
      "#/workspace_id",
    ]],
    [{ url: API, organization_id, workspace_id: "workspace-2" }, ["#/workspace_id"]],
    [event({ url: WEB, task_id: "t-2" }), ["#/data/task_id"]],
  ];
  for (const [body, pointers] of cases) {
    const { platform, bearer, webhook } = setUp();
    const said = JSON.stringify(body).slice(0, 100);
    for (const response of [await bearer(body), await webhook(body)]) {
      assertEquals(response.status, 400, said);
      const { type, errors = [] } = await problemOf(response);
      assertEquals(type, "/problems/invalid-request");
      assertEquals(errors.map(({ pointer }) => pointer).sort(), pointers.sort(), said);
      assert(errors.every(({ detail }) => detail.length > 0), said);
    }
    assertEquals(platform.count(), 0, said);
  }
});

Deno.test("a body that is an array, deeply nested or not UTF-8 is 400", async () => {
  const { bearer, platform } = setUp();
  const bytes = new TextEncoder().encode(JSON.stringify({ ...IDS, note: "?" }));
  const cut = bytes.map((byte) => byte === 0x3f ? 0xff : byte);
  const deep = "[".repeat(9_000) + "]".repeat(9_000);
  const nested = ["task", "info", "data"]
    .map((name) => `{"${name}":`.repeat(2_200) + "1" + "}".repeat(2_200));
  for (const body of [JSON.stringify([IDS]), "[]", deep, deep.slice(1), ...nested, cut]) {
    assertEquals(await outcomeOf(await bearer("", { body })), [400, "invalid-request"]);
  }
  assertEquals(platform.count(), 0);
});

Deno.test("a task outside the allow-lists or the instance is 403 without a request", async () => {
  const hosts = ["deepint.net", "app.deepint.net:8443", "app.deepint.net.example", "127.0.0.1"];
  const others = hosts.map((host) => host.includes("127") ? `http://${host}` : `https://${host}`);
  const cases: [settings: Settings, body: object][] = [
    ...others.flatMap((origin): [Settings, object][] => [
      [{}, { url: WEB.replace("https://app.deepint.net", origin) }],
      [{}, { url: API.replace("https://app.deepint.net", origin), organization_id }],
    ]),
    [{ DEEPINT_INSTANCE: "other.deepint.net" }, { url: WEB }],
    [{ RESOLVE_ALLOWED_ORGANIZATIONS: "organization-2,organization" }, IDS],
    [{ RESOLVE_ALLOWED_ORGANIZATIONS: "organization-2" }, { url: WEB }],
    [
      { RESOLVE_ALLOWED_ORGANIZATIONS: "organization-2", DEEPINT_ORGANIZATION: organization_id },
      { url: API },
    ],
    [{ RESOLVE_ALLOWED_WORKSPACES: "workspace-2,workspace-10" }, IDS],
    [
      { RESOLVE_ALLOWED_ORGANIZATIONS: organization_id, RESOLVE_ALLOWED_WORKSPACES: "workspace-2" },
      { url: API, organization_id },
    ],
  ];
  for (const [settings, body] of cases) {
    const { platform, bearer, webhook } = setUp(settings);
    platform.add({ id: "t-1", status: "success" });
    for (const response of [await bearer(body), await webhook(body), await bearer(event(body))]) {
      assertEquals(await outcomeOf(response), [403, "forbidden"], JSON.stringify([settings, body]));
    }
    assertEquals(platform.count(), 0);
  }
  const { platform, bearer } = setUp({
    RESOLVE_ALLOWED_ORGANIZATIONS: "organization-2, organization-1",
    RESOLVE_ALLOWED_WORKSPACES: "workspace-1",
  });
  platform.add({ id: "t-1", status: "success" });
  assertEquals((await bearer(IDS)).status, 200, "what is named is allowed");
});
