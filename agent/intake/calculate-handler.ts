/** Hands calculations on to the destination: nothing is kept here, so without an answer there is none. */
import type { IncomingHttpHeaders } from "node:http";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import { solvimonRefusal } from "../../shared/intake/solvimon-answer.ts";
import { type BodyLimits, HEADER, SOLVIMON_VERSION } from "../../shared/wire.ts";
import type { Transport } from "../upload/transport.ts";
import type { Answer } from "./answer.ts";
import type { BodyRead } from "./body-read.ts";

export interface CalculateRequest {
  readonly query: URLSearchParams;
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

/** Nothing of a request says where it goes, so that nobody reaches more of the destination with the agent's key. */
const PATH = `/v${SOLVIMON_VERSION}/events/calculate`;
const REQUEST_HEADERS = [
  "accept",
  HEADER.acceptEncoding,
  HEADER.contentType,
  HEADER.contentEncoding,
  HEADER.platformId,
] as const;
const ANSWER_HEADERS = [
  HEADER.contentType,
  HEADER.contentEncoding,
  HEADER.requestId,
  HEADER.retryAfter,
  "cache-control",
  "vary",
] as const;

const RETRY = { [HEADER.retryAfter]: "5" } as const;

export function createCalculateHandler({ transport, limits }: CalculateHandlerOptions): CalculateHandler {
  return async function passCalculation(request) {
    const destination = transport();
    if (destination === null) return refuse(404, "this agent's destination calculates nothing");
    // Not inflated: what came goes on, coding and all.
    const read = await request.body("identity");
    if (read.kind === "gone") return null;
    if (read.kind === "busy") return { ...refuse(503, "too many requests at once"), headers: RETRY };
    if (read.kind === "slow") return refuse(408, "the body came too slowly");
    if (read.kind !== "bytes") return refuse(413, `the body has more than ${limits.bodyBytesMax} bytes`);
    const passed = await destination.pass({
      target: request.query.size === 0 ? PATH : `${PATH}?${request.query}`,
      headers: only(REQUEST_HEADERS, request.headers),
      body: read.bytes,
    });
    if (passed.kind === "answer") {
      return { status: passed.status, headers: only(ANSWER_HEADERS, passed.headers), body: passed.body };
    }
    return { ...refuse(503, "the destination gave no answer, and only it can calculate"), headers: RETRY };
  };
}

function refuse(status: number, message: string): Answer {
  return { status, body: solvimonRefusal(status, message) };
}

function only(
  names: readonly string[],
  headers: IncomingHttpHeaders | Readonly<Record<string, string>>,
): Record<string, string> {
  const pairs = names.map((name) => [name, headers[name]] as const);
  return Object.fromEntries(pairs.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])));
}
