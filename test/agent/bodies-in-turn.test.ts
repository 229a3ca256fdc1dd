/** Large bodies at once are read in turn: what finds no room stays with its sender, and is taken in the end. */
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { openRaw, rawPost, statusesIn } from "./support/raw-client.ts";
import { EVENT, eventNumber, setup } from "./support/setup.ts";

const PATH = "/usage/bulk/m";
const BYTES = 8_000_000;
const large = (n: number) =>
  `[${eventNumber(n)},${Array(Math.floor(BYTES / (EVENT.length + 1)))
    .fill(EVENT)
    .join()}]`;
const head = (body: string) => rawPost(`Content-Length: ${body.length}\r\nConnection: close\r\n`);

test("while a large body lacks its end others wait, small ones flow; then each is taken, none refused", async () => {
  await using agent = await setup();
  const bodies = [1, 2, 3].map(large);
  const [body = "", ...others] = bodies;
  const first = await openRaw(agent, head(body) + body.slice(0, 200_000));
  expect((await agent.post(PATH, eventNumber(100))).status).toBe(200);
  first.socket.write(body.slice(200_000, -1));
  const waiting = await Promise.all(others.map((other) => openRaw(agent, head(other) + other)));
  for (let n = 200; n < 220; n++) expect((await agent.post(PATH, eventNumber(n))).status).toBe(200);
  expect(waiting.map(({ heard }) => heard())).toEqual(["", ""]);
  first.socket.write(body.slice(-1));
  const received = await Promise.all([first, ...waiting].map((client) => client.received));
  expect(received.map(statusesIn)).toEqual([[200], [200], [200]]);
  const count = bodies.reduce((sum, text) => sum + (JSON.parse(text) as unknown[]).length, 21);
  expect((await agent.agent.status()).ledger.accepted).toBe(count);
});

test("gzipped bodies are charged for what they become before they are inflated, and are all taken", async () => {
  await using agent = await setup();
  const answers = await Promise.all(
    [1, 2, 3, 4].map((n) => agent.post(PATH, gzipSync(large(n)), { "content-encoding": "gzip" })),
  );
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
});

test("a client that leaves while its body waits leaves nothing behind: others go on", async () => {
  await using agent = await setup();
  const [body = "", gone = "", last = ""] = [1, 2, 3].map(large);
  const first = await openRaw(agent, head(body) + body.slice(0, -1));
  const leaving = await openRaw(agent, head(gone) + gone);
  expect((await agent.post(PATH, eventNumber(1))).status).toBe(200);
  leaving.socket.destroy();
  first.socket.destroy();
  expect((await agent.post(PATH, last)).status).toBe(200);
});
