/** The schemas in `/openapi.json`, from the valibot schemas and their descriptions. */
import { toJsonSchemaDefs } from "@valibot/to-json-schema";
import * as v from "valibot";
import { Health } from "../../functions/http/problem_schema.ts";
import { ResolveRequest } from "../../functions/task/request_schema.ts";
import { Finished, Running, TaskBody, TaskProblem } from "../../functions/task/response_schema.ts";
import { WatchRequest } from "../../functions/watches/request_schema.ts";
import {
  WatchBody,
  WatchEvent,
  WatchItem,
  WatchList,
  WatchStats,
  WatchSweep,
} from "../../functions/watches/response_schema.ts";
import { DESCRIPTIONS, type Descriptions } from "./openapi_descriptions.ts";

/** A part of the document. */
export type Json = Record<string, unknown>;

function webhookEventSchema<T extends v.GenericSchema>(data: T) {
  return v.object({ type: v.string(), timestamp: v.optional(v.string()), data });
}

const definitions = toJsonSchemaDefs(
  {
    ...{ Task: TaskBody, Finished, Running, Health, Problem: TaskProblem },
    ...{
      ResolveRequest,
      ResolveEvent: webhookEventSchema(ResolveRequest),
      Watch: WatchBody,
      WatchRequest,
      WatchRequestEvent: webhookEventSchema(WatchRequest),
      WatchEvent,
      WatchItem,
      WatchList,
      WatchStats,
      WatchSweep,
    },
  },
  // what a caller sends, before it is transformed
  { overrideRef: ({ referenceId }) => `#/components/schemas/${referenceId}`, typeMode: "input" },
);

/** The name of a schema. */
export type SchemaName = keyof typeof definitions;

/** A JSON schema, as far as properties are found in it. */
export interface JsonSchema {
  description?: string;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: JsonSchema | boolean;
}

/** Returns the properties of a schema and of its parts by their paths, and the schema as `""`. */
export function propertiesOf(schema: JsonSchema, path = ""): Map<string, JsonSchema> {
  const found = new Map(path.endsWith("[]") ? [] : [[path, schema]]);
  const add = (part: JsonSchema, name: string) => {
    for (const [key, property] of propertiesOf(part, name)) found.set(key, property);
  };
  const prefix = path === "" ? "" : `${path}.`;
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    add(property, prefix + name);
  }
  if (schema.items) add(schema.items, `${path}[]`);
  if (typeof schema.additionalProperties === "object") {
    add(schema.additionalProperties, `${prefix}*`);
  }
  return found;
}

/** Adds the descriptions to a schema; throws for a description of no property. */
function describe(schema: JsonSchema, descriptions: Descriptions): JsonSchema {
  const described = structuredClone(schema);
  const properties = propertiesOf(described);
  for (const [path, description] of Object.entries(descriptions)) {
    const property = properties.get(path);
    if (!property) throw new Error(`There is no property "${path}" to describe`);
    property.description = description;
  }
  return described;
}

/** The schemas by their names. */
export const schemas = Object.fromEntries(
  Object.entries(definitions).map(([name, schema]) => [
    name,
    describe(schema as JsonSchema, DESCRIPTIONS[name] ?? {}),
  ]),
);

/** Returns a reference to a schema. */
export function ref(name: SchemaName): Json {
  return { $ref: `#/components/schemas/${name}` };
}

/** Returns a body of JSON. */
export function json(schema: Json, more: Json = {}): { content: Json } {
  return { content: { "application/json": { schema, ...more } } };
}

/** The task of the examples by its ids, and as in a response. */
export const IDS = { organization_id: "o-1", workspace_id: "w-1", task_id: "t-1" };
export const TASK = { organization_id: "o-1", workspace_id: "w-1", info: { id: "t-1" } };

/** A parameter without its name. */
export interface Parameter {
  description: string;
  schema?: Json;
}

/** Returns a parameter. */
export const parameter = (
  name: string,
  where: string,
  { description, schema }: Parameter,
): Json => ({
  name,
  in: where,
  description,
  required: where === "path",
  schema: schema ?? { type: "string" },
});
