/** What the document says of Solvimon's events and what the routes check are one: value by value, the same verdict. */

import { Validator } from "@cfworker/json-schema";
import { describe, expect, it } from "vitest";
import type { SolvimonKind } from "../../shared/events/kind.ts";
import { checkSolvimonEvent, FIELDS } from "../../shared/events/solvimon-fields.ts";
import { scanDocument } from "../../shared/json/document.ts";
import { EXAMPLE } from "../../worker/openapi/solvimon-examples.ts";
import { schemaName } from "../../worker/openapi/solvimon-schemas.ts";
import { createOpenApiDocument } from "../../worker/routes.ts";

const { schemas } = createOpenApiDocument().components;
const KINDS = Object.keys(FIELDS) as SolvimonKind[];
const EUR = { quantity: "1", currency: "EUR" };

/** Values that some field takes and another refuses; undefined leaves the field out. */
const VALUES: readonly unknown[] = [
  undefined,
  null,
  "",
  "x",
  "1.5",
  "-0.1",
  "1.",
  "a b+c",
  "line\nbreak",
  "x".repeat(256),
  "😀".repeat(256),
  "x".repeat(257),
  "2026-01-01T00:00:00Z",
  "2026-13-01T00:00:00Z",
  "2026-01-01",
  1.5,
  true,
  [],
  [{}],
  [{ value: null, number: "1" }],
  [{ number: 1 }],
  {},
  EUR,
  { ...EUR, currency: "eur" },
  { quantity: "1" },
  { number: "1" },
  { number: "1", count: "1" },
  { amount: EUR },
  { amount: { quantity: 1, currency: "EUR" } },
  { start_at: "2026-01-01T00:00:00Z", end_at: "2026-02-01T00:00:00Z" },
  { start_at: "2026-01-01T00:00:00Z" },
  { start_at: "2026-01-01T00:00:00Z", end_at: "2026-02-01T00:00:00Z", ratio: null },
  { data: [{ field: "a", value: null }], fallback: "LATEST" },
  { rules: [{ type: "x" }] },
  { fallback: "FIRST" },
  { fallback: null },
];

describe.each(KINDS)("%s", (kind) => {
  const document = { $ref: `#/components/schemas/${schemaName(kind)}`, components: { schemas } };
  const validator = new Validator(document, "2020-12", true);

  it.each(FIELDS[kind].map(({ name }) => name))("%s is documented as it is checked", (name) => {
    for (const value of VALUES) {
      const text = JSON.stringify({ ...EXAMPLE[kind], [name]: value });
      const scanned = scanDocument(text);
      if (scanned.kind === "invalid" || !(scanned.value instanceof Map)) throw new Error("no object");
      const faults = checkSolvimonEvent(kind, scanned.value);
      expect(validator.validate(JSON.parse(text)).valid, `${JSON.stringify(value)}`).toBe(faults.length === 0);
    }
  });

  it("read-only fields may stand in a request, whatever they hold", () => {
    for (const value of VALUES) {
      const event = { ...EXAMPLE[kind], object_type: value ?? null, id: value ?? null };
      expect(validator.validate(JSON.parse(JSON.stringify(event))).valid).toBe(true);
    }
  });
});
