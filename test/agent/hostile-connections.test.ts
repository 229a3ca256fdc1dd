/** Connections that a client would not open: lying, idle, refused and going on. Other clients do not feel them. */
import { expect, onTestFinished, test } from "vitest";
import { openRaw, rawPost, statusesIn, wholePost } from "./support/raw-client.ts";
import { EVENT, eventNumber, setup } from "./support/setup.ts";

const PATH = "/usage/bulk/m";

test("declared bytes take no memory: sockets that declare the most and send a byte keep nobody out", async () => {
  await using agent = await setup();
  const lying = await Promise.all(
    Array.from({ length: 40 }, () => openRaw(agent, rawPost("Content-Length: 15999999\r\n", "["))),
  );
  for (let n = 0; n < 20; n++) expect((await agent.post(PATH, eventNumber(n))).status).toBe(200);
  const large = `[${Array(100_000).fill(EVENT).join()}]`;
  expect((await agent.post(PATH, large)).status).toBe(200);
  expect((await fetch(`${agent.agent.url}/healthz`)).status).toBe(200);
  for (const { socket } of lying) socket.destroy();
});

test("a body declared larger than any is refused at once, unread, and its connection closed", async () => {
  await using agent = await setup();
  const { received, socket } = await openRaw(agent, rawPost("Content-Length: 64000000\r\n", "["));
  const going = setInterval(() => socket.write("x".repeat(1000)), 5);
  onTestFinished(() => clearInterval(going));
  expect(statusesIn(await received)).toEqual([413]);
});

test("a client that is refused and goes on sending is cut off, and nothing behind its request is taken", async () => {
  await using agent = await setup();
  const next = wholePost(EVENT);
  const { received } = await openRaw(agent, rawPost("Content-Length: 20000000\r\n", `${next}${next}`));
  expect(statusesIn(await received)).toEqual([413]);
  const chunked = await openRaw(agent, rawPost("Transfer-Encoding: chunked\r\n", "", "/nowhere"));
  const going = setInterval(() => chunked.socket.write("5\r\nhello\r\n"), 5);
  onTestFinished(() => clearInterval(going));
  expect(statusesIn(await chunked.received)).toEqual([404]);
  expect((await agent.agent.status()).ledger.accepted).toBe(0);
});

test("what is no HTTP is answered 400 and its connection closed, though the client keeps its half open", async () => {
  await using agent = await setup();
  for (const text of [
    "\0\0\0\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\nX\r\n\r\n",
  ]) {
    const { received } = await openRaw(agent, text);
    expect([text, statusesIn(await received)]).toEqual([text, [400]]);
  }
  // Nothing follows the head of an answer to HEAD.
  const { received } = await openRaw(agent, "HEAD \\\\ HTTP/1.1\r\nHost: localhost\r\n\r\n");
  expect(await received).toMatch(/^HTTP\/1\.1 400 .*\r\n\r\n$/s);
});

test("a body in chunks of one byte is taken, at the memory of its bytes", async () => {
  await using agent = await setup();
  const body = `[${Array.from({ length: 200 }, (_, n) => eventNumber(n)).join()}]`;
  const chunks = [...body].map((character) => `1\r\n${character}\r\n`).join("");
  const { received } = await openRaw(
    agent,
    rawPost("Transfer-Encoding: chunked\r\nConnection: close\r\n", `${chunks}0\r\n\r\n`),
  );
  expect(statusesIn(await received)).toEqual([200]);
  expect((await agent.agent.status()).ledger.accepted).toBe(200);
});

test("connections that idle make room for those that ask", async () => {
  await using agent = await setup();
  const idle = await Promise.all(Array.from({ length: 600 }, () => openRaw(agent, "")));
  for (let n = 0; n < 5; n++) expect((await agent.post(PATH, eventNumber(n))).status).toBe(200);
  // The first came first, and idled longest.
  expect(await idle[0]?.received).toBe("");
  for (const { socket } of idle) socket.destroy();
});

test("requests behind one another on one connection are all answered, in order", async () => {
  await using agent = await setup();
  const bodies = Array.from({ length: 20 }, (_, n) => wholePost(eventNumber(n))).join("");
  const { received } = await openRaw(
    agent,
    `${bodies}GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  );
  expect(statusesIn(await received)).toEqual(Array(21).fill(200));
});

test("an expectation that nobody meets is refused in the agent's own shape, its body unread", async () => {
  await using agent = await setup();
  const { received } = await openRaw(agent, rawPost(`Expect: 200-ok\r\nContent-Length: ${EVENT.length}\r\n`, EVENT));
  const answer = await received;
  expect(statusesIn(answer)).toEqual([417]);
  expect(answer).toMatch(/\r\nx-request-id: reqr_/i);
  expect(JSON.parse(answer.slice(answer.indexOf("\r\n\r\n")))).toMatchObject({ success: false, reasons: [] });
  expect((await agent.agent.status()).ledger.accepted).toBe(0);
});

test.each(["", "Expect: 100-continue\r\n"])(
  "a client that closes its half behind its request is answered nevertheless (%j)",
  async (expectation) => {
    const committing = Promise.withResolvers<void>();
    await using agent = await setup({
      beforeGroup: async (group) => {
        if (group.some(({ kind }) => kind === "append")) await committing.promise;
      },
    });
    const { socket, received } = await openRaw(
      agent,
      rawPost(`${expectation}Content-Length: ${EVENT.length}\r\n`, EVENT),
    );
    socket.end();
    // What is asked later is answered, so the other side has seen that end.
    for (let n = 0; n < 2; n++) await (await fetch(`${agent.agent.url}/healthz`)).text();
    committing.resolve();
    expect(statusesIn(await received).at(-1)).toBe(200);
  },
);

test("what follows a whole request without being one does not cost that request its answer", async () => {
  await using agent = await setup();
  const { received } = await openRaw(agent, rawPost(`Content-Length: ${EVENT.length}\r\n`, `${EVENT}${EVENT}`));
  expect(statusesIn(await received)).toEqual([200, 400]);
  expect((await agent.agent.status()).ledger.accepted).toBe(1);
});
