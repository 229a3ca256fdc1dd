/** Requests meant to harm: each is refused with a 4xx that says where, and the edge goes on answering. */
import { gzipSync } from "fflate";
import { beforeAll, expect, it } from "vitest";
import { seeded } from "../support/seeded.ts";
import { event, setupEdge, type TestEdge } from "./support/edge.ts";

const METER = "hostile";
let edge: TestEdge;

beforeAll(async () => {
  edge = await setupEdge();
  await edge.putCatalog({ streams: [{ meter_global_id: METER }] });
});

const nested = (depth: number) =>
  event({ n: 0 }).replace('"n":0', `"n":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}`);
const withRaw = (member: string) => event({ z: 1 }).replace('"z":1', member);

it.each<[string, string | Uint8Array, number]>([
  ["a byte order mark", `\ufeff${event()}`, 400],
  ["64 levels", nested(64), 200],
  ["65 levels", nested(65), 400],
  ["a duplicate key", withRaw('"a":1,"a":2'), 400],
  ["a duplicate key by escape", withRaw('"a":1,"\\u0061":2'), 400],
  ["a duplicate key deep inside", withRaw('"a":[{"b":{"c":1,"c":1}}]'), 400],
  ["__proto__", withRaw('"__proto__":{"admin":true}'), 400],
  ["__proto__ by escape", withRaw('"__pr\\u006fto__":1'), 400],
  ["a lone surrogate", withRaw('"a":"\\ud800"'), 400],
  ["surrogates in the wrong order", withRaw('"a":"\\udc00\\ud800"'), 400],
  ["a paired surrogate", withRaw('"a":"\\ud83d\\ude00"'), 200],
  ["bytes that are not UTF-8", new Uint8Array([...new TextEncoder().encode('{"a":"'), 0xff, 0x22, 0x7d]), 400],
  ["a number beyond a double", event().replace('"Quantity":1', '"Quantity":1e309'), 400],
  ["a number of 401 characters", event().replace('"Quantity":1', `"Quantity":0.${"1".repeat(399)}`), 400],
  ["a number of 400", event().replace('"Quantity":1', `"Quantity":0.${"1".repeat(398)}`), 200],
  ["constructor as a key is only a key", withRaw('"constructor":{"prototype":1}'), 200],
  ["an array in an array", `[[${event()}]]`, 400],
  ["two documents", event() + event(), 400],
  ["a comma too many", `[${event()},]`, 400],
  ["a raw newline in a string", withRaw('"a":"\n"'), 400],
])("%s", async (_name, body, status) => {
  const response = await edge.post(METER, body);
  expect(response.status).toBe(status);
  if (status === 400) {
    const { message, reasons } = await response.json<{ message: string; reasons: unknown[] }>();
    expect(message).toMatch(/offset \d+/);
    expect(reasons).toHaveLength(1);
  }
});

it("broken JSON is located by its event and byte offset", async () => {
  const first = event({ é: 1 });
  const response = await edge.post(METER, `[${first},{"a":tru}]`);
  const offset = new TextEncoder().encode(`[${first},{"a":`).length;
  expect(await response.json()).toMatchObject({
    message: `event 1, offset ${offset}: unexpected "t", expected a value`,
    reasons: [{ index: 1 }],
  });
});

it("50 KB that inflate to 50 MB are cut off at the limit", async () => {
  const bomb = gzipSync(new Uint8Array(50_000_000), { level: 9 });
  expect(bomb.length).toBeLessThan(60_000);
  const response = await edge.post(METER, bomb, { "content-encoding": "gzip" });
  expect(response.status).toBe(413);
});

it("bytes after the end of the gzip stream are refused", async () => {
  const zipped = gzipSync(new TextEncoder().encode(event({ trailing: 1 })));
  const response = await edge.post(METER, new Uint8Array([...zipped, 1, 2, 3]), { "content-encoding": "gzip" });
  expect(response.status).toBe(400);
});

it("2,000 seeded malformed requests are each refused with a 4xx, and the edge still answers", async () => {
  const random = seeded(20261121);
  const statuses = new Map<number, number>();
  for (let n = 0; n < 2000; n++) {
    const response = await edge.request(...malformed(random));
    expect([400, 401, 404, 413, 415], `request ${n}: ${response.status}`).toContain(response.status);
    expect(await response.json(), `request ${n}`).toMatchObject({ success: false, message: expect.any(String) });
    statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
  }
  expect([...statuses.keys()].sort()).toEqual([400, 401, 404, 413, 415]);
  expect((await edge.post(METER, event({ alive: true }))).status).toBe(200);
});

/** A valid request, broken in one of many ways. */
function malformed(random: () => number): [string, RequestInit] {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const path = `/meters/streaming/ingestion/${METER}`;
  const valid = `[${event()},${event({ Quantity: Math.floor(random() * 1e9) })}]`;
  const bytes = (text: string) => new TextEncoder().encode(text);
  const post = (body: Uint8Array, headers: Record<string, string> = {}, to = path): [string, RequestInit] => [
    to,
    { method: "POST", body, headers },
  ];
  switch (Math.floor(random() * 10)) {
    case 0: {
      // Cut short anywhere: never a whole document.
      return post(bytes(valid.slice(0, 1 + Math.floor(random() * (valid.length - 1)))));
    }
    case 1: {
      const broken = bytes(valid);
      broken[1 + Math.floor(random() * (broken.length - 2))] = pick([0, 0xff, 0xc0, 0x80, 0x1f]);
      return post(broken);
    }
    case 2:
      return post(bytes(valid), {
        "content-type": pick(["text/html", "multipart/form-data; boundary=x", "application/xml", "*/*"]),
      });
    case 3:
      return post(bytes(valid), { "content-encoding": pick(["br", "deflate", "gzip, gzip", "zstd"]) });
    case 4:
      return post(crypto.getRandomValues(new Uint8Array(200)), { "content-encoding": "gzip" });
    case 5:
      return post(bytes(valid), {
        "x-api-key": pick(["", "nobody", "x".repeat(5000), "' OR 1=1 --"]),
        authorization: "Bearer",
      });
    case 6:
      return post(
        bytes(valid),
        {},
        `/meters/streaming/ingestion/${pick(["no", "%00", "a%2F..%2Fb", "x".repeat(2000), "%F0%9F%98%80"])}`,
      );
    case 7:
      return post(bytes(valid), {
        "weir-producer": pick(["p", "", "x".repeat(129)]),
        "weir-sequence": pick(["-1", "1.5", "1e3", "99999999999999999999", ""]),
      });
    case 8:
      return post(bytes(`${" ".repeat(4_000_001)}`));
    default:
      return post(
        bytes(
          valid.replace(
            '"Quantity":1',
            pick([
              '"Quantity":"1"',
              '"Quantity":NaN',
              '"Quantity":+1',
              '"Quantity":01',
              '"Quantity":1e999',
              '"Quantity":.5',
            ]),
          ),
        ),
      );
  }
}
