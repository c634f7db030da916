// Instances: of credentials, and of task URLs.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { Credentials, parseTaskUrl } from "../../mod.ts";

/** The paths of the web URL and the API URL of a task. */
const PATHS = ["/o/org-1/workspace?ws=ws-1&s=task&i=task-1", "/api/v1/workspace/ws-1/task/task-1"];

/** Returns the instance of credentials. */
function instanceOf(instance: string): string {
  return new Credentials({ token: "a-token", instance }).instance;
}

/** Returns the instance of each form of a task URL at an origin. */
function instancesOfUrls(origin: string): string[] {
  const options = { organizationId: "org-1" };
  return PATHS.map((path) => parseTaskUrl(origin + path, options).instance);
}

Deno.test("the instance of an origin is its host, with a port that is not the default", () => {
  const origins = {
    "https://app.deepint.net": "app.deepint.net",
    "HTTPS://APP.DeepInt.NET": "app.deepint.net",
    "https://app.deepint.net:443": "app.deepint.net",
    "https://app.deepint.net:8443": "app.deepint.net:8443",
    "https://other.example": "other.example",
    "https://127.0.0.1:8443": "127.0.0.1:8443",
    "https://[::1]": "[::1]",
    "http://127.0.0.1": "http://127.0.0.1",
    "http://127.0.0.1:80": "http://127.0.0.1",
    "http://127.0.0.1:443": "http://127.0.0.1:443",
    "http://127.9.8.7:1": "http://127.9.8.7:1",
    "http://127.255.255.254": "http://127.255.255.254",
    "http://localhost:8000": "http://localhost:8000",
    "http://[::1]:8000": "http://[::1]:8000",
  };
  for (const [origin, instance] of Object.entries(origins)) {
    assertEquals([instanceOf(origin), ...instancesOfUrls(origin)], Array(3).fill(instance), origin);
  }
});

Deno.test("the instance of credentials may be host[:port]", () => {
  const hosts = {
    "app.deepint.net": "app.deepint.net",
    "APP.deepint.net": "app.deepint.net",
    "app.deepint.net:443": "app.deepint.net",
    "app.deepint.net:8443": "app.deepint.net:8443",
    "localhost:8000": "localhost:8000",
    "[::1]:8443": "[::1]:8443",
  };
  for (const [host, instance] of Object.entries(hosts)) assertEquals(instanceOf(host), instance);
  assertEquals(new Credentials({ token: "a-token" }).instance, "app.deepint.net");
});

Deno.test("an instance is https except on loopback", () => {
  const hosts = [
    "app.deepint.net",
    "10.0.0.1",
    "128.0.0.1",
    "126.255.255.255",
    "127.0.0.1.example.com",
    "localhost.example.com",
    "notlocalhost",
    "[::2]",
    "[::ffff:8.8.8.8]",
    "0.0.0.0",
  ];
  const schemes = ["ftp", "ws", "file", "javascript", "data"];
  for (
    const origin of [
      ...hosts.map((host) => `http://${host}`),
      ...schemes.map((scheme) => `${scheme}://127.0.0.1`),
    ]
  ) {
    assertThrows(() => instanceOf(origin), RangeError, undefined, `accepted ${origin}`);
    assertThrows(() => instancesOfUrls(origin), RangeError, undefined, `accepted ${origin}`);
  }
});

Deno.test("an instance with a path, a query, a fragment or user info is refused", () => {
  const instances = [
    "",
    " ",
    "https://",
    "app.deepint.net/api",
    "app.deepint.net/api/v1",
    "https://app.deepint.net/api",
    "//app.deepint.net",
    "app.deepint.net?x=1",
    "https://app.deepint.net?x",
    "app.deepint.net#x",
    "user@app.deepint.net",
    "https://user:word@app.deepint.net",
    "http://user:word@127.0.0.1",
    "http://127.0.0.1:8000@example.com",
    "app.deepint.net\\@example.com",
    "app.deepint.net\\x",
    "app.deepint.net:99999",
    "app.deepint.net:port",
    "app.deepint.net other",
    "app.deepint.net\nother",
    "app.deep\tint.net",
    "app.deepint.net%2F",
  ];
  for (const instance of instances) {
    assertThrows(() => instanceOf(instance), RangeError, undefined, `accepted ${instance}`);
  }
});

Deno.test("the error for an instance quotes neither user info nor query", () => {
  const instances = [
    "https://us3r:pa55word@app.deepint.net",
    "us3r:pa55word@app.deepint.net/path",
    "https://app.deepint.net?x-auth-token=s3cr3t",
    "app.deepint.net/?x-auth-token=s3cr3t",
    "app.deepint.net#s3cr3t",
  ];
  for (const instance of instances) {
    const { message } = assertThrows(() => instanceOf(instance), RangeError);
    assert(!/us3r|pa55word|s3cr3t/.test(message), message);
  }
});
