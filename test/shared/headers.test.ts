import { describe, expect, test } from "vitest";
import {
  bodyCodingOf,
  bodyFormOf,
  idempotencyKeyError,
  isTrackId,
  preferencesOf,
  producerPositionOf,
  trackIdError,
} from "../../shared/intake/headers.ts";

describe("Content-Type", () => {
  test.each([
    [undefined, "json"],
    [null, "json"],
    ["", "json"],
    ["application/json", "json"],
    ["Application/JSON", "json"],
    [" application/json ; charset=UTF-8", "json"],
    ["application/json;charset=latin-1;x=y", "json"],
    ["application/x-ndjson", "ndjson"],
    ["APPLICATION/X-NDJSON; charset=utf-8", "ndjson"],
    ["application/ndjson", null],
    ["text/plain", null],
    ["application/jsonx", null],
    ["application/problem+json", null],
    ["application/json, text/plain", null],
    ["application/x-www-form-urlencoded", null],
  ])("%j is the form %s", (header, form) => {
    expect(bodyFormOf(header)).toBe(form);
  });
});

describe("Content-Encoding", () => {
  test.each([
    [undefined, "identity"],
    [null, "identity"],
    ["", "identity"],
    ["identity", "identity"],
    ["gzip", "gzip"],
    [" GZip ", "gzip"],
    ["x-gzip", "gzip"],
    ["br", null],
    ["deflate", null],
    ["gzip, gzip", null],
  ])("%j is the coding %s", (header, coding) => {
    expect(bodyCodingOf(header)).toBe(coding);
  });
});

describe("Prefer", () => {
  test.each<[string | null | undefined, lenient: boolean, representation: boolean]>([
    [undefined, false, false],
    [null, false, false],
    ["", false, false],
    ["handling=lenient", true, false],
    ["return=representation", false, true],
    ["handling=lenient, return=representation", true, true],
    ["return=representation,handling=lenient", true, true],
    [" Handling = Lenient ;x=1 , RETURN=representation", true, true],
    ['handling="lenient"', true, false],
    ["respond-async, wait=10, handling=lenient", true, false],
    ["handling=strict", false, false],
    ["handling=strict, handling=lenient", false, false],
    ["handling=lenient, handling=strict", true, false],
    ["return=minimal, return=representation", false, false],
    ["lenient", false, false],
    ["handling", false, false],
    ["handling=lenientx", false, false],
    ["foo; handling=lenient", false, false],
    [",,;=,=lenient", false, false],
    ["__proto__=lenient, constructor=1", false, false],
  ])("%j is read as lenient %s, representation %s", (header, lenient, representation) => {
    expect(preferencesOf(header)).toEqual({ lenient, representation });
  });
});

describe("Zuora-Track-Id", () => {
  test.each(["", "abc-123", "a b", "x".repeat(64), "~!@#$%^&*()_+-=[]{}|\\<>,.?/"])("takes %j", (value) => {
    expect(isTrackId(value)).toBe(true);
    expect(trackIdError(value)).toBeNull();
  });

  test.each(["x".repeat(65), "a:b", "a;b", 'a"b', "a'b", "é", "a\tb", "a\nb", "abc\n", "\u007f"])(
    "refuses %j",
    (value) => {
      expect(isTrackId(value)).toBe(false);
      expect(trackIdError(value)).toMatchObject({ code: 70000000, field: "Zuora-Track-Id" });
    },
  );

  test("may be absent", () => {
    expect([trackIdError(null), trackIdError(undefined)]).toEqual([null, null]);
  });
});

test("an Idempotency-Key takes 1 to 255 characters, or is absent", () => {
  for (const value of [null, undefined, "k", "x".repeat(255), "#: é"]) expect(idempotencyKeyError(value)).toBeNull();
  for (const value of ["", "x".repeat(256)]) {
    expect(idempotencyKeyError(value)).toMatchObject({ code: 70000000, field: "Idempotency-Key" });
  }
});

describe("a producer's position", () => {
  test.each<[string, string, number]>([
    ["plant-7", "0", 0],
    ["plant-7.Ab3dEf9h", "42", 42],
    ["A_b.c-9", "007", 7],
    ["x".repeat(128), "9007199254740991", Number.MAX_SAFE_INTEGER],
  ])("of %s at %s is read", (producer, sequence, first) => {
    expect(producerPositionOf(producer, sequence)).toEqual({ kind: "position", position: { producer, first } });
  });

  test("is none where both headers are absent", () => {
    expect(producerPositionOf(null, undefined)).toEqual({ kind: "position", position: null });
    expect(producerPositionOf(undefined, null)).toEqual({ kind: "position", position: null });
  });

  test.each<[producer: string | null, sequence: string | null, field: string]>([
    ["p", null, "Weir-Sequence"],
    [null, "1", "Weir-Producer"],
    ["", null, "Weir-Sequence"],
    ["", "1", "Weir-Producer"],
    ["x".repeat(129), "1", "Weir-Producer"],
    ["a b", "1", "Weir-Producer"],
    ["a:b", "1", "Weir-Producer"],
    ["é", "1", "Weir-Producer"],
    ["a\n", "1", "Weir-Producer"],
    ["p", "", "Weir-Sequence"],
    ["p", "-1", "Weir-Sequence"],
    ["p", "+1", "Weir-Sequence"],
    ["p", "1.0", "Weir-Sequence"],
    ["p", "1e3", "Weir-Sequence"],
    ["p", "0x10", "Weir-Sequence"],
    ["p", " 1", "Weir-Sequence"],
    ["p", "1\n", "Weir-Sequence"],
    ["p", "١", "Weir-Sequence"],
    ["p", "9007199254740992", "Weir-Sequence"],
    ["p", "9007199254740993", "Weir-Sequence"],
    ["p", "9".repeat(30), "Weir-Sequence"],
  ])("of %j at %j is refused for %s", (producer, sequence, field) => {
    expect(producerPositionOf(producer, sequence)).toMatchObject({ kind: "invalid", error: { code: 70000000, field } });
  });
});
