/** The transport over real connections that end in every way. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type RequestListener } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { createTransport } from "../../agent/upload/transport.ts";
import { until } from "../../tools/processes/until.ts";

const CALL = { method: "POST", path: "/", headers: {}, body: Buffer.from("[]") } as const;

/** A transport to a server of the test's making, and how the server's connections fare. */
async function setup(server: Server, timeoutMs = 60_000) {
  const connections: Socket[] = [];
  server.on("connection", (socket) => {
    connections.push(socket);
    socket.on("error", () => {});
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const url = `http://127.0.0.1:${port}`;
  const transport = createTransport({
    ...{ url, headers: { "x-api-key": "key" }, timeoutMs, connections: 2, answerBytesMax: 1_000_000, env: {} },
  });
  const stop = new AbortController();
  onTestFinished(async () => {
    await transport.close();
    for (const socket of connections) socket.destroy();
    server.close();
  });
  return { transport, connections, stop, send: () => transport.send(CALL, stop.signal) };
}

/** An HTTP server that is told, for each request, how many its connection brought before. */
function httpServer(answer: (earlier: number, ...call: Parameters<RequestListener>) => void): Server {
  const brought = new WeakMap<Socket, number>();
  return createServer({ keepAliveTimeout: 600_000 }, (request, response) => {
    const earlier = brought.get(request.socket) ?? 0;
    brought.set(request.socket, earlier + 1);
    request.resume().on("end", () => answer(earlier, request, response));
  });
}

test.each([
  ["reset", (socket: Socket) => socket.resetAndDestroy()],
  ["closed", (socket: Socket) => socket.end()],
])(
  "a kept connection that is %s as the next call goes out costs nothing: it goes again at once on a fresh one",
  async (_, cut) => {
    let requests = 0;
    const server = httpServer((earlier, request, response) => {
      requests++;
      if (earlier > 0) cut(request.socket);
      else response.end("{}");
    });
    const { send, connections } = await setup(server);
    expect(await send()).toMatchObject({ kind: "answer", status: 200, repeated: false });
    expect(await send()).toMatchObject({ kind: "answer", status: 200, repeated: true });
    expect([requests, connections.length]).toEqual([3, 2]);
    // The repeat's connection was for that call alone.
    expect(await send()).toMatchObject({ kind: "answer", status: 200, repeated: false });
  },
);

test("another's call is handed on again too", async () => {
  const { transport } = await setup(
    httpServer((earlier, request, response) => {
      if (earlier > 0) request.socket.destroy();
      else response.end("{}");
    }),
  );
  const passage = { target: "/", headers: {}, body: Buffer.from("{}") };
  expect(await transport.pass(passage)).toMatchObject({ kind: "answer", status: 200 });
  expect(await transport.pass(passage)).toMatchObject({ kind: "answer", status: 200 });
});

test("the repeat is the only one: a second cut is no response", async () => {
  let requests = 0;
  const server = httpServer((_, request, response) => {
    if (requests++ === 0) response.end("{}");
    else request.socket.destroy();
  });
  const { send } = await setup(server);
  await send();
  expect(await send()).toMatchObject({ kind: "no-response", reason: "network" });
  expect(requests).toBe(3);
});

test("a fresh connection that is cut, or one cut within an answer, is no response at once", async () => {
  let requests = 0;
  const server = httpServer((earlier, request, response) => {
    requests++;
    if (requests === 1) request.socket.destroy();
    else if (earlier === 0) response.end("{}");
    else request.socket.end("HTTP/1.1 2");
  });
  const { send } = await setup(server);
  expect(await send()).toMatchObject({ kind: "no-response", reason: "network" });
  expect(await send()).toMatchObject({ kind: "answer" });
  expect(await send()).toMatchObject({ kind: "no-response", reason: "network" });
  expect(requests).toBe(3);
});

test("a peer that reads and never answers is given up in time, its connection with it", async () => {
  let requests = 0;
  const server = httpServer((_, __, response) => {
    if (requests++ > 0) response.end("{}");
  });
  const { send, connections } = await setup(server, 300);
  expect(await send()).toMatchObject({ kind: "no-response", reason: "timeout", message: "no answer within 300 ms" });
  await until(() => connections[0]?.destroyed, { what: "the connection to be closed" });
  expect(await until(async () => (await send()).kind === "answer", { what: "an answer" })).toBe(true);
  expect(connections.length).toBeGreaterThan(1);
});

test("a peer that stops reading is given up in time", async () => {
  const server = createTcpServer((socket) => socket.pause());
  const { transport, connections, stop } = await setup(server, 300);
  // More than the kernel's buffers of both ends take.
  const body = randomBytes(32 * 1024 * 1024);
  const result = await transport.send({ ...CALL, body, coding: "identity" }, stop.signal);
  expect(result).toMatchObject({ kind: "no-response", reason: "timeout" });
  expect(connections.length).toBe(1);
});

test("an answer carries its server's time, and what is no date is none", async () => {
  const dates = ["Sun, 06 Nov 1994 08:49:37 GMT", "soon 5", ""];
  const server = httpServer((_, __, response) => {
    response.sendDate = false;
    const date = dates.shift();
    response.writeHead(200, date ? { date } : {}).end("{}");
  });
  const { send } = await setup(server);
  expect(await send()).toMatchObject({ dateMs: Date.UTC(1994, 10, 6, 8, 49, 37) });
  expect(await send()).toMatchObject({ dateMs: null });
  expect(await send()).toMatchObject({ dateMs: null });
});
