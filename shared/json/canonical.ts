import { canonicalTextAt } from "./canonical-bytes.ts";
import { type FieldValue, SpanList, SpanObject } from "./span.ts";
import { JsonNumber } from "./value.ts";

/**
 * Canonical text of a value by RFC 8785 (keys sorted by UTF-16 code units, shortest escapes, no white space),
 * but with numbers by their source text: 1 and 1.0 are different contents.
 */
export function canonicalText(value: FieldValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof JsonNumber) return value.text;
  if (value instanceof SpanObject || value instanceof SpanList)
    return canonicalTextAt(value.bytes, value.from, value.to);
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  return canonicalObject([...value].map(([key, member]) => [key, canonicalText(member)]));
}

/** An object's canonical text, of its members' names and their values' canonical texts. */
function canonicalObject(members: (readonly [string, string])[]): string {
  // By UTF-16 code units (RFC 8785, section 3.2.3), as `<` compares.
  members.sort(([one], [other]) => (one < other ? -1 : 1));
  return `{${members.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(",")}}`;
}
