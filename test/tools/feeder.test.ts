import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { feed } from "../../tools/sample/feeder.ts";

type Reply = "take" | "take and cut" | "cut" | "wait";

/** An agent that folds bodies by their key and answers the first calls by the script. */
async function setup(script: Reply[]) {
  const taken = new Map<string, string>();
  const calls: string[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const key = String(request.headers["idempotency-key"]);
    calls.push(key);
    const reply = script.shift() ?? "take";
    const events = (JSON.parse(body) as unknown[]).length;
    const duplicates = taken.has(key) ? events : 0;
    if (reply === "take" || reply === "take and cut") taken.set(key, body);
    if (reply === "cut" || reply === "take and cut") return void request.socket.destroy();
    response.writeHead(reply === "wait" ? 429 : 200, { "retry-after": "0.01" });
    response.end(JSON.stringify({ accepted: events - duplicates, duplicates }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close().closeAllConnections());
  const lines = ['{"n":0}', '{"n":1}', '{"n":2}'];
  const run = () =>
    feed({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      lines,
      bodyEvents: 2,
      eventsPerSecond: 10_000,
      keyPrefix: "k",
      signal: AbortSignal.timeout(10_000),
    });
  return { run, taken, calls };
}

test("every line is sent once, in bodies with keys of their own", async () => {
  const { run, taken } = await setup([]);
  expect(await run()).toEqual({ fed: 3, repeated: 0, duplicates: 0 });
  expect([...taken]).toEqual([
    ["k-0", '[{"n":0},{"n":1}]'],
    ["k-2", '[{"n":2}]'],
  ]);
});

test("a body without an answer is sent again under its key until there is one", async () => {
  const { run, calls } = await setup(["cut", "take and cut", "wait"]);
  expect(await run()).toEqual({ fed: 3, repeated: 2, duplicates: 2 });
  expect(calls).toEqual(["k-0", "k-0", "k-0", "k-0", "k-2"]);
});
