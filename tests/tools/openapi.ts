/**
 * Generates `functions/openapi.json` from the valibot schemas and the table of problems: `deno task
 * openapi`. The endpoint serves the file as it is; a test checks that it is current.
 */
import config from "../../deno.json" with { type: "json" };
import { answers } from "./openapi_examples.ts";
import { paths, tags } from "./openapi_paths.ts";
import { problemResponses, securitySchemes } from "./openapi_responses.ts";
import { type Json, schemas } from "./openapi_schemas.ts";

const document = {
  openapi: "3.1.0",
  info: {
    title: "Task endpoint",
    version: config.version,
    description:
      "Resolves tasks of Deep Intelligence with one bounded poll per request. Every response has an " +
      "`X-Request-Id`: the caller's, or a new one.",
    license: { name: config.license, identifier: config.license },
  },
  tags,
  components: { schemas, responses: problemResponses, securitySchemes },
  paths,
};

interface Described {
  content?: Record<string, Json>;
}

/** Adds an example to every response, as the endpoint sends it. Those of several operations are shared. */
async function withExamples(): Promise<Json> {
  const shown = structuredClone(document) as unknown as Json & {
    paths: Record<string, Record<string, { operationId: string; responses: Json }>>;
    components: { responses: Json };
  };
  const operations = Object.values(shown.paths).flatMap((path) => Object.values(path));
  const examples: Json = {};
  const answered = await answers();
  for (const { name, operation, status, type, body } of answered) {
    const example = { value: body };
    const isShared = answered.filter((other) => other.name === name).length > 1;
    if (isShared) examples[name] = example;
    const responses = operation === undefined
      ? shown.components.responses
      : operations.find(({ operationId }) => operationId === operation)?.responses;
    const content = (responses?.[status] as Described | undefined)?.content?.[type];
    if (!content) throw new Error(`${operation ?? name} has no answer ${status} of ${type}`);
    content.examples = {
      ...content.examples as Json | undefined,
      [name]: isShared ? { $ref: `#/components/examples/${name}` } : example,
    };
  }
  return { ...shown, components: { ...shown.components, examples } };
}

/** Text of the document, the content of `functions/openapi.json`. */
export const openapi: string = JSON.stringify(await withExamples()) + "\n";

if (import.meta.main) {
  await Deno.writeTextFile(new URL("../../functions/openapi.json", import.meta.url), openapi);
}
