/** Hands calculations on to the destination: nothing is kept here, so without an answer there is none. */
import type { IncomingHttpHeaders } from "node:http";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import { solvimonRefusal } from "../../shared/intake/solvimon-answer.ts";
import { type BodyLimits, HEADER } from "../../shared/wire.ts";
import type { Transport } from "../upload/transport.ts";
import type { Answer } from "./answer.ts";
import type { BodyRead } from "./body.ts";

export interface CalculateRequest {
  /** Path and query, as they came. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  body(coding: BodyCoding): Promise<BodyRead>;
}

/** Null when the client has gone. */
export type CalculateHandler = (request: CalculateRequest) => Promise<Answer | null>;

export interface CalculateHandlerOptions {
  /** Null where the destination calculates nothing. */
  readonly transport: () => Transport | null;
  readonly limits: BodyLimits;
}

/** What belongs to one connection (RFC 9110, section 7.6.1), or to the agent and not to the destination. */
const NOT_PASSED_ON: ReadonlySet<string> = new Set([
  "connection",
  "content-length",
  "expect",
  "host",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  HEADER.apiKey,
  HEADER.authorization,
]);

const RETRY_S = 5;

export function createCalculateHandler({ transport, limits }: CalculateHandlerOptions): CalculateHandler {
  return async function passCalculation(request) {
    const destination = transport();
    if (destination === null) return refuse(404, "this agent's destination calculates nothing");
    // Not inflated: what came goes on, coding and all.
    const read = await request.body("identity");
    if (read.kind === "gone") return null;
    if (read.kind !== "bytes") return refuse(413, `the body has more than ${limits.bodyBytesMax} bytes`);
    const passed = await destination.pass({
      target: request.target,
      headers: passedOn(request.headers),
      body: read.bytes,
    });
    if (passed.kind === "answer") {
      return { status: passed.status, headers: passedOn(passed.headers), body: passed.body };
    }
    const headers = { [HEADER.retryAfter]: String(RETRY_S) };
    return { ...refuse(503, "the destination gave no answer, and only it can calculate"), headers };
  };
}

function refuse(status: number, message: string): Answer {
  return { status, body: solvimonRefusal(status, message) };
}

function passedOn(headers: IncomingHttpHeaders | Readonly<Record<string, string>>): Record<string, string> {
  const pairs = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined || NOT_PASSED_ON.has(name) ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
  return Object.fromEntries(pairs);
}
