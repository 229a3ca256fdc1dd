/** Zuora Mediation's side of the twin: tokens, the ingest operation in both spellings, its limits and errors. */
import { randomBytes } from "node:crypto";
import { scanJson } from "../../shared/json/bodies.ts";
import type { ScanError } from "../../shared/json/scan-error.ts";
import { decodeBody } from "../../shared/json/utf8.ts";
import { type Answer, type ErrorWording, jsonAnswer } from "./answer.ts";
import { isAccepted } from "./credential.ts";
import {
  type Call,
  type HandledCall,
  headerOf,
  notAccepted,
  oncePerKey,
  originOf,
  type Stores,
} from "./handled-call.ts";

export interface ZuoraOptions {
  /** Null: any that is not empty, for an edge that was set up without asking the twin. */
  readonly clientId: string | null;
  readonly clientSecret: string | null;
  readonly tokenLifetimeMs: number;
  /** Of a body after inflation. */
  readonly bytesMax: number;
  readonly eventsMax: number;
  readonly callsPerMinute: number;
  /** False: a vendor that does not know idempotency-key and takes each repeat anew. */
  readonly honoursIdempotencyKeys: boolean;
}

/** The limits of a production tenant, and credentials for local use. */
export const DEFAULT_ZUORA: ZuoraOptions = {
  clientId: "twin-client",
  clientSecret: "twin-secret",
  tokenLifetimeMs: 3_600_000,
  bytesMax: 4_000_000,
  eventsMax: 10_000,
  callsPerMinute: 50_000,
  honoursIdempotencyKeys: true,
};

const VALIDATION_FAILED =
  "Data validation failed. Please check that all fields have the correct type and all required fields are present.";

const MESSAGES: Record<number, { readonly code: number; readonly message: string }> = {
  400: { code: 70000000, message: VALIDATION_FAILED },
  401: { code: 90000011, message: "This resource is protected, please sign in first" },
  403: { code: 90000022, message: "You do not have permission to use this resource" },
  404: { code: 70000040, message: "Resource not found" },
  409: { code: 70000009, message: "The idempotency key was used with another request" },
  413: { code: 70000013, message: "Payload too large" },
  415: { code: 70000015, message: "Unsupported media type" },
  429: { code: 70000070, message: "Too many requests" },
};

/** An error as Zuora words it. */
export function zuoraError(status: number, message?: string, wording: ErrorWording = {}): Answer {
  const known = MESSAGES[status] ?? { code: 60000000, message: "Internal error, please try again later" };
  const { index, field, headers } = wording;
  const reason = {
    code: wording.code ?? known.code,
    message: message ?? known.message,
    ...(index === undefined ? {} : { index }),
    ...(field === undefined ? {} : { field }),
  };
  return jsonAnswer(status, { success: false, message: known.message, reasons: [reason] }, headers);
}

const TOKENS_MAX = 10_000;
const WINDOW_MS = 60_000;

export class Zuora {
  readonly #options: ZuoraOptions;
  readonly #stores: Stores;
  readonly #now: () => number;
  readonly #tokens = new Map<string, number>();
  #window = { startMs: Number.NEGATIVE_INFINITY, calls: 0 };

  constructor(options: ZuoraOptions, stores: Stores, now: () => number) {
    this.#options = options;
    this.#stores = stores;
    this.#now = now;
  }

  /** `POST /oauth/token`, client credentials only (RFC 6749, section 4.4). */
  token(call: Call): Answer {
    const form = new URLSearchParams(call.bytes.toString("utf8"));
    const { clientId, clientSecret, tokenLifetimeMs } = this.#options;
    if (form.get("grant_type") !== "client_credentials") {
      return jsonAnswer(400, { error: "unsupported_grant_type", error_description: "use client_credentials" });
    }
    if (!isAccepted(form.get("client_id"), clientId) || !isAccepted(form.get("client_secret"), clientSecret)) {
      return jsonAnswer(401, { error: "invalid_client", error_description: "unknown client or wrong secret" });
    }
    const token = randomBytes(24).toString("hex");
    this.#tokens.set(token, this.#now() + tokenLifetimeMs);
    const [oldest] = this.#tokens.keys();
    if (this.#tokens.size > TOKENS_MAX && oldest !== undefined) this.#tokens.delete(oldest);
    const expires_in = Math.floor(tokenLifetimeMs / 1000);
    return jsonAnswer(200, { access_token: token, token_type: "bearer", expires_in, scope: "" });
  }

  ingest(call: Call, stream: string): HandledCall {
    if (!this.#isKnownToken(call)) return notAccepted(zuoraError(401));
    const rate = this.#countCall();
    const handled = rate.isOver
      ? notAccepted(zuoraError(429, undefined, { headers: { "retry-after": rate.headers["ratelimit-reset"] } }))
      : this.#ingestOnce(call, stream);
    const trackId = headerOf(call.headers, "zuora-track-id");
    const echoed = trackId === null ? {} : { "zuora-track-id": trackId };
    const { answer } = handled;
    return { ...handled, answer: { ...answer, headers: { ...answer.headers, ...rate.headers, ...echoed } } };
  }

  clear(): void {
    this.#window = { startMs: Number.NEGATIVE_INFINITY, calls: 0 };
  }

  #isKnownToken(call: Call): boolean {
    const token = /^Bearer +(\S+)$/i.exec(headerOf(call.headers, "authorization") ?? "")?.[1] ?? "";
    return (this.#tokens.get(token) ?? Number.NEGATIVE_INFINITY) > this.#now();
  }

  /** Counts in fixed windows of a minute. */
  #countCall() {
    const now = this.#now();
    if (now - this.#window.startMs >= WINDOW_MS) this.#window = { startMs: now, calls: 0 };
    this.#window.calls++;
    const { callsPerMinute } = this.#options;
    const headers = {
      "ratelimit-limit": String(callsPerMinute),
      "ratelimit-remaining": String(Math.max(0, callsPerMinute - this.#window.calls)),
      "ratelimit-reset": String(Math.ceil((this.#window.startMs + WINDOW_MS - now) / 1000)),
    };
    return { isOver: this.#window.calls > callsPerMinute, headers };
  }

  #ingestOnce(call: Call, stream: string): HandledCall {
    const contentType = headerOf(call.headers, "content-type")?.split(";")[0]?.trim().toLowerCase();
    if (contentType !== "application/json") return notAccepted(zuoraError(415));
    const keys = this.#options.honoursIdempotencyKeys ? this.#stores.keys : null;
    return oncePerKey(
      keys,
      call,
      () => zuoraError(409),
      () => this.#take(call, stream),
    );
  }

  #take(call: Call, stream: string): HandledCall {
    const { eventsMax, bytesMax } = this.#options;
    const decoded = decodeBody(call.bytes);
    if (decoded.kind === "invalid") return notAccepted(scanErrorAnswer(decoded.error));
    const scanned = scanJson(decoded.text, { eventsMax, eventBytesMax: bytesMax });
    if (scanned.kind === "invalid") return notAccepted(scanErrorAnswer(scanned.error));
    const sources = scanned.events.map((event) => event.source);
    if (!this.#stores.events.hasRoomFor(sources)) return notAccepted(zuoraError(503, "the twin is full: DELETE /twin"));
    this.#stores.events.take(stream, sources, originOf(call.headers));
    const message = `${sources.length} usage event(s) ingested successfully`;
    return { kind: "accepted", events: sources.length, answer: jsonAnswer(200, { success: true, message }) };
  }
}

function scanErrorAnswer(error: ScanError): Answer {
  if (error.kind === "too-many-events" || error.kind === "event-too-large") return zuoraError(413, error.message);
  const where = error.index === undefined ? {} : { index: error.index };
  return zuoraError(400, `${error.message} at offset ${error.offset}`, where);
}
