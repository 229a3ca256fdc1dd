import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { idPrefixOf, KINDS, type Kind } from "../../shared/events/kind.ts";
import {
  contentHash,
  eventId,
  type Identity,
  identityText,
  lastDigitsOf,
  ownIdOf,
  PositionDigits,
  sentIdsText,
  toHex,
} from "../../shared/identity.ts";
import { scanJson } from "../../shared/json/bodies.ts";
import { canonicalText } from "../../shared/json/canonical.ts";
import { scanDocument } from "../../shared/json/document.ts";
import type { SpanObject } from "../../shared/json/span.ts";
import { JsonNumber, type JsonObject, type JsonValue } from "../../shared/json/value.ts";
import { sha256, sha256OfText } from "../../shared/sha256.ts";
import { createRandom, randomObject, spell, type Tree } from "./random-json.ts";

describe("SHA-256", () => {
  test("is the standard's for every length around its blocks, and of any part of some bytes", () => {
    const bytes = Uint8Array.from({ length: 400 }, (_, i) => (i * 151) & 255);
    for (let length = 0; length <= 300; length++) {
      const expected = createHash("sha256")
        .update(bytes.subarray(7, 7 + length))
        .digest("hex");
      expect(toHex(sha256(bytes, 7, 7 + length))).toBe(expected);
    }
  });

  test.each(["", "abc", "é€😀", "x".repeat(511), "x".repeat(512), "x".repeat(513), `${"x".repeat(300)}é`])(
    "is that of a text's UTF-8: %s",
    (text) => expect(toHex(sha256OfText(text))).toBe(sha256Hex(text)),
  );
});

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const sha256Hex = (text: string) => createHash("sha256").update(text, "utf8").digest("hex");

/** The contract's formula, in big integers and with another SHA-256. */
function digitsOf(text: string): string {
  let rest = BigInt(`0x${sha256Hex(text)}`) % 62n ** 20n;
  let digits = "";
  for (let i = 0; i < 20; i++) {
    digits = ALPHABET.charAt(Number(rest % 62n)) + digits;
    rest /= 62n;
  }
  return digits;
}

/** As a scan of a body gives it: by where it lies. */
function scannedOf(text: string): SpanObject {
  const scanned = scanJson(` ${text} `, { eventsMax: 1, eventBytesMax: 1_000_000 });
  const event = scanned.kind === "events" ? scanned.events[0] : undefined;
  if (event === undefined) throw new Error(`not an event: ${text}`);
  return event.fields;
}

function parsed(text: string): JsonValue {
  const scanned = scanDocument(text);
  if (scanned.kind === "invalid") throw new Error(`${scanned.error.kind} at ${scanned.error.offset}: ${text}`);
  return scanned.value;
}

function objectOf(text: string): JsonObject {
  const value = parsed(text);
  if (!(value instanceof Map)) throw new Error(`no object: ${text}`);
  return value;
}

const anyText = fc.string({ unit: "grapheme", maxLength: 40 });
const identities: fc.Arbitrary<Identity> = fc.oneof(
  fc.record({ by: fc.constant("id" as const), id: anyText }),
  fc.record({ by: fc.constant("key" as const), key: anyText, index: fc.nat(9_999) }),
  fc.record({
    by: fc.constant("position" as const),
    producer: fc.stringMatching(/^[\w.-]{1,20}$/),
    position: fc.maxSafeNat(),
  }),
  fc.record({
    by: fc.constant("content" as const),
    hash: fc.stringMatching(/^[0-9a-f]{64}$/),
    number: fc.integer({ min: 1, max: 10_000 }),
  }),
  fc.record({ by: fc.constant("new" as const), nonce: fc.uuid(), index: fc.nat(9_999) }),
);

describe("an event's id", () => {
  const content = sha256Hex('{"a":1}');

  test.each<[Kind, string, Identity, string]>([
    ["usage", "usage/m1", { by: "id", id: "A-1" }, "usev_a4AuNcaJ1JdlEHLgA9l4"],
    ["usage", "usage/m1", { by: "id", id: "10638" }, "usev_00JOyH3SzSWgU6cwGIwe"],
    ["usage", "usage/m1", { by: "key", key: "retry-7", index: 0 }, "usev_JDdBHlAa5XOnOcyW8r1R"],
    ["usage", "usage/m1", { by: "position", producer: "plant-7.Ab3dEf9h", position: 42 }, "usev_dGoONHFKnjG2s7xfclp8"],
    ["persist", "persist", { by: "id", id: "order-1" }, "prda_XipAsUJ5WCaNxgefMd3C"],
    ["charge", "charge", { by: "id", id: "é€😀" }, "chda_oL76oe7UnxPmubvIc1bt"],
    [
      "adjustment",
      "adjustment",
      { by: "position", producer: "a", position: Number.MAX_SAFE_INTEGER },
      "adda_oeFOfMb97PezjXGUq6qO",
    ],
    ["meter-data", "meter-data", { by: "content", hash: content, number: 1 }, "mtda_MKosUqukNoeOxWPI57jo"],
    ["meter-data", "meter-data", { by: "content", hash: content, number: 2 }, "mtda_9vbrxerJ4hohTMSEvfqY"],
    ["charge", "charge", { by: "new", nonce: "b0e0", index: 3 }, "chda_2d21ndItzJOCHenIJ7kB"],
  ])("of %s on %s stays what it was when it was first given out: %o", (kind, stream, identity, id) => {
    expect(eventId(kind, stream, identity)).toBe(id);
  });

  test("is the hash of kind, stream and identity modulo 62^20, as big integers reckon it", () => {
    fc.assert(
      fc.property(fc.constantFrom(...KINDS), anyText, identities, (kind, stream, identity) => {
        expect(eventId(kind, stream, identity)).toBe(
          idPrefixOf(kind) + digitsOf(`${kind}\n${stream}\n${identityText(identity)}`),
        );
      }),
      { seed: 11, numRuns: 5_000 },
    );
  });
});

describe("an identity's name space", () => {
  test("sets own ids, keys, positions and contents apart, however they are spelt", () => {
    const hash = sha256Hex("x");
    const ids = sentIdsText({ entityIds: "e1", orgIds: null, platformId: null });
    const texts = ["1", "a#0", "a", "p:a:1", "k:a#0", "i:1", "c:", hash, "a:1", `c:${hash}`, "n:a#0", `s:${ids}\ni:1`];
    const all: Identity[] = [
      ...texts.map((id) => ({ by: "id" as const, id })),
      ...texts.flatMap((key) => [0, 1].map((index) => ({ by: "key" as const, key, index }))),
      ...["1", "a", "a.1"].flatMap((producer) =>
        [0, 1].map((position) => ({ by: "position" as const, producer, position })),
      ),
      ...[1, 2, 12].map((number) => ({ by: "content" as const, hash, number })),
      ...["a", "1"].flatMap((nonce) => [0, 1].map((index) => ({ by: "new" as const, nonce, index }))),
    ];
    expect(new Set(all.map((identity) => eventId("usage", "usage/m", identity))).size).toBe(all.length);
    const places = ["", ids, sentIdsText({ entityIds: null, orgIds: "e1", platformId: null })];
    const scoped = all.filter(({ by }) => by === "id" || by === "key" || by === "content");
    const everywhere = scoped.flatMap((identity) =>
      places.map((place) => eventId("usage", "usage/m", identity, place)),
    );
    expect(new Set(everywhere).size).toBe(everywhere.length);
  });

  test("never holds two identities under one text", () => {
    const same = (a: Identity, b: Identity) => JSON.stringify(a) === JSON.stringify(b);
    fc.assert(
      fc.property(identities, identities, (a, b) => {
        expect(identityText(a) === identityText(b)).toBe(same(a, b));
      }),
      { seed: 12, numRuns: 5_000 },
    );
    // A key that itself ends like an index, the one place where two parts of an identity meet.
    expect(identityText({ by: "key", key: "a#1", index: 2 })).not.toBe(
      identityText({ by: "key", key: "a", index: 12 }),
    );
  });

  test("is one a kind and a stream", () => {
    const identity: Identity = { by: "id", id: "1" };
    const ids = [
      ...KINDS.map((kind) => eventId(kind, "s", identity).slice("xxxx_".length)),
      eventId("usage", "usage/m1", identity).slice("xxxx_".length),
      eventId("usage", "usage/m2", identity).slice("xxxx_".length),
    ];
    expect(new Set(ids).size).toBe(ids.length);
  });
});

describe("where an event goes", () => {
  test("is part of its identity, but where a position or nothing else identifies it", () => {
    const ids = sentIdsText({ entityIds: "e1,e2", orgIds: "o1", platformId: "p1" });
    expect(ids).toBe('{"entity":"e1,e2","org":"o1","platform":"p1"}');
    expect(sentIdsText({ entityIds: null, orgIds: null, platformId: null })).toBe("");
    expect(identityText({ by: "id", id: "1" }, ids)).toBe(`s:${ids}\ni:1`);
    expect(identityText({ by: "key", key: "k", index: 2 }, ids)).toBe(`s:${ids}\nk:k#2`);
    expect(identityText({ by: "content", hash: "ab", number: 2 }, ids)).toBe(`s:${ids}\nc:ab#2`);
    expect(identityText({ by: "position", producer: "a", position: 1 }, ids)).toBe("p:a:1");
    expect(identityText({ by: "new", nonce: "a", index: 1 }, ids)).toBe("n:a#1");
  });

  test("cannot be spelt so that two places read alike", () => {
    const part = fc.option(fc.string({ unit: "grapheme", maxLength: 8 }), { nil: null });
    const places = fc.record({ entityIds: part, orgIds: part, platformId: part });
    fc.assert(
      fc.property(places, places, (a, b) => {
        expect(sentIdsText(a) === sentIdsText(b)).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
      { seed: 15, numRuns: 2_000 },
    );
  });
});

describe("an own id", () => {
  test("is one id as number and as string", () => {
    expect(ownIdOf(parsed("1"))).toBe("1");
    expect(ownIdOf(parsed('"1"'))).toBe("1");
  });

  test.each(["1.0", "1e0", "-0", "12345678901234567890", "0.1234567890123456789"])(
    "counts by its source text: %s",
    (text) => {
      expect(ownIdOf(parsed(text))).toBe(text);
    },
  );

  test.each([undefined, null, "", true, false, [], new Map(), 7, [new JsonNumber("1")]])(
    "is none where there is %j",
    (value) => {
      expect(ownIdOf(value)).toBeNull();
    },
  );
});

/** RFC 8785 written plainly, but for numbers: they keep their source text. */
function canonical(tree: Tree): string {
  switch (tree.kind) {
    case "word":
      return tree.word;
    case "number":
      return tree.text;
    case "string":
      return canonicalString(tree.text);
    case "array":
      return `[${tree.items.map(canonical).join(",")}]`;
    case "object": {
      const sorted = [...tree.members].sort(([a], [b]) => compareUnits(a, b));
      return `{${sorted.map(([key, member]) => `${canonicalString(key)}:${canonical(member)}`).join(",")}}`;
    }
  }
}

function compareUnits(a: string, b: string): number {
  for (let at = 0; at < Math.min(a.length, b.length); at++) {
    const difference = a.charCodeAt(at) - b.charCodeAt(at);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

const ESCAPES = new Map([
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\b", "\\b"],
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\f", "\\f"],
  ["\r", "\\r"],
]);

function canonicalString(text: string): string {
  let out = "";
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    out += ESCAPES.get(character) ?? (code < 0x20 ? `\\u${code.toString(16).padStart(4, "0")}` : character);
  }
  return `"${out}"`;
}

describe("an event's content", () => {
  test("has the canonical text that RFC 8785 gives in section 3.2.2, with numbers by their source text", () => {
    const sample = `{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\"\\/",
      "literals": [null, true, false]
    }`;
    expect(canonicalText(parsed(sample))).toBe(
      '{"literals":[null,true,false],' +
        '"numbers":[333333333.33333329,1E30,4.50,2e-3,0.000000000000000000000000001],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  test("has its keys in the order that RFC 8785 gives in section 3.2.3: by UTF-16 code units", () => {
    const sample = `{
      "\\u20ac": "Euro Sign",
      "\\r": "Carriage Return",
      "\\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\\ud83d\\ude00": "Emoji: Grinning Face",
      "\\u0080": "Control",
      "\\u00f6": "Latin Small Letter O With Diaeresis"
    }`;
    expect(canonicalText(parsed(sample))).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","ö":"Latin Small Letter O With Diaeresis",' +
        '"€":"Euro Sign","😀":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
  });

  test("sorts keys inside arrays and nested objects, and integer-like keys as text", () => {
    const text = '{"b":[{"z":1,"a":{"10":1,"9":2,"1":3}}],"a":{}}';
    expect(canonicalText(parsed(text))).toBe('{"a":{},"b":[{"a":{"1":3,"10":1,"9":2},"z":1}]}');
  });

  test("hashes to what it always did", () => {
    expect(toHex(contentHash(objectOf('{"b":"\\u20ac", "a" : 1.0}')))).toBe(
      "b33c9881e4d66e8b47ede80e36e7d5c5ac0d038057d4ddc3976ba9de25857520",
    );
  });

  test("is one hash for all spellings of an event, the one a second canonicaliser gives", () => {
    for (let seed = 0; seed < 5_000; seed++) {
      const random = createRandom(seed);
      const tree = randomObject(random, 5);
      const expected = sha256Hex(canonical(tree));
      const shuffled: Tree = { kind: "object", members: [...tree.members].reverse() };
      for (const spelt of [tree, shuffled]) {
        const text = spell(spelt, { random, spaces: [" ", "\n", "\t"] });
        expect(toHex(contentHash(objectOf(text))), `seed ${seed}: ${text}`).toBe(expected);
        expect(toHex(contentHash(scannedOf(text))), `seed ${seed}: ${text}`).toBe(expected);
      }
    }
  });

  test("is found of an event larger than what is kept at hand, and of a small one after it", () => {
    const large = `{"b":[${Array(20_000).fill('{"z":1, "a":"\\u00e9"}').join(" ,")}],"a":"${"x".repeat(100_000)}"}`;
    for (const text of [large, '{"b":1,"a":2}']) {
      expect(toHex(contentHash(scannedOf(text)))).toBe(toHex(contentHash(objectOf(text))));
    }
  });

  test.each([
    ['{"a":1}', '{"a":1.0}'],
    ['{"a":1}', '{"a":"1"}'],
    ['{"a":1e2}', '{"a":1E2}'],
    ['{"a":0}', '{"a":-0}'],
    ['{"a":null}', "{}"],
    ['{"a":[1,2]}', '{"a":[2,1]}'],
    ['{"a":"é"}', '{"a":"e\\u0301"}'],
  ])("differs between %s and %s", (one, other) => {
    expect(toHex(contentHash(objectOf(one)))).not.toBe(toHex(contentHash(objectOf(other))));
  });

  test("leaves out read-only fields at the top and nowhere else, and leaves the event as it was", () => {
    const event = objectOf('{"id":"x","a":{"id":"y"},"status":1}');
    expect(toHex(contentHash(event, new Set(["id", "status", "absent"])))).toBe(sha256Hex('{"a":{"id":"y"}}'));
    expect([...event.keys()]).toEqual(["id", "a", "status"]);
    for (const text of ['{"id":"x","a":{"id":"y"},"status":1}', '{"status":1, "i\\u0064":{"a":[]}, "a":{"id":"y"}}']) {
      expect(toHex(contentHash(scannedOf(text), new Set(["id", "status", "absent"])))).toBe(
        sha256Hex('{"a":{"id":"y"}}'),
      );
    }
    expect(toHex(contentHash(scannedOf('{"id":1}'), new Set(["id"])))).toBe(sha256Hex("{}"));
  });
});

test("the last digits of a position's id are those of the id itself, for whatever kind, stream and producer", () => {
  for (const kind of KINDS) {
    for (const stream of ["persist", "usage/web-egress", `usage/${"é".repeat(256)}`]) {
      for (const producer of ["p", "plant-7.M7ShqVTh", "x".repeat(128)]) {
        const digits = new PositionDigits(kind, stream, producer);
        for (const position of [0, 1, 9, 10, 99, 100, 4_294_967_295, 4_294_967_296, 2 ** 53 - 2, 2 ** 53 - 1, 7]) {
          const id = eventId(kind, stream, { by: "position", producer, position });
          expect(digits.of(position)).toBe(lastDigitsOf(id));
        }
      }
    }
  }
});
