/** What somebody sends who wants a server to fall, leak or forget: texts, JSON values, bodies, methods and codings. */
import { deflateSync, gzipSync } from "node:zlib";
import fc from "fast-check";

const nested = (depth: number, open: string, inner: string, close: string) =>
  open.repeat(depth) + inner + close.repeat(depth);

const TEXTS = [
  ...["", " ", "\t", "null", "undefined", "true", "NaN", "Infinity", "-0", "0", "-1", "1e400", "1e-400", "0x10", "١٢٣"],
  ...["9007199254740991", "9007199254740993", "18446744073709551616", "1".repeat(401), `0.${"1".repeat(300)}`],
  ...[
    "'",
    '"',
    "\\",
    "';DROP TABLE batches;--",
    "' OR 1=1--",
    "%",
    "_",
    "*",
    "?",
    "a,b",
    ",",
    ",,,",
    "(",
    "[a-z]*",
    "{{7*7}}",
  ],
  ...[
    "../../etc/passwd",
    "..%2f..%2fadmin",
    "%2e%2e/",
    "%00",
    "%ff",
    "%",
    "%zz",
    "//evil.example/",
    "\\..\\",
    ".",
    "..",
  ],
  ...["__proto__", "constructor", "toString", "hasOwnProperty", "__defineGetter__", "length"],
  ...[
    "\u0000",
    "a\u0000b",
    "a\r\nSet-Cookie: x=1",
    "\u001b[2J",
    "\u202e",
    "\ufeff",
    "\ufffe",
    "\ud800",
    "\udc00\ud800",
    "é",
    "e\u0301",
    "𝟘",
    "İ",
  ],
  ...["<script>alert(1)</script>", "#{7*7}", "$(id)", "`id`", "javascript:1", "data:,x", "file:///etc/passwd"],
  ...[
    "2026-02-30T00:00:00Z",
    "9999-12-31T23:59:60Z",
    "-000001-01-01T00:00:00Z",
    "+275760-09-13T00:00:00.001Z",
    "2026-11-21",
  ],
  ...[
    "http://127.0.0.1:1/",
    "http://[::1]/",
    "http://169.254.169.254/latest",
    "https://user:pass@x/",
    "https://x/#",
    "ftp://x",
  ],
  ...[
    "usage/",
    "usage/../persist",
    "persist",
    "meter-data",
    "usage/%2e%2e",
    "*",
    'W/"x"',
    '"',
    "Bearer ",
    "handling=lenient;;,,=",
  ],
  ...[
    "a".repeat(1_000),
    "a".repeat(20_000),
    "é".repeat(5_000),
    "'".repeat(5_000),
    "\ud800".repeat(500),
    ",".repeat(10_000),
  ],
] as const;

/** Any text, the known nasty ones first. */
export const hostileText: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...TEXTS) },
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: "grapheme", maxLength: 40 }) },
  { weight: 1, arbitrary: fc.integer().map(String) },
);

/** The source text of a JSON value, or nearly one. */
export const hostileJson: fc.Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: hostileText.map((text) => JSON.stringify(text)) },
  { weight: 2, arbitrary: fc.json({ maxDepth: 4 }) },
  {
    weight: 4,
    arbitrary: fc.constantFrom(
      ...[
        "null",
        "true",
        "0",
        "-1",
        "1e308",
        "1e309",
        "-1e-400",
        "0.1234567890123456789",
        "9".repeat(400),
        "9".repeat(401),
      ],
      ...[
        "[]",
        "{}",
        "[[]]",
        '[""]',
        "[null]",
        "[[],{},[]]",
        '{"":""}',
        '{"__proto__":{"a":1}}',
        '{"a":1,"a":2}',
        '{"a":1,"\\u0061":2}',
      ],
      ...['"\\ud800"', '"\\u0000"', "01", "+1", ".5", "1.", "NaN", "'a'", "undefined", '"a', '{"a":', "[1,", "/**/1"],
      ...[
        nested(63, "[", "1", "]"),
        nested(65, "[", "1", "]"),
        nested(20_000, "[", "", "]"),
        nested(62, '{"a":', "1", "}"),
      ],
      ...[`[${"{},".repeat(3_000)}{}]`, `{${Array.from({ length: 2_000 }, (_, n) => `"k${n}":1`).join(",")}}`],
      ...[JSON.stringify("a".repeat(100_000)), `"${"\\u00e9".repeat(20_000)}"`],
    ),
  },
);

/** A whole body that no schema describes. */
export const hostileBody: fc.Arbitrary<Buffer> = fc.oneof(
  { weight: 4, arbitrary: hostileJson.map((text) => Buffer.from(text)) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(
        ...[
          "",
          "\n",
          "\n\n\n",
          "{}\n{}\n",
          '{"a":1}\n[\n',
          "\ufeff{}",
          "{}{}",
          "{} x",
          "[{},]",
          "a=b&a=c",
          "%",
          "=&=&",
          "\u0000",
        ],
        `[${'{"a":1},'.repeat(10_001)}{}]`,
        "{}\n".repeat(10_001),
        `${"[".repeat(500_000)}`,
      )
      .map((text) => Buffer.from(text)),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom("ff", "c080", "eda080", "f4908080", "22c328", "7b22c3")
      .map((hex) => Buffer.from(hex, "hex")),
  },
);

const BOMB = gzipSync(Buffer.alloc(20_000_000, 0x20), { level: 9 });

export interface Coded {
  readonly coding: string | null;
  readonly bytes: Buffer;
}

/** Puts a body under a Content-Encoding: mostly an honest one. */
export const hostileCoding: fc.Arbitrary<(body: Buffer) => Coded> = fc.oneof(
  { weight: 10, arbitrary: fc.constant((bytes: Buffer) => ({ coding: null, bytes })) },
  { weight: 4, arbitrary: fc.constant((body: Buffer) => ({ coding: "gzip", bytes: gzipSync(body) })) },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      (bytes: Buffer) => ({ coding: "gzip", bytes }),
      (body: Buffer) => ({ coding: "gzip", bytes: gzipSync(body).subarray(0, -4) }),
      (body: Buffer) => ({ coding: "gzip", bytes: gzipSync(gzipSync(body)) }),
      (body: Buffer) => ({ coding: "gzip", bytes: Buffer.concat([gzipSync(body), gzipSync(body)]) }),
      (body: Buffer) => ({ coding: "gzip, gzip", bytes: gzipSync(gzipSync(body)) }),
      (body: Buffer) => ({ coding: "x-gzip", bytes: gzipSync(body) }),
      (body: Buffer) => ({ coding: "deflate", bytes: deflateSync(body) }),
      (bytes: Buffer) => ({ coding: "br", bytes }),
      (bytes: Buffer) => ({ coding: "identity", bytes }),
      () => ({ coding: "gzip", bytes: BOMB }),
    ),
  },
);

export const HOSTILE_METHODS = [
  "GET",
  "HEAD",
  "POST",
  "PUT",
  "PATCH",
  "DELETE",
  "OPTIONS",
  "TRACE",
  "PROPFIND",
] as const;

/** Headers that no route documents, and that some server somewhere heeds. */
export const STRANGE_HEADERS: readonly (readonly [string, string])[] = [
  ["x-http-method-override", "DELETE"],
  ["x-original-url", "/admin/api-keys"],
  ["x-forwarded-for", "127.0.0.1"],
  ["x-forwarded-host", "evil.example"],
  ["forwarded", "for=127.0.0.1;host=evil.example"],
  ["cf-connecting-ip", "127.0.0.1"],
  ["origin", "https://evil.example"],
  ["range", "bytes=0-0,-1"],
  ["expect", "200-ok"],
  ["cookie", "a=b; ".repeat(200)],
  ["content-type", "application/json; charset=utf-7"],
  ["content-type", "text/html"],
  ["content-type", ""],
  ["accept-encoding", "gzip;q=0, *;q=0.5, br"],
  ["if-none-match", "*"],
  ["host", "evil.example"],
];
