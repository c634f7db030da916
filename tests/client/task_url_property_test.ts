// Task URLs and instances that are generated, most of them hostile.
import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import fc from "fast-check";
import { Credentials, parseTaskUrl, Task, type TaskLocation, taskUrl } from "../../mod.ts";
import { apiUrl, hostile, hostileUrl, instance, location } from "../helpers/hostile.ts";
import { checkProperty } from "../helpers/property.ts";

const ID = /^[A-Za-z0-9_-]{1,128}$/;

function instanceOf(instance: string): string {
  return new Credentials({ token: "a-token", instance }).instance;
}

Deno.test("parseTaskUrl() reads back what taskUrl() writes, for 10,000 generated locations", async (t) => {
  await checkProperty(
    t,
    fc.property(location, fc.constantFrom("task", "tasks"), (location, tasks) => {
      assertEquals(parseTaskUrl(taskUrl(location)), location);
      assertEquals(parseTaskUrl(taskUrl(location).href), location);
      const { organizationId } = location;
      assertEquals(parseTaskUrl(apiUrl(location, tasks), { organizationId }), location);
    }),
  );
});

Deno.test("20,000 hostile URLs are each a RangeError or parsed correctly", async (t) => {
  let accepted = 0;
  await checkProperty(
    t,
    fc.property(hostileUrl, fc.boolean(), (text, named) => {
      let location: TaskLocation;
      try {
        location = parseTaskUrl(text, named ? { organizationId: "org-1" } : {});
      } catch (error) {
        assertInstanceOf(error, RangeError);
        assert(error.message.length < 1_000, `a message of ${error.message.length} characters`);
        assert(!/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(error.message), error.message);
        return;
      }
      accepted++;
      const { instance, organizationId, workspaceId, taskId } = location;
      for (const id of [organizationId, workspaceId, taskId]) assert(ID.test(id), id);
      const url = new URL(text);
      assertEquals(instance, url.protocol === "https:" ? url.host : url.origin);
      assert(
        url.protocol === "https:" || /^(127\.[\d.]+|localhost|\[::1\])$/.test(url.hostname),
        url.hostname,
      );
      assertEquals([url.username, url.password], ["", ""]);
      const path = url.pathname.replace(/\/$/, "");
      if (path.startsWith("/api/")) {
        assertEquals(path.replace("/tasks/", "/task/"), new URL(apiUrl(location)).pathname);
      } else {
        assertEquals(path, `/o/${organizationId}/workspace`);
        for (const [name, value] of [["ws", workspaceId], ["s", "task"], ["i", taskId]] as const) {
          assertEquals(url.searchParams.getAll(name), [value]);
        }
      }
    }),
    { cases: 20_000 },
  );
  assert(accepted > 500, `${accepted} accepted: the mutations are all refused for one reason`);
});

Deno.test("10,000 hostile URLs request no path but that of their task", async (t) => {
  const credentials = new Credentials({ token: "a-token", instance: "app.deepint.net" });
  let requested = 0;
  await checkProperty(
    t,
    fc.asyncProperty(hostileUrl, async (text) => {
      const urls: string[] = [];
      const fetch = (url: string) => {
        urls.push(url);
        return Promise.resolve(Response.json({ status: "running" }));
      };
      try {
        const options = { credentials, fetch, organizationId: "org-1" };
        const { workspaceId, taskId } = await Task.fromUrl(text, options);
        const path = `/api/v1/workspace/${workspaceId}/task/${taskId}`;
        assertEquals(urls, [`https://app.deepint.net${path}`]);
        assertEquals(new URL(`${urls[0]}`).href, `${urls[0]}`);
        requested++;
      } catch (error) {
        assertInstanceOf(error, RangeError);
        assertEquals(urls, []);
      }
    }),
  );
  assert(requested > 50, `${requested} requests: hardly any URL was one of the instance`);
});

Deno.test("errors for 10,000 hostile URLs quote no user info, query or fragment", async (t) => {
  const secrets = fc.tuple(location, fc.boolean(), fc.boolean(), fc.boolean()).map(
    ([location, userInfo, query, fragment]) => {
      const url = taskUrl(location).href + (query ? "&key=s3cr3t" : "") +
        (fragment ? "#s3cr3t" : "");
      return userInfo ? url.replace("://", "://us3r:s3cr3t@") : url;
    },
  );
  const inserts = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), hostile), {
    maxLength: 3,
  });
  await checkProperty(
    t,
    fc.property(secrets, inserts, (url, inserts) => {
      const text = inserts.reduce((url, [where, text]) => {
        const at = Math.floor(where * (url.length + 1));
        return url.slice(0, at) + text + url.slice(at);
      }, url);
      // what the mutation has made a part of the path or of the host is no secret's place
      const parsed = URL.canParse(text) ? new URL(text) : undefined;
      const authority = `${parsed?.host}${parsed?.pathname}`;
      fc.pre(!/us3r|s3cr3t/.test(authority));
      try {
        parseTaskUrl(text);
      } catch (error) {
        assertInstanceOf(error, RangeError);
        assert(!/us3r|s3cr3t/.test(error.message), error.message);
      }
    }),
  );
});

Deno.test("10,000 generated instances are each a RangeError or the origin of requests", async (t) => {
  const text = fc.tuple(instance, fc.array(fc.tuple(fc.nat(30), hostile), { maxLength: 2 })).map((
    [instance, inserts],
  ) => inserts.reduce((text, [at, more]) => text.slice(0, at) + more + text.slice(at), instance));
  let accepted = 0;
  await checkProperty(
    t,
    fc.property(text, (text) => {
      let instance: string;
      try {
        instance = instanceOf(text);
      } catch (error) {
        assertInstanceOf(error, RangeError);
        return;
      }
      accepted++;
      const url = new URL(instance.includes("://") ? instance : `https://${instance}`);
      assertEquals(instance, url.protocol === "https:" ? url.host : url.origin);
      assertEquals([url.username, url.password, url.pathname, url.search], ["", "", "/", ""]);
      if (url.protocol !== "https:") assert(/^(127\.|localhost|\[::1\])/.test(url.hostname), text);
      assertEquals(instanceOf(instance), instance, "not in its one form");
    }),
  );
  assert(accepted > 500, `${accepted} accepted`);
});
