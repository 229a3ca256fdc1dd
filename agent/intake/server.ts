/** The HTTP server: bounded in time and size, whoever is at the other end. */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { Logger } from "pino";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { createRequestId } from "../../shared/request-id.ts";
import { AgentError, messageOf } from "../runtime/agent-error.ts";
import { sendAnswer } from "./answer.ts";
import { refuseIn } from "./refusal.ts";
import type { Handler } from "./routes.ts";

export type Address = { readonly host: string; readonly port: number } | { readonly path: string };

export interface HttpServer {
  /** The port it listens on; 0 for a unix socket. */
  readonly port: number;
  /** Takes no new connections, answers the requests in hand, cuts what is left after `graceMs`. */
  close(graceMs: number): Promise<void>;
}

/** A client has this long to send a request whole; slower ones get 408. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 15_000;

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
  const handleOpen: Handler = async (request) => {
    const answered = await handle(request);
    // A connection kept alive past the server's closing would hold up the end until it is cut.
    if (answered === null || server.listening) return answered;
    return { ...answered, headers: { ...answered.headers, connection: "close" } };
  };
  server.on("request", (request, response) => {
    answer(request, response, handleOpen, logger).catch((error: unknown) => {
      logger.error({ err: error }, "an answer could not be sent");
      response.destroy();
    });
  });
  server.on("clientError", refuseRaw);
  await listen(server, address);
  const bound = server.address();
  return {
    port: typeof bound === "object" && bound !== null ? bound.port : 0,
    close: (graceMs) => closeServer(server, graceMs),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  handle: Handler,
  logger: Logger,
): Promise<void> {
  const requestId = createRequestId();
  try {
    const answered = await handle(request);
    if (answered === null) response.destroy();
    else await sendAnswer(request, response, requestId, answered);
  } catch (error) {
    logger.error({ err: error, requestId }, "a request failed");
    const message = "the agent could not take this; nothing of it was kept";
    const refusal = refuseIn(request.url ?? "/", 503, message, { "retry-after": "5" });
    await sendAnswer(request, response, requestId, refusal);
  }
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
function refuseRaw(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : error.code === "HPE_HEADER_OVERFLOW" ? 431 : 400;
  const body = JSON.stringify(usageRefusal(STATUS_CODES[status] ?? "Bad Request"));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\n` +
      `X-Request-Id: ${createRequestId()}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
