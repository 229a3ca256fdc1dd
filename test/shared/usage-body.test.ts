import { describe, expect, test } from "vitest";
import { compileCheck } from "../../shared/events/stream-schema.ts";
import { validationError } from "../../shared/events/validation-error.ts";
import type { EventResult } from "../../shared/intake/usage-answer.ts";
import { usageAnswer, usageRefusal } from "../../shared/intake/usage-answer.ts";
import { readUsageBody } from "../../shared/intake/usage-body.ts";
import type { BodyForm, BodyLimits } from "../../shared/wire.ts";

const LIMITS: BodyLimits = { bodyBytesMax: 1_000, eventsMax: 3, eventBytesMax: 100 };
const CHECK = compileCheck({
  meter_global_id: "m",
  fields: [
    { name: "a", type: "integer", required: true },
    { name: "b", type: "string", required: false },
  ],
});

const utf8 = (text: string) => new TextEncoder().encode(text);
const read = (body: string | Uint8Array, form: BodyForm = "json", limits = LIMITS) =>
  readUsageBody(typeof body === "string" ? utf8(body) : body, form, CHECK, limits, ({ source, value, errors }) => ({
    source,
    value,
    errors,
  }));
const padded = (bytes: number) => `{"a":1}${" ".repeat(bytes - 7)}`;

describe("a body of usage events", () => {
  test("gives every event with its source and its errors, each with the event's index", () => {
    expect(read('[{"a":1}, {"a":"x" , "b":2} ,{}]')).toEqual({
      kind: "events",
      count: 3,
      receivedAt: null,
      events: [
        { source: '{"a":1}', value: expect.any(Map), errors: [] },
        {
          source: '{"a":"x" , "b":2}',
          value: expect.any(Map),
          errors: [
            { code: 70000000, index: 1, field: "a", message: expect.any(String) },
            { code: 70000000, index: 1, field: "b", message: expect.any(String) },
          ],
        },
        {
          source: "{}",
          value: expect.any(Map),
          errors: [{ code: 70000000, index: 2, field: "a", message: expect.any(String) }],
        },
      ],
    });
  });

  test("is read as lines where it is NDJSON", () => {
    expect(read('{"a":1}\r\n\n{"a":2}', "ndjson")).toMatchObject({
      kind: "events",
      events: [{ errors: [] }, { errors: [] }],
    });
    expect(read('[{"a":1}]', "ndjson")).toMatchObject({ kind: "malformed", reason: { index: 0 } });
  });

  test("may have as many bytes and events as are allowed", () => {
    expect(read(padded(1_000))).toMatchObject({ kind: "events" });
    expect(read('[{"a":1},{"a":2},{"a":3}]')).toMatchObject({
      kind: "events",
      events: [{ errors: [] }, { errors: [] }, { errors: [] }],
    });
  });
});

describe("a body that is too large (413)", () => {
  test("has one byte too many, whatever stands in it", () => {
    expect(read(padded(1_001))).toMatchObject({ kind: "too-large", message: expect.stringContaining("1000 bytes") });
    expect(read(new Uint8Array(1_001).fill(0xff))).toMatchObject({ kind: "too-large" });
  });

  const good = '{"a":1}';
  const array = (...events: string[]) => `[${events.join(",")}]`;
  const lines = (...events: string[]) => events.join("\n");
  // A character stands for the byte of its code, so that \xff is no UTF-8.
  test.each<[what: string, form: BodyForm, body: string]>([
    ["valid events", "json", array(good, good, good, good)],
    ["valid lines", "ndjson", lines(good, good, good, good)],
    ["events that the schema refuses", "json", array("{}", "{}", "{}", "{}")],
    ["a first event that is no JSON", "json", array("{x}", good, good, good)],
    ["a first line that is no JSON", "ndjson", lines("{x", good, good, good)],
    ["a first event that is no object", "json", array("1", good, good, good)],
    ["a duplicate key", "json", array('{"a":1,"a":1}', good, good, good)],
    ["a lone surrogate", "json", array('{"a":"\\ud800"}', good, good, good)],
    ["a first event of too many bytes", "json", array(`{"b":"${"x".repeat(100)}"}`, good, good, good)],
    ["bytes that are not UTF-8", "json", array('{"b":"\xff"}', good, good, good)],
    ["bytes that are not UTF-8 in lines", "ndjson", lines('{"b":"\xff"}', good, good, good)],
    ["a byte order mark", "json", `\xef\xbb\xbf${array(good, good, good, good)}`],
    ["a byte order mark before lines", "ndjson", `\xef\xbb\xbf${lines(good, good, good, good)}`],
  ])("has too many events before it is anything else: %s", (_, form, body) => {
    const bytes = Uint8Array.from(body, (character) => character.charCodeAt(0));
    expect(read(bytes, form)).toEqual({ kind: "too-large", message: expect.stringContaining("3 events") });
  });

  test("has one event of too many bytes, which is named, before any event that the schema refuses", () => {
    const large = `{"a":1,"b":"${"x".repeat(90)}"}`;
    expect(read(`[{},${large}]`)).toMatchObject({
      kind: "too-large",
      index: 1,
      message: expect.stringContaining("100 bytes"),
    });
  });
});

describe("a body that is malformed (400)", () => {
  test.each<[body: string | Uint8Array, index: number | undefined, message: RegExp]>([
    ['[{"a":1},{"a":}]', 1, /^event 1, offset 14: /],
    ['[{"é":1},{"é":1,"é":2}]', 1, /^event 1, offset 18: .*stands twice/],
    ['[{"a":1},7]', 1, /^event 1, offset 9: .*object/],
    ["[]", undefined, /^offset 1: .*no event/],
    ["", undefined, /^offset 0: .*no event/],
    ["\ufeff{}", undefined, /^offset 0: .*byte order mark/],
    [Uint8Array.from([0x7b, 0xff, 0x7d]), undefined, /^offset 1: .*UTF-8/],
  ])("says where: %j", (body, index, message) => {
    expect(read(body)).toEqual({
      kind: "malformed",
      reason: { code: 70000000, message: expect.stringMatching(message), ...(index === undefined ? {} : { index }) },
    });
  });
});

describe("the answer", () => {
  const statuses = ["accepted", "duplicate", "accepted", "quarantined", "conflict", "accepted"] as const;
  const results: EventResult[] = statuses.map((status, index) => ({ index, status, id: `usev_${index}` }));

  test("counts every event once, and lists them only where that is preferred", () => {
    const counts = { success: true, accepted: 3, duplicates: 1, conflicts: 1, quarantined: 1 };
    expect(usageAnswer(results, false)).toEqual({ ...counts, message: expect.any(String) });
    expect(usageAnswer(results, true)).toEqual({ ...counts, message: expect.any(String), results });
  });

  test("of a refusal lists the first 100 errors and no more", () => {
    const errors = Array.from({ length: 101 }, (_, index) => validationError("x", { index }));
    expect(usageRefusal("no", errors)).toEqual({ success: false, message: "no", reasons: errors.slice(0, 100) });
    expect(usageRefusal("no")).toEqual({ success: false, message: "no", reasons: [] });
  });
});
