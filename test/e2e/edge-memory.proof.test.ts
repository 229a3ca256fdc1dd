/**
 * What hostile bodies make of an isolate's memory: the real Worker in workerd, asked through its inspector after a forced
 * collection, while ten bodies of 4 MB are held and while they are worked on.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { expect, it, onTestFinished } from "vitest";
import { type EdgeServer, startEdge } from "../../tools/edge/server.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { openInspector } from "../support/inspector.ts";

const MB = 1_000_000;
const HEAP_MAX = 100 * MB;
const METER = "memory";
const PATH = `/meters/streaming/ingestion/${METER}`;

const USUAL = '"CustomerId":"c","UsageIdentifier":"u","UsageDate":"2015-05-17T10:05:03Z"';
const event = (more: string) => `{${USUAL},"Quantity":1,${more}}`;
/** Events of one shape, as many as 4 MB and the edge take. */
const filled = (one: (n: number) => string) => {
  const count = Math.min(10_000, Math.floor((4 * MB - 10_000) / (one(9_999).length + 1)));
  return `[${Array.from({ length: count }, (_, n) => one(n)).join(",")}]`;
};
/** As filled, of events whose letters take several bytes. */
const filledBytes = (one: () => string) =>
  `[${Array(Math.floor((4 * MB - 10_000) / (Buffer.byteLength(one()) + 1)))
    .fill(one())
    .join(",")}]`;
const repeated = (text: string, bytes: number) =>
  Array(Math.floor(bytes / (text.length + 1)))
    .fill(text)
    .join(",");
const keys = (bytes: number) =>
  Array.from({ length: Math.floor(bytes / 12) }, (_, i) => `"k${100_000 + i}":1`).join(",");

const USUAL_BODY = () => Buffer.from(filled((n) => event(`"n":${n},"text":"${"x".repeat(280)}"`)));

const SHAPES: readonly (readonly [name: string, body: () => Buffer, headers?: Record<string, string>])[] = [
  ["many small events", () => Buffer.from(filled((n) => event(`"n":${n}`)))],
  ["ten thousand events of 400 bytes", USUAL_BODY],
  ["a million empty objects", () => Buffer.from(filled(() => event(`"a":[${repeated("{}", 900_000)}]`)))],
  [
    "lists in lists",
    () => Buffer.from(filled(() => event(`"a":[${repeated(`${"[".repeat(60)}${"]".repeat(60)}`, 900_000)}]`))),
  ],
  ["many keys", () => Buffer.from(filled(() => event(keys(900_000))))],
  ["escapes", () => Buffer.from(filled((n) => event(`"e${n}":"${"\\u00e9\\ud83d\\ude00".repeat(50_000)}"`)))],
  [
    "numbers of 400 digits",
    () => Buffer.from(filled((n) => event(`"d":[${n},${repeated("1".repeat(309), 300_000)}]`))),
  ],
  [
    "events that are not valid",
    () => Buffer.from(`[${Array(10_000).fill("{}").join(",")}]`),
    { prefer: "handling=lenient" },
  ],
  ["a bomb", () => gzipSync(Buffer.alloc(50 * MB, 32)), { "content-encoding": "gzip" }],
  [
    "a bomb of 4 MB",
    () => gzipSync(filled(() => event(`"a":[${repeated("{}", 900_000)}]`))),
    { "content-encoding": "gzip" },
  ],
  ["letters of three bytes", () => Buffer.from(filledBytes(() => event(`"t":"${"\u20ac".repeat(250_000)}"`)))],
];

async function startInspected(): Promise<EdgeServer & { readonly inspectorUrl: string }> {
  const persistTo = await mkdtemp(join(tmpdir(), "weir-memory-"));
  const edge = await startEdge({ port: 0, persistTo, vars: {}, inspectorPort: 0 });
  onTestFinished(async () => {
    await edge.close();
    await rm(persistTo, { recursive: true, force: true });
  });
  const { inspectorUrl } = edge;
  if (inspectorUrl === null) throw new Error("the edge has no inspector");
  const put = await fetch(`${edge.url}/admin/catalog`, {
    method: "PUT",
    headers: { "x-api-key": LOCAL_KEYS.admin, "if-match": "*" },
    body: JSON.stringify({ streams: [{ meter_global_id: METER }] }),
  });
  expect(put.status).toBe(200);
  return { ...edge, inspectorUrl };
}

/** Sends all of a body but its last byte; `finish` sends that and gives the status. */
async function begin(url: string, body: Buffer, headers: Record<string, string>) {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname).setEncoding("latin1");
  const status = new Promise<number | null>((resolve) => {
    socket.once("data", (text: string) => resolve(Number(text.split(" ", 2)[1])));
    socket.once("close", () => resolve(null));
    socket.once("error", () => resolve(null));
  });
  const lines = { host: hostname, "x-api-key": LOCAL_KEYS.ingest, "content-length": String(body.length), ...headers };
  const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`POST ${PATH} HTTP/1.1\r\n${head.join("")}\r\n`);
  await new Promise((resolve) => socket.write(body.subarray(0, -1), resolve));
  return {
    async finish() {
      socket.write(body.subarray(-1));
      const answered = await status;
      socket.destroy();
      return answered;
    },
  };
}

it("ten hostile bodies of 4 MB in flight leave the isolate below 100 MB after a collection", async () => {
  const edge = await startInspected();
  const inspector = await openInspector(edge.inspectorUrl);
  onTestFinished(() => inspector.close());
  for (const [name, body, headers = {}] of SHAPES) {
    const bytes = body();
    const begun = await Promise.all(Array.from({ length: 10 }, () => begin(edge.url, bytes, headers)));
    const held = await inspector.heapBytes();
    let peak = held;
    let isDone = false;
    const watching = (async () => {
      while (!isDone) {
        peak = Math.max(peak, await inspector.heapBytes());
        await pause(50);
      }
    })();
    const statuses = await Promise.all(begun.map((one) => one.finish()));
    isDone = true;
    await watching;
    const after = await inspector.heapBytes();
    const told = [held, peak, after].map((size) => (size / MB).toFixed(1));
    console.log(`${name}: ${told[0]} MB held, ${told[1]} at most, ${told[2]} after; ${statuses.join(" ")}`);
    expect(peak, name).toBeLessThan(HEAP_MAX);
    for (const status of statuses) expect([200, 400, 413, 503], `${name}: ${status}`).toContain(status);
    const healthy = await fetch(`${edge.url}/healthz`);
    expect(healthy.status, name).toBe(200);
  }
});

it("of twenty uploads of 4 MB at once most are taken, one after the other, and the rest may come again", async () => {
  const edge = await startInspected();
  const body = USUAL_BODY();
  const begun = await Promise.all(Array.from({ length: 20 }, () => begin(edge.url, body, {})));
  const statuses = await Promise.all(begun.map((one) => one.finish()));
  const taken = statuses.filter((status) => status === 200).length;
  console.log(`${taken} of 20 uploads of ${(body.length / MB).toFixed(1)} MB were taken: ${statuses.join(" ")}`);
  // As many as the machine works on in 25 s: all where it does nothing else. They filled the room in equal parts, and none became whole.
  expect(taken).toBeGreaterThan(2);
  for (const status of statuses) expect([200, 503]).toContain(status);
});
