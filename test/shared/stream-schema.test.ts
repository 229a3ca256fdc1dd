import { describe, expect, test } from "vitest";
import { compileCheck, type FieldType, type StreamSchema, streamSchema } from "../../shared/events/stream-schema.ts";
import { scanJson } from "../../shared/json/bodies.ts";
import type { JsonObject } from "../../shared/json/value.ts";

function event(text: string): JsonObject {
  const scanned = scanJson(text, { eventsMax: 1, eventBytesMax: 100_000 });
  if (scanned.kind === "invalid") throw new Error(`${scanned.error.message}: ${text}`);
  const [first] = scanned.events;
  if (first === undefined) throw new Error("no event");
  return first.value;
}

/** The fields an event is faulted for, in order. */
const faulted = (stream: Partial<StreamSchema>, text: string) =>
  compileCheck({ meter_global_id: "m", ...stream })(event(text)).map((fault) => fault.field);

const one = (type: FieldType, required = true) => ({ fields: [{ name: "f", type, required }] });

const RIGHT: Record<FieldType, string[]> = {
  string: ['"x"', '""', '"1"', '"null"'],
  number: ["0", "-1", "1.5", "1e3", "0.1234567890123456789", "12345678901234567890"],
  integer: ["0", "-1", "-0", "12345678901234567890123"],
  boolean: ["true", "false"],
  "date-time": ['"2026-01-31T10:00:00Z"', '"2024-02-29t23:59:59.5+01:00"'],
};
const WRONG: Record<FieldType, string[]> = {
  string: ["1", "true", "[]", "{}", '["x"]'],
  number: ['"1"', '""', "true", "[]", "{}"],
  integer: ["1.0", "1e3", "1E0", "-1.5", '"1"', "true", "[1]", "{}"],
  boolean: ['"true"', "0", "1", "[]", "{}"],
  "date-time": ['"2026-02-30T10:00:00Z"', '"2026-01-31T10:00:00"', '"2026-01-31"', '""', "1767225600", "true", "{}"],
};
const TYPES = Object.keys(RIGHT) as FieldType[];

describe.each(TYPES)("a field of type %s", (type) => {
  test.each(RIGHT[type])("takes %s", (value) => {
    expect(faulted(one(type), `{"f":${value}}`)).toEqual([]);
    expect(faulted(one(type, false), `{"f":${value}}`)).toEqual([]);
  });

  test.each(WRONG[type])("refuses %s, required or not", (value) => {
    expect(faulted(one(type), `{"f":${value}}`)).toEqual(["f"]);
    expect(faulted(one(type, false), `{"f":${value}}`)).toEqual(["f"]);
  });

  test("may be absent or null where it is optional, and neither where it is required", () => {
    for (const text of ["{}", '{"f":null}']) {
      expect(faulted(one(type, false), text)).toEqual([]);
      expect(faulted(one(type), text)).toEqual(["f"]);
    }
  });
});

describe("an event's validation errors", () => {
  test("say the field, the code of a validation error, and what is wrong", () => {
    const check = compileCheck({ meter_global_id: "m" });
    const faults = check(event('{"UsageIdentifier":null,"UsageDate":"yesterday","Quantity":"3"}'));
    expect(faults).toEqual([
      { code: 70000000, field: "CustomerId", message: "CustomerId is required and absent" },
      { code: 70000000, field: "UsageIdentifier", message: "UsageIdentifier is required and may not be null" },
      {
        code: 70000000,
        field: "UsageDate",
        message: expect.stringMatching(/^UsageDate must be a date-time.*got a string/),
      },
      { code: 70000000, field: "Quantity", message: "Quantity must be a number, got a string" },
    ]);
  });

  test("name no field of another event of the same check", () => {
    const check = compileCheck({ meter_global_id: "m" });
    expect(check(event("{}"))).toHaveLength(4);
    const good = '{"CustomerId":"c","UsageIdentifier":"u","UsageDate":"2026-01-31T10:00:00Z","Quantity":1}';
    expect(check(event(good))).toEqual([]);
  });

  test("are looked for in the default four fields where the meter names none, and in none where its list is empty", () => {
    expect(faulted({}, "{}")).toEqual(["CustomerId", "UsageIdentifier", "UsageDate", "Quantity"]);
    expect(faulted({ fields: [] }, "{}")).toEqual([]);
  });
});

describe("fields that the schema does not name", () => {
  test("are kept by an open stream", () => {
    expect(faulted(one("string"), '{"f":"x","g":1,"constructor":{}}')).toEqual([]);
    expect(faulted({ ...one("string"), strict: false }, '{"f":"x","g":1}')).toEqual([]);
  });

  test("are refused one by one by a strict stream, null or not", () => {
    const strict = { ...one("string", false), strict: true };
    expect(faulted(strict, '{"g":1,"f":"x","h":null,"constructor":1,"F":2}')).toEqual(["g", "h", "constructor", "F"]);
    expect(faulted(strict, '{"f":"x"}')).toEqual([]);
    expect(faulted(strict, "{}")).toEqual([]);
  });

  test("may hold the event id, also of a strict stream", () => {
    const stream = { ...one("string", false), strict: true, event_id_field: "eid" };
    for (const text of ["{}", '{"eid":null}', '{"eid":""}', '{"eid":"x"}', '{"eid":17}', '{"eid":1.50}']) {
      expect(faulted(stream, text), text).toEqual([]);
    }
    for (const text of ['{"eid":true}', '{"eid":[]}', '{"eid":{}}', '{"eid":["x"]}']) {
      expect(faulted(stream, text), text).toEqual(["eid"]);
    }
  });

  test("are no matter where the event id is one of the named: its own type decides, once", () => {
    const stream = { fields: [{ name: "eid", type: "integer" as const, required: true }], event_id_field: "eid" };
    expect(faulted(stream, '{"eid":"x"}')).toEqual(["eid"]);
    expect(faulted(stream, '{"eid":true}')).toEqual(["eid"]);
    expect(faulted(stream, "{}")).toEqual(["eid"]);
    expect(faulted(stream, '{"eid":5}')).toEqual([]);
  });
});

describe("a stream's own schema", () => {
  const takes = (document: object) => streamSchema.safeParse({ meter_global_id: "m", ...document }).success;

  test("takes every field the catalog may name", () => {
    const feeds = {
      meter_reference: "r",
      meter_value_reference: "v",
      customer_field: "c",
      quantity_field: "q",
      properties: { P: "p" },
    };
    const fields = TYPES.map((type) => ({ name: type, type, required: false }));
    expect(takes({})).toBe(true);
    const names = { event_id_field: "i", event_time_field: "t", customer_field: "c" };
    expect(takes({ name: "n", strict: true, ...names, fields, feeds })).toBe(true);
  });

  test.each<[string, object]>([
    ["an unknown member", { fileds: [] }],
    ["an empty meter id", { meter_global_id: "" }],
    ["an unknown type", { fields: [{ name: "a", type: "float", required: true }] }],
    ["a field without required", { fields: [{ name: "a", type: "string" }] }],
    ["a field without a name", { fields: [{ name: "", type: "string", required: true }] }],
    ["an unknown member of a field", { fields: [{ name: "a", type: "string", required: true, max: 1 }] }],
    ["feeds without a meter value", { feeds: { meter_reference: "r" } }],
    ["null for strict", { strict: null }],
  ])("refuses %s", (_, document) => {
    expect(takes(document)).toBe(false);
  });
});

test("one check tells each event's own errors, one event after another", () => {
  const fields = ["a", "b"].map((name) => ({ name, type: "string" as const, required: true }));
  const check = compileCheck({ meter_global_id: "m", fields });
  const told = ['{"a":1}', '{"a":1}', '{"a":"x"}', '{"b":"x"}', "{}", '{"a":"x","b":"x"}', '{"b":"x"}'].map((text) =>
    check(event(text)).map(({ field, message }) => `${field}: ${message.replace(/^\w+ /, "")}`),
  );
  const [wrong, absent] = ["must be a string, got a number", "is required and absent"];
  const both = [`a: ${wrong}`, `b: ${absent}`];
  expect(told).toEqual([
    both,
    both,
    [`b: ${absent}`],
    [`a: ${absent}`],
    [`a: ${absent}`, `b: ${absent}`],
    [],
    [`a: ${absent}`],
  ]);
});
