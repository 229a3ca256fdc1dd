/**
 * A stand-in for both upstreams, Zuora Mediation and Solvimon, on loopback. Speaks their auth, limits and
 * answers, keeps what it accepts by exact source text, and misbehaves by script.
 *
 * A call is handled in one synchronous step once its body is read and its scripted delay has passed, so two
 * calls with one idempotency-key can never both be accepted.
 */
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { AcceptedEvents, type AcceptedEventsLimits, DEFAULT_ACCEPTED_LIMITS } from "./accepted-events.ts";
import type { Answer } from "./answer.ts";
import { type CallBody, readCallBody } from "./body.ts";
import { type Controlled, control } from "./controls.ts";
import { FailureScript, type InjectedFailure } from "./failure-script.ts";
import { type Call, type HandledCall, notAccepted } from "./handled-call.ts";
import { IdempotencyKeys } from "./idempotency.ts";
import { RequestLog } from "./request-log.ts";
import { isSolvimonPath, type Operation, operationOf } from "./route.ts";
import { scriptedAnswer, withHeaders } from "./scripted-answer.ts";
import { DEFAULT_SOLVIMON, Solvimon, type SolvimonOptions } from "./solvimon.ts";
import { solvimonError } from "./solvimon-errors.ts";
import { DEFAULT_ZUORA, Zuora, type ZuoraOptions, zuoraError } from "./zuora.ts";

export interface TwinOptions {
  /** 0, the default, picks a free one. */
  readonly port?: number;
  readonly zuora?: Partial<ZuoraOptions>;
  readonly solvimon?: Partial<SolvimonOptions>;
  readonly limits?: Partial<AcceptedEventsLimits>;
  readonly now?: () => number;
}

export interface Twin {
  /** Without a slash at the end. */
  readonly url: string;
  readonly port: number;
  /** Ends it, cutting the connections that are open. */
  close(): Promise<void>;
}

export async function createTwin(options: TwinOptions = {}): Promise<Twin> {
  const twin = new TwinServer(options);
  const server = createServer((request, response) => {
    twin.serve(request, response).catch(() => {
      // The client hung up half-way through its body: there is nobody to answer.
      response.destroy();
    });
  });
  // Longer than any sender keeps an idle connection, so that none is closed under a call.
  server.keepAliveTimeout = 120_000;
  server.listen(options.port ?? 0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    twin.closing.abort();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await closed;
  };
  return { url: `http://127.0.0.1:${port}`, port, close };
}

class TwinServer implements Controlled {
  readonly closing = new AbortController();
  readonly events: AcceptedEvents;
  readonly failures = new FailureScript();
  readonly log = new RequestLog();
  readonly #keys = new IdempotencyKeys();
  readonly #zuora: Zuora;
  readonly #solvimon: Solvimon;
  readonly #zuoraBytesMax: number;
  readonly #solvimonBytesMax: number;

  constructor({ zuora, solvimon, limits, now = Date.now }: TwinOptions) {
    this.events = new AcceptedEvents({ ...DEFAULT_ACCEPTED_LIMITS, ...limits });
    const stores = { events: this.events, keys: this.#keys };
    const zuoraOptions = { ...DEFAULT_ZUORA, ...zuora };
    const solvimonOptions = { ...DEFAULT_SOLVIMON, ...solvimon };
    this.#zuora = new Zuora(zuoraOptions, stores, now);
    this.#solvimon = new Solvimon(solvimonOptions, stores, now);
    this.#zuoraBytesMax = zuoraOptions.bytesMax;
    this.#solvimonBytesMax = solvimonOptions.bytesMax;
  }

  readonly reset = (): void => {
    this.events.clear();
    this.failures.clear();
    this.log.clear();
    this.#keys.clear();
    this.#zuora.clear();
    this.#solvimon.clear();
  };

  async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", "http://twin");
    if (url.pathname === "/twin" || url.pathname.startsWith("/twin/")) {
      const outcome = await control(this, request, response, url);
      if (outcome.kind === "answer") send(response, outcome.answer);
      return;
    }
    await this.#serveCall(request, response, url.pathname);
  }

  async #serveCall(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const operation = operationOf(request.method ?? "", path);
    const isIngest = operation.kind === "zuora-ingest" || operation.kind === "solvimon-ingest";
    const body = await readCallBody(request, isSolvimonPath(path) ? this.#solvimonBytesMax : this.#zuoraBytesMax);
    const failure = this.failures.take({ path, isIngest, body: body.kind === "body" ? body.bytes : null });
    if (failure?.delay_ms) await sleep(failure.delay_ms, undefined, { signal: this.closing.signal });
    const { answer, events } = this.#answerCall(request, path, operation, body, failure);
    if (isIngest) {
      const gzip = request.headers["content-encoding"] !== undefined;
      const status = answer?.status ?? null;
      this.log.add({ path, status, events, bytes: body.wireBytes, gzip }, request.headers);
    }
    if (answer === null) response.socket?.destroy();
    else send(response, answer);
  }

  /** The failure's doing first, then the vendor's. No answer: the connection is to be cut. */
  #answerCall(
    request: IncomingMessage,
    path: string,
    operation: Operation,
    body: CallBody,
    failure: InjectedFailure | null,
  ): { readonly answer: Answer | null; readonly events: number } {
    if (failure?.drop === "before") return { answer: null, events: 0 };
    if (failure?.status !== undefined && failure.drop === undefined) {
      return { answer: withHeaders(scriptedAnswer(path, failure.status), failure.headers), events: 0 };
    }
    const handled = this.#handle({ path, headers: request.headers }, operation, body);
    const events = handled.kind === "accepted" ? handled.events : 0;
    return { answer: failure?.drop === "after" ? null : withHeaders(handled.answer, failure?.headers), events };
  }

  #handle(head: Omit<Call, "bytes">, operation: Operation, body: CallBody): HandledCall {
    const error = isSolvimonPath(head.path) ? solvimonError : zuoraError;
    if (operation.kind === "unknown") return notAccepted(error(404, `${head.path} is not known`));
    if (body.kind === "too-large") return notAccepted(error(413, "the body is too large"));
    if (body.kind === "bad-coding") return notAccepted(error(400, body.message));
    const call: Call = { ...head, bytes: body.bytes };
    switch (operation.kind) {
      case "zuora-token":
        return notAccepted(this.#zuora.token(call));
      case "zuora-ingest":
        return this.#zuora.ingest(call, operation.stream);
      case "solvimon-ingest":
        return this.#solvimon.ingest(call, operation.version, operation.stream, operation.form);
      case "solvimon-calculate":
        return notAccepted(this.#solvimon.calculate(call, operation.version));
    }
  }
}

let requestCount = 0;

function send(response: ServerResponse, answer: Answer): void {
  requestCount++;
  const id = `reqr_${String(requestCount).padStart(20, "0")}`;
  response.writeHead(answer.status, { "x-request-id": id, ...answer.headers });
  response.end(answer.body ?? undefined);
}
