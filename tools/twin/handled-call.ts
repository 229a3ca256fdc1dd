/** One ingest call as both dialects see it, and what became of it. */
import type { IncomingHttpHeaders } from "node:http";
import type { AcceptedEvents, CallOrigin } from "./accepted-events.ts";
import type { Answer } from "./answer.ts";
import { fingerprintOf, type IdempotencyKeys } from "./idempotency.ts";

export interface Call {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** The inflated body. */
  readonly bytes: Buffer;
}

/** Where a dialect keeps what it accepts. */
export interface Stores {
  readonly events: AcceptedEvents;
  readonly keys: IdempotencyKeys;
}

export type HandledCall =
  | { readonly kind: "accepted"; readonly answer: Answer; readonly events: number }
  /** Answered as the first time, nothing accepted. */
  | { readonly kind: "repeated"; readonly answer: Answer }
  /** Refused, or no ingest at all. */
  | { readonly kind: "not-accepted"; readonly answer: Answer };

export function notAccepted(answer: Answer): HandledCall {
  return { kind: "not-accepted", answer };
}

/** A header's one value; null where it is absent. */
export function headerOf(headers: IncomingHttpHeaders, name: string): string | null {
  const value = headers[name];
  return typeof value === "string" ? value : null;
}

export function originOf(headers: IncomingHttpHeaders): CallOrigin {
  return {
    entityIds: headerOf(headers, "zuora-entity-ids"),
    orgIds: headerOf(headers, "zuora-org-ids"),
    platformId: headerOf(headers, "x-platform-id"),
  };
}

/**
 * Handles a call unless its idempotency-key is known.
 * @param conflict the answer to a known key that comes with another call.
 */
export function oncePerKey(
  keys: IdempotencyKeys | null,
  call: Call,
  conflict: () => Answer,
  handle: () => HandledCall,
): HandledCall {
  const key = headerOf(call.headers, "idempotency-key");
  if (keys === null || key === null) return handle();
  const fingerprint = fingerprintOf(call.path, call.bytes);
  const known = keys.look(key, fingerprint);
  if (known.kind === "other-call") return notAccepted(conflict());
  if (known.kind === "repeat") {
    const { answer } = known;
    return { kind: "repeated", answer: { ...answer, headers: { ...answer.headers, "idempotent-replayed": "true" } } };
  }
  const handled = handle();
  if (handled.kind === "accepted") keys.remember(key, fingerprint, handled.answer);
  return handled;
}
