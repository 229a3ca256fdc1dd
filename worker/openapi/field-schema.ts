/** The field tables that check Solvimon's events, as JSON Schema: one source for what is checked and what is told. */
import { CURRENCY, DECIMAL, DECIMAL_MAX, type FieldSpec, type Shape } from "../../shared/events/solvimon-fields.ts";
import { describeField } from "./field-descriptions.ts";
import { choice, type JsonSchema, nullable } from "./json-schema.ts";

/** The members of a table and which of them are required. */
export function fieldsSchema(fields: readonly FieldSpec[], parent = ""): JsonSchema {
  const required = fields.filter((field) => field.required).map((field) => field.name);
  return {
    type: "object",
    properties: Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field, parent)])),
    ...(required.length === 0 ? {} : { required }),
  };
}

function fieldSchema(field: FieldSpec, parent: string): JsonSchema {
  const description = field.description ?? describeField(field.name, parent);
  const schema = shapeSchema(field, field.name);
  return { ...(field.nullable ? nullableShape(field, schema) : schema), description };
}

/** What may be anything may be null already. */
function nullableShape(shape: Shape, schema: JsonSchema): JsonSchema {
  return shape.type === "any" ? schema : nullable(schema);
}

function shapeSchema(shape: Shape, name: string): JsonSchema {
  switch (shape.type) {
    case "object":
      return fieldsSchema(shape.members, name);
    case "list":
      return { type: "array", maxItems: shape.max, items: shapeSchema(shape.items, name) };
    case "string":
      return textSchema(shape);
    case "enum":
      return choice(shape.values);
    case "decimal":
      return { type: "string", pattern: DECIMAL.source, maxLength: DECIMAL_MAX, examples: ["12.50"] };
    case "boolean":
      return { type: "boolean" };
    case "date-time":
      return { type: "string", format: "date-time" };
    case "any-object":
      return { type: "object" };
    case "any":
      return {};
  }
}

/** Lengths count code points, in the check and in JSON Schema alike. */
function textSchema({ pattern, min, max }: Extract<Shape, { type: "string" }>): JsonSchema {
  return {
    type: "string",
    ...(pattern === undefined ? {} : { pattern: pattern.source }),
    ...(pattern === CURRENCY ? { examples: ["EUR"] } : {}),
    ...(min === undefined ? {} : { minLength: min }),
    ...(max === undefined ? {} : { maxLength: max }),
  };
}
