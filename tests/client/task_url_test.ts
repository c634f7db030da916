import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { parseTaskUrl, type TaskLocation, taskUrl } from "../../mod.ts";
import { LONG_ID, UUID } from "../helpers/hostile.ts";

const WEB = "https://app.deepint.net/o/org-1/workspace?ws=ws-1&s=task&i=task-1";
const API = "https://app.deepint.net/api/v1/workspace/ws-1/task/task-1";
const LOCATION: TaskLocation = {
  instance: "app.deepint.net",
  organizationId: "org-1",
  workspaceId: "ws-1",
  taskId: "task-1",
};

/** Parses a URL, with the organization that an API URL needs. */
function parse(url: string | URL): TaskLocation {
  return parseTaskUrl(url, { organizationId: "org-1" });
}

/** Checks that a URL is refused, and returns the message. */
function refusal(url: string): string {
  return assertThrows(() => parse(url), RangeError, undefined, `accepted ${url}`).message;
}

Deno.test("parseTaskUrl() reads a web URL", () => {
  assertEquals(parseTaskUrl(WEB), LOCATION);
  assertEquals(parseTaskUrl(new URL(WEB)), LOCATION);
});

Deno.test("parseTaskUrl() reads an API URL, with /task/ and with /tasks/", () => {
  assertEquals(parse(API), LOCATION);
  assertEquals(parse(new URL(API)), LOCATION);
  assertEquals(parse(API.replace("/task/", "/tasks/")), LOCATION);
});

Deno.test("parseTaskUrl() accepts parameters in any order, extra ones, a fragment and a trailing slash", () => {
  const urls = [
    "https://app.deepint.net/o/org-1/workspace?i=task-1&s=task&ws=ws-1",
    "https://app.deepint.net/o/org-1/workspace?s=task&lang=en&ws=ws-1&i=task-1&lang=es",
    "https://app.deepint.net/o/org-1/workspace?&ws=ws-1&&s=task&i=task-1&",
    "https://app.deepint.net/o/org-1/workspace/?ws=ws-1&s=task&i=task-1",
    `${WEB}&next=https%3A%2F%2Fuser%40example.com`,
    `${WEB}&mail=a@example.com`,
    `${WEB}&WS=other&I=other&S=other`,
    `${WEB}#log`,
    `${WEB}#?ws=other&i=other@example.com/../`,
    `${API}/`,
    `${API}#log`,
    `${API}?lang=en`,
    `${API}/?lang=en#log`,
  ];
  for (const url of urls) assertEquals(parse(url), LOCATION, url);
});

Deno.test("parseTaskUrl() decides by the path which form a URL has", () => {
  assertEquals(parseTaskUrl(`${WEB}&back=/api/v1`), LOCATION);
  assertEquals(parseTaskUrl(`${WEB}&back=/api/v1/workspace/other/task/other`), LOCATION);
  assertEquals(parseTaskUrl(`${WEB}#/api/v1/workspace/other/task/other`), LOCATION);
  assertEquals(parse(`${API}?ws=other&s=source&i=other&back=/o/other/workspace`), LOCATION);
});

Deno.test("parseTaskUrl() accepts ids of 1 to 128 letters, digits, _ and -", () => {
  for (const id of [UUID, LONG_ID, "a", "_", "-", "A_b-9", "x".repeat(128), "__proto__"]) {
    const web = `https://app.deepint.net/o/${id}/workspace?ws=${id}&s=task&i=${id}`;
    const ids = { organizationId: id, workspaceId: id, taskId: id };
    assertEquals(parseTaskUrl(web), { ...LOCATION, ...ids });
    const api = `https://app.deepint.net/api/v1/workspace/${id}/task/${id}`;
    assertEquals(parseTaskUrl(api, { organizationId: id }), { ...LOCATION, ...ids });
  }
});

Deno.test("parseTaskUrl() refuses any other id", () => {
  const bad = ["", "x".repeat(129), "a.b", "a%20b", "a+b", "a:b", "a%2Fb", "%C3%A9", "a~b", "a,b"];
  for (const id of bad) {
    refusal(`https://app.deepint.net/o/${id}/workspace?ws=ws-1&s=task&i=task-1`);
    refusal(`https://app.deepint.net/o/org-1/workspace?ws=${id}&s=task&i=task-1`);
    refusal(`https://app.deepint.net/o/org-1/workspace?ws=ws-1&s=task&i=${id}`);
    refusal(`https://app.deepint.net/api/v1/workspace/${id}/task/task-1`);
    refusal(`https://app.deepint.net/api/v1/workspace/ws-1/task/${id}`);
  }
  for (const id of ["é", "任务", "a b", "a\u0000b"]) refusal(WEB.replace("task-1", id));
});

Deno.test("an API URL without an organization is a RangeError that names the option", () => {
  assertThrows(() => parseTaskUrl(API), RangeError, "organizationId");
  assertThrows(() => parseTaskUrl(API, {}), RangeError, "organizationId");
});

Deno.test("organizationId is the organization of an API URL", () => {
  const { organizationId } = parseTaskUrl(API, { organizationId: "org-2" });
  assertEquals(organizationId, "org-2");
});

Deno.test("a web URL of another organization than the option's is a RangeError", () => {
  assertThrows(() => parseTaskUrl(WEB, { organizationId: "org-2" }), RangeError, "org-2");
  assertThrows(() => parseTaskUrl(WEB, { organizationId: "ORG-1" }), RangeError, "ORG-1");
  assertEquals(parseTaskUrl(WEB, { organizationId: "org-1" }), LOCATION);
});

Deno.test("an organizationId option that is not an id is a RangeError, for both forms", () => {
  for (const organizationId of ["", "../x", "a b", "x".repeat(129)]) {
    for (const url of [API, WEB]) {
      assertThrows(() => parseTaskUrl(url, { organizationId }), RangeError);
    }
  }
});

Deno.test("parseTaskUrl() refuses anything but a task URL and quotes what is wrong", () => {
  const wrong: [string, string][] = [
    ["", '""'],
    ["task-1", "task-1"],
    ["/o/org-1/workspace?ws=ws-1&s=task&i=task-1", "/o/org-1/workspace"],
    ["app.deepint.net/o/org-1/workspace?ws=ws-1&s=task&i=task-1", "app.deepint.net"],
    ["ftp://app.deepint.net/o/org-1/workspace?ws=ws-1&s=task&i=task-1", "ftp"],
    ["javascript:alert(1)", "javascript"],
    ["https://", "https://"],
    ["https://app.deepint.net:99999/o/org-1/workspace", "99999"],
    ["https://app.deepint.net/", "/"],
    ["https://app.deepint.net/o/org-1/dashboard?ws=ws-1&s=task&i=task-1", "/o/org-1/dashboard"],
    ["https://app.deepint.net/O/org-1/workspace?ws=ws-1&s=task&i=task-1", "/O/org-1/workspace"],
    ["https://app.deepint.net/x/o/org-1/workspace?ws=ws-1&s=task&i=task-1", "/x/o/org-1"],
    ["https://app.deepint.net/api/v2/workspace/ws-1/task/task-1", "/api/v2/"],
    ["https://app.deepint.net/api/v1/workspace/ws-1/source/task-1", "/source/"],
    ["https://app.deepint.net/api/v1/workspace/ws-1/task", "/workspace/ws-1/task"],
    ["https://app.deepint.net/api/v1/workspace/ws-1/tasks?page=0", "/workspace/ws-1/tasks"],
    ["https://app.deepint.net/api/v1/workspace/a.b/task/task-1", 'workspace "a.b"'],
    ["https://app.deepint.net/api/v1/workspace/ws-1/task/a.b", 'task "a.b"'],
    [WEB.replace("s=task", "s=source"), '"source"'],
    [WEB.replace("s=task", "s=TASK"), '"TASK"'],
    [WEB.replace("s=task", "s="), " s "],
    [WEB.replace("&s=task", ""), " s "],
    [WEB.replace("ws=ws-1&", ""), " ws "],
    [WEB.replace("&i=task-1", ""), " i "],
    [WEB.replace("i=task-1", "i="), " i "],
    [WEB.replace("i=task-1", "i=a.b"), "a.b"],
    [WEB.replace("ws=ws-1", "ws=a%20b"), "a b"],
  ];
  for (const [url, part] of wrong) {
    const message = refusal(url);
    assert(message.includes(part), `${JSON.stringify(message)} does not say ${part}`);
  }
});

Deno.test("parseTaskUrl() refuses a repeated ws, s or i, also when the values are the same", () => {
  for (const [name, value] of [["ws", "ws-1"], ["s", "task"], ["i", "task-1"]] as const) {
    for (const again of [value, "other", ""]) {
      const message = refusal(`${WEB}&${name}=${again}`);
      assert(message.includes(` ${name} `), message);
    }
    refusal(`${WEB}&${name}`);
    refusal(`${WEB}&%${name.charCodeAt(0).toString(16)}${name.slice(1)}=other`);
  }
});

Deno.test("parseTaskUrl() refuses user info, and does not echo it", () => {
  for (
    const userInfo of [
      "us3r",
      "us3r:",
      "us3r:pa55word",
      ":pa55word",
      "us3r:pa55word@x",
      "us3r@x:pa55word",
      "x@x@pa55word",
      "",
    ]
  ) {
    for (const url of [WEB, API]) {
      const message = refusal(url.replace("://", `://${userInfo}@`));
      assert(!/us3r|pa55word/.test(message), message);
    }
  }
});

Deno.test("parseTaskUrl() refuses encoded slashes and dot segments, plain or encoded", () => {
  const urls = [
    "https://app.deepint.net/o/org-1%2Fx/workspace?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net/o%2Forg-1/workspace?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net/o/org-1/workspace?ws=ws-1%2F..&s=task&i=task-1",
    "https://app.deepint.net/o/org-1/workspace?ws=ws-1&s=task&i=..%2Ftask-1",
    "https://app.deepint.net/o/org-1/workspace?ws=..&s=task&i=task-1",
    "https://app.deepint.net/o/x/../org-1/workspace?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net/o/org-1/./workspace?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net/./o/org-1/workspace?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net/x/%2e%2e/o/org-1/workspace?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net/o/../workspace?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net/api/v1/workspace/ws-1/task/task-1%2F..",
    "https://app.deepint.net/api/v1/workspace/ws-1/task/..%2Fx",
    "https://app.deepint.net/api/v1/workspace/ws-1/task/x/../task-1",
    "https://app.deepint.net/api/v1/workspace/ws-1/task/x/%2e%2e/task-1",
    "https://app.deepint.net/api/v1/workspace/ws-1/task/x/%2E./task-1",
    "https://app.deepint.net/api/v1/workspace/./ws-1/task/task-1",
    "https://app.deepint.net/api/v1/workspace/ws-1/task/task-1/.",
    "https://app.deepint.net/api/v1/workspace/ws-1/task/task-1/..",
    "https://app.deepint.net/api/v1/workspace/ws-1/task/%2e%2e",
    "https://app.deepint.net/api/v1/workspace/../task/task-1",
  ];
  for (const url of urls) refusal(url);
});

Deno.test("parseTaskUrl() refuses more path after the id, and empty segments", () => {
  const urls = [
    `${API}/log`,
    `${API}//`,
    `${API}/task-2`,
    API.replace("/task/", "//task/"),
    API.replace(".net/api", ".net//api"),
    "https://app.deepint.net/o/org-1/workspace/x?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net/o/org-1/workspace//?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net//o/org-1/workspace?ws=ws-1&s=task&i=task-1",
    "https://app.deepint.net/o//workspace?ws=ws-1&s=task&i=task-1",
  ];
  for (const url of urls) refusal(url);
});

Deno.test("parseTaskUrl() refuses backslashes, control characters and other repairs", () => {
  const urls = [
    WEB.replaceAll("/", "\\"),
    WEB.replace("/o/", "\\o\\"),
    API.replace("/v1/", "\\v1/"),
    API.replace(".net/", ".net\\x/"),
    WEB.replace(".net/", ".net\\x/"),
    WEB.replace("/workspace", "/work\tspace"),
    WEB.replace("/workspace", "/work\nspace"),
    API.replace("ws-1", "ws\u0000-1"),
    API.replace("ws-1", "ws-1\u202e"),
    API.replace("/workspace/", "/works%70ace/"),
  ];
  for (const url of urls) {
    const message = refusal(url);
    // deno-lint-ignore no-control-regex
    assert(!/[\u0000-\u001f\u007f\u202e]/.test(message), JSON.stringify(message));
  }
});

Deno.test("an error quotes only the wrong parameter of a query", () => {
  const urls = [
    `ftp://app.deepint.net/o/org-1/workspace?ws=ws-1&key=s3cr3t`,
    `app.deepint.net/o/org-1/workspace?key=s3cr3t`,
    `https://app.deepint.net/other?key=s3cr3t`,
    `https://app.deepint.net/a/../b?key=s3cr3t#s3cr3t`,
    `http://app.deepint.net/o/org-1/workspace?key=s3cr3t`,
    `${WEB}&i=other&key=s3cr3t`,
    `${WEB.replace("s=task", "s=source")}&key=s3cr3t`,
    `${WEB.replace("ws-1", "a.b")}&key=s3cr3t`,
    `https://us3r@app.deepint.net/?key=s3cr3t`,
    // the @ does not make the query user info
    "ftp://app.deepint.net/o/org-1/workspace?mail=a@s3cr3t",
    "app.deepint.net/o/org-1/workspace?mail=a@s3cr3t",
    "https:/app.deepint.net/#a@s3cr3t",
  ];
  for (const url of urls) {
    const message = refusal(url);
    assert(!/s3cr3t|us3r/.test(message), message);
  }
});

Deno.test("taskUrl() is the web URL of a location", () => {
  const url = taskUrl(LOCATION);
  assertInstanceOf(url, URL);
  assertEquals(url.href, WEB);
  assertEquals(
    taskUrl({ ...LOCATION, instance: "http://127.0.0.1:8000" }).href,
    "http://127.0.0.1:8000/o/org-1/workspace?ws=ws-1&s=task&i=task-1",
  );
});

Deno.test("taskUrl() refuses ids and instances that would change the URL", () => {
  for (const id of ["", "..", "a/b", "a?b", "a#b", "a&b=c", "a%2Fb", "é", "x".repeat(129), "a\n"]) {
    for (const key of ["organizationId", "workspaceId", "taskId"]) {
      assertThrows(() => taskUrl({ ...LOCATION, [key]: id }), RangeError);
    }
  }
  for (const instance of ["", "http://app.deepint.net", "app.deepint.net/x", "a@b", "a?b", "a#b"]) {
    assertThrows(() => taskUrl({ ...LOCATION, instance }), RangeError);
  }
});
