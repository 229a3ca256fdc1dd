/** JSON Schema (2020-12, as OpenAPI 3.1 takes it) by a few words, so that a schema reads like what it describes. */

export type JsonSchema = Readonly<Record<string, unknown>>;
export type Members = Readonly<Record<string, JsonSchema>>;

/** An object of required and optional members; others may stand beside them unless `more` forbids it. */
export function object(required: Members, optional: Members = {}, more: JsonSchema = {}): JsonSchema {
  const names = Object.keys(required);
  return {
    type: "object",
    properties: { ...required, ...optional },
    ...(names.length === 0 ? {} : { required: names }),
    ...more,
  };
}

export function list(items: JsonSchema, more: JsonSchema = {}): JsonSchema {
  return { type: "array", items, ...more };
}

/** The same schema, null allowed. */
export function nullable(schema: JsonSchema): JsonSchema {
  if (typeof schema["type"] !== "string") return { anyOf: [schema, { type: "null" }] };
  const values = schema["enum"];
  return {
    ...schema,
    type: [schema["type"], "null"],
    ...(Array.isArray(values) ? { enum: [...values, null] } : {}),
  };
}

export function described(schema: JsonSchema, description: string): JsonSchema {
  return { ...schema, description };
}

export const TEXT: JsonSchema = { type: "string" };
export const TIME: JsonSchema = { type: "string", format: "date-time" };
export const COUNT: JsonSchema = { type: "integer", minimum: 0 };
export const INDEX: JsonSchema = { type: "integer", minimum: 0, description: "Which event of the body, from 0." };

export function choice(values: readonly string[], description?: string): JsonSchema {
  return { type: "string", enum: [...values], ...(description === undefined ? {} : { description }) };
}
