import { assert, assertEquals, assertMatch } from "@std/assert";
import { Validator } from "@seriousme/openapi-schema-validator";
import { Ajv2020 } from "ajv/dist/2020.js";
import { createApp, readConfig } from "../../functions/app.ts";
import { PROBLEMS } from "../../functions/http/problem.ts";
import { WatchRequest } from "../../functions/watches/request_schema.ts";
import * as v from "valibot";
import { setUp } from "../helpers/endpoint.ts";
import { openapi } from "../tools/openapi.ts";
import { type JsonSchema, propertiesOf } from "../tools/openapi_schemas.ts";

interface Described {
  description?: string;
}
interface Example {
  $ref?: string;
  value?: Record<string, unknown>;
}
interface Answer extends Described {
  $ref?: string;
  headers?: Record<string, Described>;
  content?: Record<string, { schema: { $ref?: string }; examples?: Record<string, Example> }>;
}
interface Operation extends Described {
  operationId: string;
  summary?: string;
  tags?: string[];
  security?: Record<string, unknown>[];
  parameters?: (Described & { name: string })[];
  callbacks?: Record<string, Record<string, Record<string, Operation>>>;
  requestBody?: Described & {
    content: Record<string, { examples?: Record<string, { value: unknown }> }>;
  };
  responses: Record<string, Answer>;
}
interface Document {
  tags: (Described & { name: string })[];
  paths: Record<string, Record<string, Operation>>;
  components: {
    schemas: Record<string, JsonSchema>;
    responses: Record<string, Answer>;
    securitySchemes: Record<string, Described>;
    examples: Record<string, Example>;
  };
}

const { paths, components, tags }: Document = JSON.parse(openapi);

const operations = Object.values(paths).flatMap((path) => Object.values(path));

/** Every answer of every operation with a body, a shared one by its reference. */
const bodies = operations.flatMap((operation) =>
  Object.entries(operation.responses).flatMap(([status, answer]) => {
    const name = `${operation.operationId} ${status}`;
    const { content = {} } = answer.$ref ? components.responses[status] ?? {} : answer;
    return Object.entries(content).map(([type, body]) => ({ name, type, ...body }));
  })
);

/** Returns the value of an example. Those of several operations are references. */
function valueOf({ $ref = "", value }: Example) {
  return value ?? components.examples[$ref.replace("#/components/examples/", "")]?.value;
}

/** Responses without an example: this document, and pages, which equal their JSON. */
const UNSHOWN = ({ name, type }: typeof bodies[number]) =>
  name === "openapi 200" || type === "text/html";

const served = new URL("../../functions/openapi.json", import.meta.url);

Deno.test("functions/openapi.json is what `deno task openapi` generates", async () => {
  assertEquals(await Deno.readTextFile(served), openapi);
});

Deno.test("the document is valid OpenAPI 3.1", async () => {
  const validator = new Validator();
  const { valid, errors } = await validator.validate(JSON.parse(openapi));
  assert(valid, JSON.stringify(errors, null, 2));
  assertEquals(validator.version, "3.1");

  const broken = JSON.parse(openapi);
  broken.paths["/health"].get.responses = { 200: {} };
  assertEquals((await new Validator().validate(broken)).valid, false, "it finds what is wrong");
});

Deno.test("every response of every route has an example from the app", () => {
  const missing = bodies.filter((body) => !UNSHOWN(body) && !body.examples).map(({ name }) => name);
  assertEquals(missing, [], "add them to ANSWERS in tests/tools/openapi_examples.ts");
  assert(bodies.length > 30);
});

Deno.test("every problem has an example of its type and status", () => {
  for (const [name, { status, title }] of Object.entries(PROBLEMS)) {
    const { examples } = components.responses[status]?.content?.["application/problem+json"] ?? {};
    const value = valueOf(examples?.[name] ?? {});
    assertEquals([value?.type, value?.status, value?.title], [`/problems/${name}`, status, title]);
  }
});

Deno.test("every example matches the schema of its response", () => {
  const formats = { "date-time": /^\d{4}-\d\d-\d\dT.+Z$/, uri: /^https?:/ };
  const ajv = new Ajv2020({ strict: false, formats });
  ajv.addSchema({ $id: "openapi", ...JSON.parse(openapi) });
  let matched = 0;
  for (const { name, schema, examples = {} } of bodies) {
    const validate = ajv.compile(schema.$ref ? { $ref: `openapi${schema.$ref}` } : schema);
    for (const [title, example] of Object.entries(examples)) {
      assert(validate(valueOf(example)), `${name}, ${title}: ${ajv.errorsText(validate.errors)}`);
      matched++;
    }
    if (schema.$ref) assertEquals(validate({}), false, `${name} takes anything`);
  }
  assert(matched > bodies.length - 2, "the examples were looked at");
});

Deno.test("every operation has a tag, a short summary, a description and its security", () => {
  const names = tags.map(({ name }) => name);
  const used = new Set<string>();
  for (const { operationId, tags = [], summary = "", description, security } of operations) {
    assertEquals(tags.map((tag) => names.includes(tag)), [true], operationId);
    for (const tag of tags) used.add(tag);
    const words = summary.split(" ").length;
    assert(words >= 2 && words <= 5, `${operationId}: ${summary}`);
    assertMatch(description ?? "", /\w.*\.$/s, operationId);
    assert(Array.isArray(security), operationId);
  }
  assertEquals([...used].sort(), names.sort(), "no tag without an operation");
  const summaries = operations.map(({ summary }) => summary);
  assertEquals(new Set(summaries).size, summaries.length, "no summary twice");
});

Deno.test("every property, parameter, header, response and scheme has a description", () => {
  const described = new Map<string, Described>();
  for (const [name, schema] of Object.entries(components.schemas)) {
    for (const [path, property] of propertiesOf(schema)) described.set(`${name} ${path}`, property);
  }
  const addResponses = (name: string, responses: Record<string, Answer>) => {
    for (const [status, response] of Object.entries(responses)) {
      if (response.$ref) continue;
      described.set(`${name} ${status}`, response);
      for (const [header, it] of Object.entries(response.headers ?? {})) {
        described.set(`${name} ${status} ${header}`, it);
      }
    }
  };
  addResponses("problems", components.responses);
  const callbacks = operations.flatMap(({ callbacks = {} }) =>
    Object.values(callbacks).flatMap((urls) =>
      Object.values(urls).flatMap((methods) => Object.values(methods))
    )
  );
  assertEquals(callbacks.length, 1);
  for (const operation of [...operations, ...callbacks]) {
    const { operationId: name, parameters = [], requestBody, responses } = operation;
    described.set(name, operation);
    for (const it of parameters) described.set(`${name} ${it.name}`, it);
    if (requestBody) described.set(`${name} body`, requestBody);
    addResponses(name, responses);
  }
  for (const [name, it] of Object.entries(components.securitySchemes)) described.set(name, it);
  for (const it of tags) described.set(it.name, it);
  const missing = [...described].filter(([, { description = "" }]) =>
    !/^\S.+\.$/s.test(description)
  );
  assertEquals(missing.map(([name]) => name), []);
  assert(described.size > 250, `${described.size} were looked at`);
});

Deno.test("a route that takes a key takes it in both headers", () => {
  for (const { operationId, security = [] } of operations) {
    const schemes = security.flatMap((scheme) => Object.keys(scheme));
    assertEquals(schemes.includes("bearer"), schemes.includes("apiKey"), operationId);
    for (const scheme of schemes) assert(scheme in components.securitySchemes, scheme);
  }
  assertEquals(operations.filter(({ security = [] }) => security.length > 0).length, 11);
});

Deno.test("the endpoint accepts every example of a request", async () => {
  const endpoint = setUp();
  endpoint.platform.add({ id: "t-1", organization: "o-1", workspace: "w-1" });
  const examples = (path: string) =>
    Object.values(paths[path]?.post?.requestBody?.content["application/json"]?.examples ?? {});
  const questions = await Promise.all(
    examples("/resolve").map(async ({ value }) => (await endpoint.bearer(value)).status),
  );
  assertEquals(questions, [202, 202, 202, 202, 202]);
  const orders = examples("/watches").map(({ value }) => v.safeParse(WatchRequest, value).success);
  assertEquals(orders, [true, true]);
});

Deno.test("the request of a watch is described, plain and as an event", () => {
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema({ $id: "openapi", ...JSON.parse(openapi) });
  const path = "openapi#/paths/~1watches/post";
  const validate = ajv.compile({
    $ref: `${path}/requestBody/content/application~1json/schema`,
  });
  const data = { task_id: "t-1", callback_url: "https://hooks.example/end", deadline: "60" };
  for (const body of [data, { type: "task.started", data }]) assert(validate(body));
  for (const body of [{ task_id: "t-1" }, { type: "task.started", data: {} }]) {
    assertEquals(validate(body), false);
  }
});

Deno.test("no example contains a secret", () => {
  assertMatch(openapi, /"request_id":"request-1"/);
  assert(!/canary|whsec_/.test(openapi));
});

Deno.test("every reference in the document resolves", () => {
  const document = JSON.parse(openapi);
  const references = [...openapi.matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path = ""]) => path);
  assert(references.length > 30);
  for (const path of references) {
    const found = path.split("/").reduce((at, key) => at?.[key], document);
    assert(found !== undefined, path);
  }
});

Deno.test("every status of a problem is a response of some route", () => {
  const { paths } = JSON.parse(openapi) as {
    paths: Record<string, Record<string, { responses: Record<string, unknown> }>>;
  };
  const methods = Object.values(paths).flatMap((path) => Object.values(path));
  const documented = new Set(methods.flatMap(({ responses }) => Object.keys(responses)));
  for (const { status } of Object.values(PROBLEMS)) {
    assert(documented.has(String(status)), `${status}`);
  }
});

Deno.test("the served document has the base path as its server", async () => {
  const app = createApp(readConfig({
    DEEPINT_TOKEN: "a-token",
    RESOLVE_API_KEYS: "a-key-of-16-characters-or-more",
    RESOLVE_BASE_PATH: "/resolve-task",
  }));
  const answer = await app.request("/resolve-task/openapi.json");
  const { servers, ...rest } = await answer.json();
  assertEquals(servers, [{ url: "/resolve-task" }]);
  assertEquals(rest, JSON.parse(openapi));
});
