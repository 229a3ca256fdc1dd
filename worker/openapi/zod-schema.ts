/** A zod schema as the JSON Schema of what it takes. */
import { z } from "zod";
import type { JsonSchema } from "./json-schema.ts";

export function zodSchema(schema: z.ZodType): JsonSchema {
  const { $schema: _dialect, ...converted } = z.toJSONSchema(schema, { io: "input", target: "draft-2020-12" });
  return converted;
}
