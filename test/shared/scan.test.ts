import { describe, expect, test } from "vitest";
import { type ScanOutcome, scanJson, scanLines } from "../../shared/json/bodies.ts";
import { canonicalText } from "../../shared/json/canonical.ts";
import { countEvents } from "../../shared/json/count-events.ts";
import { scanDocument } from "../../shared/json/document.ts";
import type { ScanError, ScanErrorKind } from "../../shared/json/scan-error.ts";
import type { ScanLimits } from "../../shared/json/scanner.ts";
import { decodeBody } from "../../shared/json/utf8.ts";
import { JsonNumber } from "../../shared/json/value.ts";
import { createRandom } from "./random-json.ts";

const LIMITS: ScanLimits = { eventsMax: 100, eventBytesMax: 10_000 };

const utf8 = (text: string) => new TextEncoder().encode(text);

function errorOf(outcome: ScanOutcome): ScanError {
  if (outcome.kind !== "invalid")
    throw new Error(`accepted: ${JSON.stringify(outcome.events.map((event) => event.source))}`);
  return outcome.error;
}

function sourcesOf(outcome: ScanOutcome): string[] {
  if (outcome.kind !== "events")
    throw new Error(`${outcome.error.kind} at ${outcome.error.offset}: ${outcome.error.message}`);
  return outcome.events.map((event) => event.source);
}

const nested = (levels: number) => `${'{"a":'.repeat(levels - 1)}{}${"}".repeat(levels - 1)}`;
const nestedArrays = (levels: number) => `{"a":${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}}`;
const digits = (count: number) => "9".repeat(count);

describe("a body that two readers could understand differently", () => {
  test.each<[what: string, body: string, kind: ScanErrorKind, index: number | undefined, offset: number]>([
    ["a byte order mark", "\ufeff{}", "byte-order-mark", undefined, 0],
    ["a byte order mark after white space", " \ufeff{}", "syntax", 0, 1],
    ["65 levels of objects", nested(65), "too-deep", 0, 64 * 5],
    ["65 levels of arrays and one object", nestedArrays(65), "too-deep", 0, 5 + 63],
    ["65 levels in an array's second event", `[{},${nested(65)}]`, "too-deep", 1, 4 + 64 * 5],
    ["a million opened brackets", "[".repeat(1_000_000), "too-deep", 0, 65],
    ["a million opened objects", '{"a":'.repeat(1_000_000), "too-deep", 0, 64 * 5],
    ["a key that stands twice", '{"a":1,"a":1}', "duplicate-key", 0, 7],
    ["a key that stands twice, once escaped", '{"a":1,"\\u0061":2}', "duplicate-key", 0, 7],
    ["a key that stands twice, both escaped", '{"\\u002F":1,"\\/":2}', "duplicate-key", 0, 12],
    ["an emoji key, plain and by escapes", '{"😀":1,"\\ud83d\\uDE00":2}', "duplicate-key", 0, 10],
    ["an empty key that stands twice", '{"":1,"":2}', "duplicate-key", 0, 6],
    ["a key that stands twice far inside", '{"a":[0,{"b":{"c":1,"d":2,"c":3}}]}', "duplicate-key", 0, 26],
    ["the key __proto__", '{"__proto__":1}', "forbidden-key", 0, 1],
    ["the key __proto__ inside", '{"a":[{"__proto__":{}}]}', "forbidden-key", 0, 7],
    ["the key __proto__ by an escape", '{"\\u005f_proto__":1}', "forbidden-key", 0, 1],
    [
      "the key __proto__ all by escapes",
      `{"${"\\u005F\\u005f\\u0070\\u0072\\u006f\\u0074\\u006f\\u005f\\u005f"}":1}`,
      "forbidden-key",
      0,
      1,
    ],
    ["a lone high surrogate by escape", '{"a":"\\ud800"}', "lone-surrogate", 0, 6],
    ["a lone low surrogate by escape", '{"a":"x\\uDC00"}', "lone-surrogate", 0, 7],
    ["a high surrogate before a letter", '{"a":"\\ud83d\\u0041"}', "lone-surrogate", 0, 6],
    ["a high surrogate before another escape", '{"a":"\\ud83d\\n\\ude00"}', "lone-surrogate", 0, 6],
    ["two high surrogates", '{"a":"\\ud83d\\ud83d\\ude00"}', "lone-surrogate", 0, 6],
    ["a lone surrogate in a key", '{"\\ude00":1}', "lone-surrogate", 0, 2],
    ["a raw lone high surrogate", '{"a":"\ud800"}', "lone-surrogate", 0, 6],
    ["a raw lone low surrogate", '{"a":"\udc00"}', "lone-surrogate", 0, 6],
    ["two raw low surrogates", '{"a":"\udc00\udc00"}', "lone-surrogate", 0, 6],
    ["a surrogate half escaped, half raw", '{"a":"\\ud83d\ude00"}', "lone-surrogate", 0, 6],
    ["a surrogate half raw, half escaped", '{"a":"\ud83d\\ude00"}', "lone-surrogate", 0, 6],
    ["1e309", '{"a":1e309}', "number-range", 0, 5],
    ["-1E+309", '{"a":[0,-1E+309]}', "number-range", 0, 8],
    ["1.8e308", '{"a":1.8e308}', "number-range", 0, 5],
    ["an integer of 310 digits", `{"a":${digits(310)}}`, "number-range", 0, 5],
    ["the smallest integer of 310 digits", `{"a":1${"0".repeat(309)}}`, "number-range", 0, 5],
    ["a fraction of 401 characters", `{"a":0.${digits(399)}}`, "number-length", 0, 5],
    ["an integer of 401 characters", `{"a":-${digits(400)}}`, "number-length", 0, 5],
    ["an exponent of 401 characters", `{"a":1e${"0".repeat(399)}}`, "number-length", 0, 5],
  ])("is refused for %s, naming event and offset", (_, body, kind, index, offset) => {
    const fault = errorOf(scanJson(body, { eventsMax: 100, eventBytesMax: 10_000_000 }));
    expect(fault).toEqual({ kind, message: expect.any(String), offset, ...(index === undefined ? {} : { index }) });
  });

  test.each<[what: string, body: string]>([
    ["64 levels of objects", nested(64)],
    ["64 levels of arrays and one object", nestedArrays(64)],
    ["64 levels in an event, the array around it not counted", `[${nested(64)},${nested(64)}]`],
    ["the same key in two objects", '{"a":{"b":1},"c":{"b":1},"b":2}'],
    ["keys that differ in case or form", '{"a":1,"A":2,"é":3,"e\u0301":4,"constructor":5,"toString":6,"":7}'],
    ["__proto__ as a value", '{"a":"__proto__","__proto":1,"_proto__":2,"__proto__ ":3}'],
    ["surrogate pairs, raw and escaped", '{"😀":"\\ud83d\\ude00\\uD83D\\uDE00😀"}'],
    ["the replacement character", '{"a":"\ufffd\\ufffd"}'],
    ["a byte order mark inside a string", '{"a":"\ufeff"}'],
    ["1e308 and 1e-400", '{"a":1e308,"b":-1e308,"c":1e-400,"d":1.7976931348623157e308}'],
    ["the smallest integer of 309 digits", `{"a":1${"0".repeat(308)}}`],
    ["numbers of 400 characters", `{"a":0.${digits(398)},"b":1e${"0".repeat(398)}}`],
    ["zeros of all sorts", '{"a":0,"b":-0,"c":0.0,"d":-0e0,"e":0E+5}'],
    ["DEL, NBSP and line separators in a string", '{"a":"\u007f\u00a0\u2028\u2029"}'],
  ])("is another matter than %s, which is taken", (_, body) => {
    expect(sourcesOf(scanJson(body, LIMITS)).join(",")).toBe(body.replace(/^\[|\]$/g, ""));
  });
});

describe("a body that is no JSON", () => {
  test.each<[what: string, body: string, index: number | undefined, offset: number]>([
    ["a trailing comma in an object", '{"a":1,}', 0, 7],
    ["a trailing comma in an array", '{"a":[1,]}', 0, 8],
    ["a trailing comma after the last event", "[{},]", 1, 4],
    ["a comma before the first event", "[,{}]", 0, 1],
    ["no comma between events", "[{} {}]", 0, 4],
    ["no comma between members", '{"a":1 "b":2}', 0, 7],
    ["a colon too few", '{"a" 1}', 0, 5],
    ["a value too few", '{"a":}', 0, 5],
    ["NaN", '{"a":NaN}', 0, 5],
    ["Infinity", '{"a":-Infinity}', 0, 5],
    ["undefined", '{"a":undefined}', 0, 5],
    ["a word cut short", '{"a":tru}', 0, 5],
    ["a word that goes on", '{"a":nullx}', 0, 9],
    ["a line comment", '{"a":1} // no', 0, 8],
    ["a block comment", '{/**/"a":1}', 0, 1],
    ["a key without quotes", "{a:1}", 0, 1],
    ["a key in single quotes", "{'a':1}", 0, 1],
    ["a number as a key", "{1:1}", 0, 1],
    ["a leading zero", '{"a":01}', 0, 6],
    ["a leading plus", '{"a":+1}', 0, 5],
    ["a leading point", '{"a":.5}', 0, 5],
    ["a point without digits", '{"a":1.}', 0, 7],
    ["an exponent without digits", '{"a":1e}', 0, 7],
    ["an exponent of only a sign", '{"a":1e+}', 0, 8],
    ["a minus alone", '{"a":-}', 0, 5],
    ["hexadecimal", '{"a":0x10}', 0, 6],
    ["digits that are not ASCII", '{"a":١}', 0, 5],
    ["an unknown escape", '{"a":"\\x"}', 0, 7],
    ["an escape of too few digits", '{"a":"\\u00e"}', 0, 8],
    ["an escape with a sign among its digits", '{"a":"\\u+0e9"}', 0, 8],
    ["a raw newline in a string", '{"a":"x\ny"}', 0, 7],
    ["a raw tab in a string", '{"a":"\t"}', 0, 6],
    ["a raw NUL in a string", '{"a":"\u0000"}', 0, 6],
    ["a raw U+001F in a key", '{"\u001f":1}', 0, 2],
    ["a no-break space between tokens", '{"a":\u00a01}', 0, 5],
    ["a form feed between tokens", '{\f"a":1}', 0, 1],
    ["a string without an end", '{"a":"x', 0, 7],
    ["an escape without an end", '{"a":"\\', 0, 7],
    ["an object without an end", '{"a":1', 0, 6],
    ["an array of events without an end", "[{},{}", 1, 6],
    ["an array closed by a brace", '{"a":[1}', 0, 7],
    ["two documents", "{} {}", 0, 3],
    ["two documents with a comma", "{},{}", 0, 2],
    ["two arrays", "[{}][{}]", 0, 4],
    ["a closing bracket too many", "[{}]]", 0, 4],
    ["lines where one object was promised", '{"a":1}\n{"a":2}', 0, 8],
    ["a fault in the third event", '[{"a":1}, {"a":2}, {"a":x}]', 2, 24],
    ["a fault after characters of 2, 3 and 4 bytes", '{"é€😀":NaN}', 0, 13],
    ["a fault after such characters in an earlier event", '[{"a":"😀"},{"b":"€" 1}]', 1, 25],
  ])("is refused for %s, naming event and offset in bytes", (_, body, index, offset) => {
    const fault = errorOf(scanJson(body, LIMITS));
    expect(fault).toEqual({
      kind: "syntax",
      message: expect.any(String),
      offset,
      ...(index === undefined ? {} : { index }),
    });
  });

  test.each(["", " ", "\r\n\t ", "[]", " [ ] ", "[\n]\n"])("holds no event when it is %j", (body) => {
    expect(errorOf(scanJson(body, LIMITS))).toMatchObject({ kind: "empty" });
    expect(errorOf(scanJson(body, LIMITS)).index).toBeUndefined();
  });

  test.each(["1", '"{}"', "null", "true", "-0.5", "[]", "[{}]"])("has no event where %s stands for one", (value) => {
    if (!value.startsWith("[")) {
      expect(errorOf(scanJson(value, LIMITS))).toMatchObject({ kind: "not-object", index: 0, offset: 0 });
    }
    expect(errorOf(scanJson(`[{"a":1}, ${value}]`, LIMITS))).toMatchObject({
      kind: "not-object",
      index: 1,
      offset: 10,
    });
    expect(errorOf(scanLines(`{"a":1}\n ${value}\n`, LIMITS))).toMatchObject({
      kind: "not-object",
      index: 1,
      offset: 9,
    });
  });

  test("never repeats the whole body in a message", () => {
    const body = `{"a":${"x".repeat(5_000)}}`;
    expect(errorOf(scanJson(body, LIMITS)).message.length).toBeLessThan(100);
  });
});

describe("an event's source", () => {
  const odd = [
    '{ "b" : 1.00 ,\t"a":\r\n[ 1 , 2E+2,-0 ] }',
    '{"z":"\\u0041\\/\\ud83d\\ude00","y":0.1234567890123456789,"x":12345678901234567890}',
    "{\n}",
    '{"é€😀":"😀\\n"}',
  ];

  test("is cut from an array byte for byte: spacing, key order and escapes included", () => {
    expect(sourcesOf(scanJson(` [ ${odd.join(" ,\n")}\t]\n`, LIMITS))).toEqual(odd);
  });

  test("is cut from a single object without the space around it", () => {
    for (const event of odd) expect(sourcesOf(scanJson(`\n ${event} \r\n`, LIMITS))).toEqual([event]);
  });

  test("is cut from lines byte for byte", () => {
    const flat = odd.filter((event) => !event.includes("\n"));
    expect(sourcesOf(scanLines(flat.map((event) => ` ${event}\t`).join("\r\n"), LIMITS))).toEqual(flat);
  });

  test("keeps a number's digits in the value", () => {
    const outcome = scanJson('{"a":0.1234567890123456789,"b":[12345678901234567890,1.0,1E2]}', LIMITS);
    const value = outcome.kind === "events" ? outcome.events[0]?.value : undefined;
    expect(value?.get("a")).toEqual(new JsonNumber("0.1234567890123456789"));
    expect(value?.get("b")).toEqual(["12345678901234567890", "1.0", "1E2"].map((text) => new JsonNumber(text)));
  });

  test("has its escapes decoded in the value", () => {
    const outcome = scanJson('{"\\u0061\\"\\\\\\/\\b\\f\\n\\r\\t":"\\u00e9\\ud83d\\ude00x"}', LIMITS);
    const value = outcome.kind === "events" ? outcome.events[0]?.value : undefined;
    expect([...(value ?? [])]).toEqual([['a"\\/\b\f\n\r\t', "é😀x"]]);
  });
});

describe("lines", () => {
  test.each<[what: string, body: string, events: number]>([
    ["a last newline", '{"a":1}\n{"a":2}\n', 2],
    ["no last newline", '{"a":1}\n{"a":2}', 2],
    ["CRLF", '{"a":1}\r\n{"a":2}\r\n', 2],
    ["blank lines", '\n\r\n{"a":1}\n \t\n\n{"a":2}\n\n', 2],
    ["a single line", "{}", 1],
  ])("are taken with %s", (_, body, events) => {
    expect(sourcesOf(scanLines(body, LIMITS))).toHaveLength(events);
  });

  test.each<[what: string, body: string, kind: ScanErrorKind, index: number | undefined, offset: number]>([
    ["an object that goes over two lines", '{"a":1}\n{"a":\n2}\n', "syntax", 1, 13],
    ["a string that goes over two lines", '{"a":"x\ny"}\n', "syntax", 0, 7],
    ["a word cut by a newline", '{"a":tr\nue}\n', "syntax", 0, 5],
    ["an escape cut by a newline", '{"a":"\\\nn"}', "syntax", 0, 7],
    ["a \\u escape cut by a newline", '{"a":"\\u00\n41"}', "syntax", 0, 8],
    ["a surrogate pair cut by a newline", '{"a":"\\ud83d\\ude\n00"}', "lone-surrogate", 0, 6],
    ["two objects on a line", '{"a":1}\n{"a":2} {"a":3}\n', "syntax", 1, 16],
    ["commas between lines", '{"a":1},\n{"a":2}\n', "syntax", 0, 7],
    ["a carriage return alone as separator", '{"a":1}\r{"a":2}\n', "syntax", 0, 8],
    ["a byte order mark", '\ufeff{"a":1}\n', "byte-order-mark", undefined, 0],
    ["a byte order mark on a later line", '{"a":1}\n\ufeff{"a":2}\n', "syntax", 1, 8],
    ["a duplicate key on a line after é", '{"é":1}\n{"b":1,"b":2}\n', "duplicate-key", 1, 16],
    ["nothing but blank lines", "\n \r\n\t\n", "empty", undefined, 0],
    ["nothing at all", "", "empty", undefined, 0],
  ])("are refused for %s", (_, body, kind, index, offset) => {
    const fault = errorOf(scanLines(body, LIMITS));
    expect(fault).toEqual({ kind, message: expect.any(String), offset, ...(index === undefined ? {} : { index }) });
  });

  test("count keys and levels afresh on each line", () => {
    expect(sourcesOf(scanLines(`{"a":1}\n{"a":1}\n${nested(64)}\n${nested(64)}`, LIMITS))).toHaveLength(4);
  });
});

describe("the limits of a body", () => {
  const bodies = (events: number) => [
    { scan: scanJson, body: `[${Array(events).fill("{}").join(",")}]` },
    { scan: scanLines, body: "{}\n".repeat(events) },
  ];

  test("let in as many events as are allowed and not one more", () => {
    for (const { scan, body } of bodies(100)) expect(sourcesOf(scan(body, LIMITS))).toHaveLength(100);
    for (const { scan, body } of bodies(101)) {
      expect(errorOf(scan(body, LIMITS))).toMatchObject({
        kind: "too-many-events",
        index: 100,
        offset: body.indexOf("{}") + 100 * 3,
      });
    }
  });

  // Neither the length nor three times the length decides alone.
  test.each(['{"a":"e"}', '{"a":"é"}', '{"a":"€€€€€€€€€€"}', '{"":"😀"}'])(
    "measure %s in bytes of UTF-8, the space around it apart",
    (event) => {
      const bytes = utf8(event).length;
      for (const limit of [bytes, bytes + 1, 3 * bytes]) {
        expect(sourcesOf(scanJson(`   [ {} , ${event} ]   `, { eventsMax: 2, eventBytesMax: limit }))).toEqual([
          "{}",
          event,
        ]);
        expect(sourcesOf(scanLines(`{}\n  ${event}  \n`, { eventsMax: 2, eventBytesMax: limit }))).toEqual([
          "{}",
          event,
        ]);
      }
      for (const limit of [bytes - 1, 5]) {
        const fault = { kind: "event-too-large", index: 1 };
        expect(errorOf(scanJson(`[{},${event}]`, { eventsMax: 2, eventBytesMax: limit }))).toMatchObject({
          ...fault,
          offset: 4,
        });
        expect(errorOf(scanLines(`{}\n${event}`, { eventsMax: 2, eventBytesMax: limit }))).toMatchObject({
          ...fault,
          offset: 3,
        });
      }
    },
  );
});

describe("counting without checking", () => {
  test.each<[body: string, form: "json" | "ndjson", events: number]>([
    ["", "json", 0],
    ["  ", "json", 0],
    ["[]", "json", 0],
    [" [ ] ", "json", 0],
    ["{}", "json", 1],
    ['{"a":[1,2,3],"b":"],["}', "json", 1],
    ["[{}]", "json", 1],
    ["[{},{},{}]", "json", 3],
    [' [ {"a":[1,{"b":2}],"c":"x,y"} , {"d":"\\"],[{},{}"} ] ', "json", 2],
    ['[{"a":"\\\\"},{"b":1}]', "json", 2],
    ['[{"a":1,"a":2},{"__proto__":1},NaN]', "json", 3],
    ["\ufeff[{},{}]", "json", 2],
    ["[{},{}", "json", 2],
    ['[{},{},"', "json", 3],
    ["", "ndjson", 0],
    ["\n\r\n \n", "ndjson", 0],
    ["{}\n{}", "ndjson", 2],
    ["{}\r\n\r\n{}\r\n", "ndjson", 2],
    ["{broken\n{}\n", "ndjson", 2],
  ])("%j as %s seems to hold %i", (body, form, events) => {
    expect(countEvents(body, form)).toBe(events);
  });
});

describe("decoding a body", () => {
  const REPLACEMENT = [0xef, 0xbf, 0xbd];

  test.each<[what: string, bytes: number[], offset: number]>([
    ["a byte that never stands in UTF-8", [0x7b, 0x22, 0xff, 0x22, 0x7d], 2],
    ["a continuation byte alone", [0x61, 0x80], 1],
    ["an overlong NUL", [0x61, 0x62, 0xc0, 0x80], 2],
    ["an overlong slash of three bytes", [0xe0, 0x80, 0xaf], 0],
    ["a surrogate", [0x61, 0xed, 0xa0, 0x80], 1],
    ["a code point above U+10FFFF", [0xf4, 0x90, 0x80, 0x80], 0],
    ["a character cut by the end", [0x61, 0xc3, 0xa9, 0xe2, 0x82], 3],
    ["a character cut by another", [0xf0, 0x9f, 0x98, 0x61], 0],
    ["Latin-1 after multi-byte characters", [...utf8("é€😀"), 0xe9, 0x20], 9],
    ["a byte after genuine replacement characters", [...REPLACEMENT, 0x61, ...REPLACEMENT, 0xfe], 7],
    ["a replacement character cut short", [...REPLACEMENT, 0xef, 0xbf], 3],
  ])("refuses %s at its exact offset", (_, bytes, offset) => {
    expect(decodeBody(Uint8Array.from(bytes))).toEqual({
      kind: "invalid",
      error: { kind: "not-utf8", message: expect.any(String), offset },
    });
  });

  test("names the end of the longest valid prefix, whatever the bytes", () => {
    const random = createRandom(8);
    const pieces = ["a", "é", "€", "😀", "\ufffd", "\ufeff"] as const;
    for (let round = 0; round < 5_000; round++) {
      let text = "";
      for (let length = random.below(8); length > 0; length--) text += random.pick(pieces);
      const bytes = utf8(text);
      for (let harm = random.below(3); harm > 0 && bytes.length > 0; harm--) {
        bytes[random.below(bytes.length)] = random.below(256);
      }
      const decoded = decodeBody(bytes);
      const expected = longestValidPrefix(bytes);
      expect(
        decoded.kind === "text" ? bytes.length : decoded.error.offset,
        `bytes ${Buffer.from(bytes).toString("hex")}`,
      ).toBe(expected);
      if (decoded.kind === "text") expect(utf8(decoded.text)).toEqual(bytes);
    }
  });

  test("keeps a byte order mark for the scanner to refuse", () => {
    const decoded = decodeBody(utf8("\ufeff{}"));
    expect(decoded).toEqual({ kind: "text", text: "\ufeff{}" });
  });

  test("takes no longer for a hostile body: 4 MB of replacement characters before the bad byte", {
    timeout: 5_000,
  }, () => {
    const bytes = new Uint8Array(3_999_999 + 1).fill(0xff);
    for (let at = 0; at < 3_999_999; at += 3) bytes.set(REPLACEMENT, at);
    expect(decodeBody(bytes)).toMatchObject({ error: { kind: "not-utf8", offset: 3_999_999 } });
  });

  function longestValidPrefix(bytes: Uint8Array): number {
    for (let length = bytes.length; ; length--) {
      try {
        new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, length));
        return length;
      } catch {}
    }
  }
});

describe("a document", () => {
  test.each(["1", '"a"', "null", "[]", "[1,[2]]", ' {"a":[true,false]} '])("of any type is read: %s", (text) => {
    const scanned = scanDocument(text);
    expect(scanned.kind === "value" && canonicalText(scanned.value)).toBe(text.trim());
  });

  test.each<[string, ScanErrorKind, number]>([
    ["", "syntax", 0],
    ["1 2", "syntax", 2],
    ["\ufeff1", "byte-order-mark", 0],
    ['[{"é":1,"é":2}]', "duplicate-key", 9],
    ['{"__proto__":1}', "forbidden-key", 1],
    ["[".repeat(65), "too-deep", 64],
    ["1e999", "number-range", 0],
  ])("is read as strictly as an event: %j", (text, kind, offset) => {
    expect(scanDocument(text)).toEqual({ kind: "invalid", error: { kind, message: expect.any(String), offset } });
  });
});

describe("what a scan costs besides its body", () => {
  const LIST = '[{"a":1},{"b":[2,3]}]';

  test("it has one event, which becomes the next; without a visitor each is kept for good", () => {
    const seen = new Set<object>();
    const kept = scanJson(LIST, LIMITS, (event) => {
      seen.add(event).add(event.fields);
      return [...event.fields.keys()].join();
    });
    expect(kept).toEqual({ kind: "events", events: ["a", "b"], count: 2 });
    expect(seen.size).toBe(2);

    const outcome = scanJson(LIST, LIMITS);
    expect(sourcesOf(outcome)).toEqual(['{"a":1}', '{"b":[2,3]}']);
    expect(outcome.kind === "events" && outcome.events.map(({ fields }) => [...fields.keys()])).toEqual([["a"], ["b"]]);
  });

  test("where nothing is kept of its events there is no list of them, and they are counted", () => {
    expect(scanJson(LIST, LIMITS, () => undefined)).toEqual({ kind: "events", events: [], count: 2 });
    expect(scanLines("{}\n\n{}\n{}", LIMITS, () => undefined)).toEqual({ kind: "events", events: [], count: 3 });
  });
});
