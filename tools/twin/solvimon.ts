/** Solvimon's side of the twin: the ingest operations, single and list, their key, limits and errors. */

import { idPrefixOf } from "../../shared/events/kind.ts";
import { scanJson } from "../../shared/json/bodies.ts";
import { canonicalText } from "../../shared/json/canonical.ts";
import type { ScannedEvent } from "../../shared/json/scanned-event.ts";
import { decodeBody } from "../../shared/json/utf8.ts";
import type { JsonObject } from "../../shared/json/value.ts";
import { randomText } from "../../shared/random-text.ts";
import { type Answer, textAnswer } from "./answer.ts";
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
import type { SolvimonKind } from "./route.ts";
import { badRequest, fullAnswer, solvimonError } from "./solvimon-errors.ts";
import { firstFieldError } from "./solvimon-fields.ts";

export interface SolvimonOptions {
  /** Null: any that is not empty. */
  readonly apiKey: string | null;
  /** Of a body after inflation. */
  readonly bytesMax: number;
  /** Events of one list call. */
  readonly listMax: number;
  /**
   * A `reference` seen before, same content, under another key or none: "conflict" answers 409, "replay" the
   * original. Another content is a 409 either way. Meter data repeats freely.
   */
  readonly repeatedReference: "conflict" | "replay";
  /** False: a vendor that does not know idempotency-key and takes each repeat anew. */
  readonly honoursIdempotencyKeys: boolean;
}

export const DEFAULT_SOLVIMON: SolvimonOptions = {
  apiKey: "twin-key",
  bytesMax: 4_000_000,
  listMax: 50,
  repeatedReference: "conflict",
  honoursIdempotencyKeys: true,
};

const OBJECT_TYPE: Record<SolvimonKind, string> = {
  persist: "PERSIST_DATA",
  charge: "CHARGE_DATA",
  adjustment: "ADJUSTMENT_DATA",
  "meter-data": "METER_DATA",
};

/** References of persist, charge and adjustment events, and what they stand for. */
type References = Map<string, { readonly source: string; readonly answer: Answer }>;

const REFERENCES_MAX = 1_000_000;

export class Solvimon {
  readonly #options: SolvimonOptions;
  readonly #stores: Stores;
  readonly #now: () => number;
  readonly #references: References = new Map();

  constructor(options: SolvimonOptions, stores: Stores, now: () => number) {
    this.#options = options;
    this.#stores = stores;
    this.#now = now;
  }

  ingest(call: Call, version: string, kind: SolvimonKind, form: "single" | "list"): HandledCall {
    const refusal = this.#refusal(call, version);
    if (refusal !== null) return notAccepted(refusal);
    const keys = this.#options.honoursIdempotencyKeys ? this.#stores.keys : null;
    const conflict = () => solvimonError(409, "the key was used before", { code: "IDEMPOTENCY_CHECK_FAILED" });
    return oncePerKey(keys, call, conflict, () => {
      const decoded = decodeBody(call.bytes);
      if (decoded.kind === "invalid") return notAccepted(badRequest(decoded.error.message));
      return form === "single" ? this.#takeOne(call, kind, decoded.text) : this.#takeList(call, kind, decoded.text);
    });
  }

  /** `POST /v1/events/calculate`: never matches a price, takes nothing. */
  calculate(call: Call, version: string): Answer {
    const refusal = this.#refusal(call, version);
    if (refusal !== null) return refusal;
    const decoded = decodeBody(call.bytes);
    const read = decoded.kind === "text" ? readSingle(decoded.text, this.#options.bytesMax) : null;
    if (read?.kind !== "event") return badRequest(read?.message ?? "the body is not UTF-8");
    const processed = new Map([["type", "NOT_MATCHED"]]);
    const filled = this.#resource("meter-data", read.event.value, "CALCULATION");
    return textAnswer(201, canonicalText(filled.set("cost_prediction", null).set("processed_details", processed)));
  }

  clear(): void {
    this.#references.clear();
  }

  /** Key, version and content type, in that order. */
  #refusal(call: Call, version: string): Answer | null {
    const bearer = /^Bearer +(\S+)$/i.exec(headerOf(call.headers, "authorization") ?? "")?.[1];
    if (!isAccepted(headerOf(call.headers, "x-api-key") ?? bearer, this.#options.apiKey)) {
      return solvimonError(401, "the API key is missing or unknown");
    }
    if (version !== "1") return solvimonError(400, "use version 1", { code: "UNSUPPORTED_VERSION" });
    const contentType = headerOf(call.headers, "content-type")?.split(";")[0]?.trim().toLowerCase();
    return contentType === "application/json" ? null : solvimonError(415, "use application/json");
  }

  #takeOne(call: Call, kind: SolvimonKind, text: string): HandledCall {
    const read = readSingle(text, this.#options.bytesMax);
    if (read.kind === "invalid") return notAccepted(badRequest(read.message));
    const { event } = read;
    const fieldError = firstFieldError(kind, event.value);
    if (fieldError !== null)
      return notAccepted(solvimonError(400, `${fieldError.field} is missing or invalid`, fieldError));
    const reference = event.value.get("reference");
    const name = kind !== "meter-data" && typeof reference === "string" && reference ? `${kind}/${reference}` : null;
    const known = name === null ? undefined : this.#references.get(name);
    if (known !== undefined) return this.#repeated(known, event.source);
    if (!this.#stores.events.hasRoomFor([event.source])) return notAccepted(fullAnswer());
    const answer = textAnswer(201, canonicalText(this.#resource(kind, event.value, "INGEST")));
    this.#stores.events.take(kind, [event.source], originOf(call.headers));
    if (name !== null && this.#references.size < REFERENCES_MAX) {
      this.#references.set(name, { source: event.source, answer });
    }
    return { kind: "accepted", events: 1, answer };
  }

  #repeated(known: { readonly source: string; readonly answer: Answer }, source: string): HandledCall {
    if (this.#options.repeatedReference === "replay" && known.source === source) {
      return { kind: "repeated", answer: known.answer };
    }
    return notAccepted(solvimonError(409, "the reference was used before", { field: "reference" }));
  }

  /** All or nothing. */
  #takeList(call: Call, kind: SolvimonKind, text: string): HandledCall {
    const { listMax, bytesMax } = this.#options;
    // Only the documented wrapper is read, so that each event's slice can be cut out of it as it stands.
    const list = /^\s*\{\s*"meter_datas"\s*:\s*(\[[\s\S]*\])\s*\}\s*$/.exec(text)?.[1];
    if (list === undefined) return notAccepted(badRequest('expected {"meter_datas": [...]}'));
    const scanned = scanJson(list, { eventsMax: listMax, eventBytesMax: bytesMax });
    if (scanned.kind === "invalid") {
      const { index, message } = scanned.error;
      return notAccepted(
        solvimonError(400, message, { code: "BAD_REQUEST", ...(index === undefined ? {} : { index }) }),
      );
    }
    const sources = scanned.events.map((event) => event.source);
    if (!this.#stores.events.hasRoomFor(sources)) return notAccepted(fullAnswer());
    this.#stores.events.take(kind, sources, originOf(call.headers));
    const resources = scanned.events.map((event) => this.#resource(kind, event.value, "INGEST"));
    return {
      kind: "accepted",
      events: sources.length,
      answer: textAnswer(201, `{"data":${canonicalText(resources)}}`),
    };
  }

  /** The resource as answered: every field sent, the read-only ones filled in. */
  #resource(kind: SolvimonKind, event: JsonObject, type: "INGEST" | "CALCULATION"): JsonObject {
    const now = new Date(this.#now()).toISOString();
    const id = idPrefixOf(kind) + randomText(20);
    const filled: JsonObject = new Map(event).set("object_type", OBJECT_TYPE[kind]).set("id", id);
    if (typeof filled.get("timestamp") !== "string") filled.set("timestamp", now);
    if (kind === "meter-data") filled.set("type", type).set("created_at", now).set("deleted", false);
    return filled;
  }
}

type SingleOutcome =
  | { readonly kind: "event"; readonly event: ScannedEvent }
  | { readonly kind: "invalid"; readonly message: string };

/** One object; an array or several are none. */
function readSingle(text: string, bytesMax: number): SingleOutcome {
  if (text.trimStart().startsWith("[")) return { kind: "invalid", message: "expected an object" };
  const scanned = scanJson(text, { eventsMax: 1, eventBytesMax: bytesMax });
  if (scanned.kind === "invalid") return { kind: "invalid", message: scanned.error.message };
  const [event] = scanned.events;
  return event === undefined ? { kind: "invalid", message: "expected an object" } : { kind: "event", event };
}
