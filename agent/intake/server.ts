/** The HTTP server: bounded in time and size, whoever is at the other end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { AgentError, messageOf } from "../runtime/agent-error.ts";
import { createRequestIds } from "../runtime/request-ids.ts";
import { type Answer, LINGER_MS, sendAnswer } from "./answer.ts";
import { boundConnections } from "./connections.ts";
import { refuseIn } from "./refusal.ts";
import type { Handler } from "./routes.ts";

export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

export interface HttpServer {
  /** The port it listens on; 0 for a unix socket. */
  readonly port: number;
  /** Takes no new connections, answers the requests in hand, cuts what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** A client has this long to send a request whole, what it waits for room here included; slower ones get 408. */
const REQUEST_TIMEOUT_MS = 90_000;
const HEADERS_TIMEOUT_MS = 15_000;

const createRequestId = createRequestIds();

/**
 * Listens and answers.
 * @throws AgentError LISTEN where the address cannot be had.
 */
export async function openHttpServer(address: Address, handle: Handler, logger: Logger): Promise<HttpServer> {
  const server = createServer({
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: 5_000,
    keepAliveTimeout: 65_000,
    noDelay: true,
  });
  // A client that closes its half once its request is out still wants the answer: Node's own server would end the
  // connection there, with the events on disk and nobody told. Node's types do not have this member of its servers.
  Object.assign(server, { httpAllowHalfOpen: true });
  const closing = new WeakSet<Socket>();
  const answering = (handler: Handler) => (request: IncomingMessage, response: ServerResponse) => {
    // Behind a request that closes its connection nothing is taken any more.
    if (closing.has(request.socket)) return;
    void answer(request, response, { server, handler, closing, logger });
  };
  const connections = boundConnections(server);
  server.on("request", answering(handle));
  // Node would answer these by itself, without a body.
  server.on("checkExpectation", answering(refuseExpectation));
  // Events of a request before it may be on their way to the disk: their client learns that first.
  server.on(
    "clientError",
    (error, socket: Socket) => void connections.answered(socket).then(() => refuseRaw(error, socket)),
  );
  await listen(server, address);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    close: (graceMs) => closeServer(server, graceMs),
  };
}

interface Answering {
  readonly server: Server;
  readonly handler: Handler;
  /** Connections that end with the answer under way. */
  readonly closing: WeakSet<Socket>;
  readonly logger: Logger;
}

/** Never rejects. */
async function answer(request: IncomingMessage, response: ServerResponse, context: Answering): Promise<void> {
  const requestId = createRequestId();
  let answered: Answer | null = null;
  try {
    answered = await context.handler(request);
  } catch (error) {
    answered = failed(request, requestId, error, context.logger);
  }
  if (answered === null) {
    response.destroy();
    return;
  }
  const { closed } = answered;
  if (response.closed) closed?.();
  else if (closed !== undefined) response.once("close", closed);
  try {
    const sending = sendAnswer(request, response, requestId, lastOf(request, answered, context));
    if (sending !== null) await sending;
  } catch (error) {
    context.logger.error({ err: error }, "an answer could not be sent");
    response.destroy();
  } finally {
    answered.sent?.();
  }
}

/**
 * The answer, as the last of its connection where it is: what was not read to its end was refused, and nothing further is
 * read there. One kept alive past the server's closing would hold up the end until it is cut.
 */
function lastOf(request: IncomingMessage, answered: Answer, { server, closing }: Answering): Answer {
  if (server.listening && (answered.status < 400 || request.complete)) return answered;
  closing.add(request.socket);
  return { ...answered, headers: { ...answered.headers, connection: "close" } };
}

function failed({ url }: IncomingMessage, requestId: string, error: unknown, logger: Logger): Answer {
  logger.error({ err: error, requestId }, "a request failed");
  return refuseIn(url ?? "/", 503, "the agent could not take this; nothing of it was kept", { "retry-after": "5" });
}

async function refuseExpectation({ url }: IncomingMessage): Promise<Answer> {
  return refuseIn(url ?? "/", 417, "only Expect: 100-continue is met here");
}

function listen(server: Server, address: Address): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const where = "path" in address ? address.path : `${address.host}:${address.port}`;
      reject(new AgentError("LISTEN", `cannot listen on ${where}: ${messageOf(cause)}`, { cause }));
    });
    if ("path" in address) server.listen(address.path, resolve);
    else server.listen(address.port, address.host, resolve);
  });
}

async function closeServer(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cut);
}

/** What is no HTTP, or came too slowly, is answered by hand: there is no response object for it. */
function refuseRaw(error: Error & { code?: string; rawPacket?: Buffer }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
  // A client that asked with HEAD takes what follows the head for the next answer.
  const isHead = error.rawPacket?.subarray(0, 5).toString("latin1") === "HEAD ";
  const body = isHead ? "" : JSON.stringify(usageRefusal(STATUS_CODES[status] ?? "Bad Request"));
  socket.write(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `X-Request-Id: ${createRequestId()}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  // Ending it alone would leave the client's half open, for as long as the client likes.
  const cut = setTimeout(() => socket.destroy(), LINGER_MS);
  socket.once("close", () => clearTimeout(cut)).end();
}
