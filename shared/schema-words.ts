/** What a zod schema finds wrong, in words for whoever sent the document. zod's own are for its programmers. */
import type { z } from "zod";

const TYPE: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
};

/** Characters of a field's name that are repeated to whoever sent it. */
const NAME_SHOWN = 80;

/**
 * To be given to a parse as `error`. What a schema says of itself (`.regex(…, "must be …")`) stands; only where it says
 * nothing does this speak.
 */
export const schemaWords: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case "invalid_type":
      if (issue.input === undefined) return "is required and absent";
      return `must be ${TYPE[issue.expected] ?? "of another type"}`;
    case "too_small":
      if (issue.origin === "string" && issue.minimum === 1) return "may not be empty";
      return `must ${HAS_SIZE.has(issue.origin) ? "have" : "be"} at least ${sized(issue.minimum, issue.origin)}`;
    case "too_big":
      return `must ${HAS_SIZE.has(issue.origin) ? "have" : "be"} at most ${sized(issue.maximum, issue.origin)}`;
    case "invalid_value":
      return `must be one of ${issue.values.map(String).join(", ")}`;
    case "unrecognized_keys":
      return `has unknown fields: ${issue.keys.map((name) => JSON.stringify(name.slice(0, NAME_SHOWN))).join(", ")}`;
    case "not_multiple_of":
      return `must be a multiple of ${issue.divisor}`;
    default:
      return "has a form that is not accepted here";
  }
};

/** What is measured by how much it holds. */
const HAS_SIZE: ReadonlySet<string> = new Set(["string", "array"]);

function sized(bound: number | bigint, origin: string): string {
  if (origin === "string") return `${bound} ${bound === 1 ? "character" : "characters"}`;
  if (origin === "array") return `${bound} ${bound === 1 ? "member" : "members"}`;
  return String(bound);
}
