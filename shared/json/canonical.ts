import { JsonNumber, type JsonValue } from "./value.ts";

/**
 * Canonical text of a value by RFC 8785 (keys sorted by UTF-16 code units, shortest escapes, no white space),
 * but with numbers by their source text: 1 and 1.0 are different contents.
 */
export function canonicalText(value: JsonValue): string {
  if (typeof value === "string") return JSON.stringify(value);
  if (value === null || typeof value === "boolean") return String(value);
  if (value instanceof JsonNumber) return value.text;
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  const keys = [...value.keys()].sort();
  const members = keys.map((key) => `${JSON.stringify(key)}:${canonicalText(value.get(key) ?? null)}`);
  return `{${members.join(",")}}`;
}
