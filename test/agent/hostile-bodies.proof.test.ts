/** Bodies made to become much in memory, at an agent with the bounds of `npm run agent`: it lives, and stays small. */
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { lastWords, type NodeProcess } from "../../tools/processes/node-process.ts";
import { AGENT_FLAGS } from "./support/npm-agent.ts";
import { openRaw, rawPost, statusesIn } from "./support/raw-client.ts";
import { running } from "./support/running.ts";
import { EVENT, setup } from "./support/setup.ts";

const PATH = "/usage/bulk/m";
const GZIP = { "content-encoding": "gzip" };
const LENIENT = { prefer: "handling=lenient, return=representation" };
const MB = 1_000_000;

/** The most memory a process ever had, in MB. */
function peakMb({ pid }: NodeProcess): number {
  const peak = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return (Number(peak) * 1024) / MB;
}

async function started() {
  const { agent, destination } = await running();
  // The first start on a machine compiles, and keeps what it compiled.
  const first = agent.run({ nodeFlags: AGENT_FLAGS });
  await first.ready;
  await first.stop();
  const child = agent.run({ nodeFlags: AGENT_FLAGS });
  const url = await child.ready;
  destination.reply = () => ({ status: 503, headers: {}, body: "" });
  const before = peakMb(child);
  return {
    before,
    peak: () => peakMb(child),
    async send(body: Uint8Array<ArrayBuffer> | string, headers: Record<string, string> = {}): Promise<number> {
      const type = { "content-type": "application/json" };
      try {
        const answer = await fetch(url + PATH, { method: "POST", body, headers: { ...type, ...headers } });
        await answer.arrayBuffer();
        return answer.status;
      } catch (error) {
        if (child.isRunning()) throw error;
        throw new Error(`the agent ended: ${lastWords(child)}`, { cause: error });
      }
    },
  };
}

/** A list of as many items as fit into `bytes`. */
function filled(item: string, bytes: number, open = "[", close = "]"): string {
  const count = Math.floor((bytes - open.length - close.length + 1) / (item.length + 1));
  return open + Array(count).fill(item).join(",") + close;
}

const inEvents = (item: string, bytes: number) => filled(filled(item, 900_000, '{"a":[', "]}"), bytes);

/** Bodies of about so many bytes, each of which became many times that. */
const SHAPES: Readonly<Record<string, (bytes: number) => string>> = {
  "empty objects in an event": (bytes) => inEvents("{}", bytes),
  "empty lists in an event": (bytes) => inEvents("[]", bytes),
  "numbers in an event": (bytes) => inEvents("1", bytes),
  "objects of one member": (bytes) => inEvents('{"":0}', bytes),
  "many events of nothing": (bytes) => filled("{}", Math.min(bytes, 590_000)),
  "many events of wrong kinds": (bytes) => filled('{"CustomerId":1,"UsageDate":"x"}', Math.min(bytes, 6_000_000)),
  "many keys": (bytes) =>
    filled(`{${Array.from({ length: 90_000 }, (_, i) => `"${i.toString(36)}":0`).join()}}`, bytes),
  "wide characters": (bytes) => filled(`{"a":"${"😀".repeat(200_000)}"}`, bytes),
  "one event too large": (bytes) => `{"a":"${"x".repeat(bytes - 10)}"}`,
  "usual events": (bytes) => filled(EVENT, bytes),
};

test("2 MB of empty objects, 4 KB gzipped, end no agent: 300 at once, in bounded memory", async () => {
  const { before, peak, send } = await started();
  const bomb = gzipSync(filled("{}", 900_000, '[{"a":[', "]}]"));
  const larger = gzipSync(filled("{}", 2 * MB, '[{"a":[', "]}]"));
  const statuses = await Promise.all(Array.from({ length: 300 }, (_, i) => send(i % 2 === 0 ? bomb : larger, GZIP)));
  console.log(`${before.toFixed(0)} MB before, ${peak().toFixed(0)} MB at most`);
  expect(statuses.filter((status) => ![400, 413, 503].includes(status))).toEqual([]);
  expect(await send(EVENT)).toBe(200);
  expect(peak()).toBeLessThan(180);
});

test("one bomb alone, 400 KB that become 400 MB, is cut off at the limit", async () => {
  const { before, peak, send } = await started();
  expect(await send(gzipSync(Buffer.alloc(400 * MB, 0x20)), GZIP)).toBe(413);
  expect(await send(EVENT)).toBe(200);
  expect(peak() - before).toBeLessThan(100);
});

test("a gzip that holds 400 MB and tells of a thousand bytes is cut off at its own word", async () => {
  const { before, peak, send } = await started();
  const lie = gzipSync(Buffer.alloc(400 * MB, 0x20));
  lie.writeUInt32LE(1000, lie.length - 4);
  expect(await send(lie, GZIP)).toBe(400);
  expect(await send(EVENT)).toBe(200);
  expect(peak() - before).toBeLessThan(100);
});

test.each([
  { bytes: 4 * MB, atOnce: 10, most: 300 },
  { bytes: 16 * MB, atOnce: 4, most: 300 },
])(
  "$atOnce bodies of $bytes bytes at once, whatever their shape, take less than $most MB",
  async ({ bytes, atOnce, most }) => {
    const { before, peak, send } = await started();
    console.log(`before: ${before.toFixed(0)} MB`);
    for (const [shape, make] of Object.entries(SHAPES)) {
      const body = make(bytes);
      for (const headers of [{}, LENIENT, { ...LENIENT, "idempotency-key": shape }]) {
        const sent = Array.from({ length: atOnce }, () => send(body, headers));
        expect(await send(EVENT)).toBe(200);
        const statuses = await Promise.all(sent);
        expect([shape, ...statuses.filter((status) => ![200, 400, 413, 503].includes(status))]).toEqual([shape]);
        console.log(`${shape} ${JSON.stringify(headers)}: ${statuses}, ${peak().toFixed(0)} MB at most`);
      }
    }
    expect(peak()).toBeLessThan(most);
  },
);

test("a body that comes a byte at a time is given up: 408, and the connection is closed, not half", async () => {
  await using agent = await setup();
  const { received, socket } = await openRaw(agent, rawPost("Content-Length: 10000\r\n", "["));
  const dripping = setInterval(() => socket.write(" "), 100);
  onTestFinished(() => clearInterval(dripping));
  expect(statusesIn(await received)).toEqual([408]);
});

test("documents of 2,000 streams that clients ask for without end and never read take bounded memory", async () => {
  const { agent, destination } = await running();
  destination.reply = () => ({ status: 503, headers: {}, body: "" });
  const child = agent.run({ nodeFlags: AGENT_FLAGS });
  const url = await child.ready;
  const headers = { "content-type": "application/json" };
  for (let from = 0; from < 2000; from += 50) {
    const meters = Array.from({ length: 50 }, (_, n) => `/usage/bulk/meter-${"x".repeat(100)}-${from + n}`);
    const sent = meters.map((path) => fetch(url + path, { method: "POST", body: EVENT, headers }));
    for (const answer of await Promise.all(sent)) expect(answer.status).toBe(200);
  }
  const before = peakMb(child);
  const { hostname, port } = new URL(url);
  for (let n = 0; n < 20; n++) {
    const socket = connect({ host: hostname, port: Number(port) });
    onTestFinished(() => void socket.destroy());
    socket.on("error", () => {});
    socket.pause();
    const path = n % 2 === 0 ? "/metrics" : "/status";
    socket.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`.repeat(400));
  }
  // Each of these is behind what the others asked for.
  for (let n = 0; n < 20; n++) {
    expect([200, 503]).toContain((await fetch(`${url}/metrics`)).status);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  }
  expect((await fetch(`${url}/usage/bulk/m`, { method: "POST", body: EVENT, headers })).status).toBe(200);
  console.log(`${before.toFixed(0)} MB before, ${peakMb(child).toFixed(0)} MB at most`);
  expect(peakMb(child) - before).toBeLessThan(150);
});
