/** What only a real socket can do: slow and lying bodies, bombs, many large bodies at once. */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { expect, it } from "vitest";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { workerdMiB } from "../support/workerd-memory.ts";
import { INGEST_PATH, METER, post, startRiver } from "./support.ts";

const MIB = 1024 * 1024;

const event = (n: number) =>
  JSON.stringify({ CustomerId: "c", UsageIdentifier: METER, UsageDate: "2015-05-17T10:05:03Z", Quantity: n });

it("bombs leave the Worker's memory flat", async () => {
  const river = await startRiver();
  const { pid } = river.edge.current();
  const bomb = gzipSync(Buffer.alloc(50 * MIB), { level: 9 });
  const headers = { "x-api-key": LOCAL_KEYS.ingest, "content-encoding": "gzip" };
  const send = async () =>
    (await fetch(`${river.edge.url}${INGEST_PATH}`, { method: "POST", headers, body: bomb })).status;
  expect(await send()).toBe(413);
  const before = workerdMiB(pid);
  expect(before).toBeGreaterThan(10);
  let peak = before;
  for (let round = 0; round < 10; round++) {
    expect(await Promise.all(Array.from({ length: 4 }, send))).toEqual([413, 413, 413, 413]);
    peak = Math.max(peak, workerdMiB(pid));
  }
  console.log(`workerd: ${before.toFixed(0)} MiB before 40 bombs of 50 MB, ${peak.toFixed(0)} MiB at most`);
  // Forty bombs of 50 MB; four in flight may each hold the 4 MB limit.
  expect(peak - before).toBeLessThan(100);
});

/** Comes again when it is told to. */
async function untilAccepted(send: () => Promise<Response>): Promise<Response> {
  for (let attempt = 0; attempt < 20; attempt++) {
    const answer = await send();
    if (answer.status !== 503) return answer;
    await pause(1000 * Number(answer.headers.get("retry-after")));
  }
  throw new Error("a body found no room in twenty attempts");
}

it("ten bodies of 4 MB at once are all accepted, some at a second try, in bounded memory", async () => {
  const river = await startRiver();
  const { pid } = river.edge.current();
  const body = (n: number) => {
    const events = Array.from({ length: 9_500 }, (_, i) =>
      event(n * 10_000 + i).replace('"c"', `"${"c".repeat(300)}"`),
    );
    return events;
  };
  let peak = 0;
  const watching = setInterval(() => {
    peak = Math.max(peak, workerdMiB(pid));
  }, 20);
  try {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, n) =>
        untilAccepted(() =>
          post(river.edge.url, body(n), { headers: { "weir-producer": `p${n}`, "weir-sequence": "0" } }),
        ),
      ),
    );
    expect(answers.map((answer) => answer.status)).toEqual(Array.from({ length: 10 }, () => 200));
  } finally {
    clearInterval(watching);
  }
  console.log(`workerd: ${peak.toFixed(0)} MiB at most while ten bodies of 4 MB were in flight`);
  const rows = await river.settled(120_000);
  expect(rows.reduce((sum, row) => sum + row.delivered, 0)).toBe(95_000);
});

interface RawAnswer {
  readonly status: number | null;
}

/** Writes a request's pieces with pauses between them, then ends the connection; the status that came back, if any. */
async function raw(port: number, pieces: readonly string[], { pauseMs = 0, end = true } = {}): Promise<RawAnswer> {
  const socket = connect(port, "127.0.0.1");
  let text = "";
  socket.setEncoding("latin1");
  socket.on("data", (chunk: string) => {
    text += chunk;
  });
  // A server may cut a lying client off; what matters is that the next one is served.
  socket.on("error", () => undefined);
  await once(socket, "connect");
  for (const piece of pieces) {
    socket.write(piece);
    if (pauseMs > 0) await pause(pauseMs);
  }
  if (end) socket.end();
  if (!socket.destroyed) await Promise.race([once(socket, "close"), pause(3_000)]);
  socket.destroy();
  return { status: text === "" ? null : Number(text.split(" ", 2)[1]) };
}

it("slow, short, long and lying requests harm nobody", async () => {
  const river = await startRiver();
  const { port } = river.edge;
  const head = (length: number | string, more = "") =>
    `POST ${INGEST_PATH} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-KEY: ${LOCAL_KEYS.ingest}\r\nContent-Length: ${length}\r\n${more}\r\n`;
  const body = event(1);
  const slow = await raw(port, [head(body.length), ...(body.match(/.{1,8}/g) ?? [])], { pauseMs: 20, end: false });
  expect(slow.status, "slow, but whole").toBe(200);
  const lying = [
    raw(port, [head(body.length + 100), body]),
    raw(port, [head(10), body]),
    raw(port, [head("abc"), body]),
    raw(port, [head(-1), body]),
    raw(port, ["POST / HTTP/9.9\r\n\r\n"]),
    raw(port, ["\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"]),
    raw(port, [
      `POST ${INGEST_PATH} HTTP/1.1\r\nHost: x\r\nX-API-KEY: ${LOCAL_KEYS.ingest}\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n`,
    ]),
  ];
  const statuses = (await Promise.all(lying)).map((answer) => answer.status);
  expect(
    statuses.filter((status) => status !== null && !(status >= 400 && status < 500)),
    String(statuses),
  ).toEqual([]);
  expect((await post(river.edge.url, [event(2)])).status).toBe(200);
  const [row] = await river.settled();
  expect(row).toMatchObject({ accepted: 2, delivered: 2 });
});
