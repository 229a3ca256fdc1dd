/**
 * Remembers calls by their idempotency-key. Only calls whose events were accepted are remembered: one that was
 * refused left nothing behind, and its repeat is judged anew.
 */
import { createHash } from "node:crypto";
import type { Answer } from "./answer.ts";

/** The oldest are forgotten beyond this. */
const KEYS_MAX = 200_000;

export type KeyOutcome =
  | { readonly kind: "fresh" }
  /** The very call of before: answer as then, take nothing. */
  | { readonly kind: "repeat"; readonly answer: Answer }
  /** The key belongs to another call. */
  | { readonly kind: "other-call" };

export class IdempotencyKeys {
  readonly #calls = new Map<string, { readonly fingerprint: string; readonly answer: Answer }>();

  /** @param fingerprint of path and inflated body, see {@link fingerprintOf}. */
  look(key: string | null, fingerprint: string): KeyOutcome {
    const call = key === null ? undefined : this.#calls.get(key);
    if (call === undefined) return { kind: "fresh" };
    return call.fingerprint === fingerprint ? { kind: "repeat", answer: call.answer } : { kind: "other-call" };
  }

  remember(key: string | null, fingerprint: string, answer: Answer): void {
    if (key === null) return;
    this.#calls.set(key, { fingerprint, answer });
    if (this.#calls.size <= KEYS_MAX) return;
    const [oldest] = this.#calls.keys();
    if (oldest !== undefined) this.#calls.delete(oldest);
  }

  clear(): void {
    this.#calls.clear();
  }
}

/** Inflated bytes are compared: the same events compressed anew are the same call. */
export function fingerprintOf(path: string, bytes: Uint8Array): string {
  return createHash("sha256").update(path).update("\n").update(bytes).digest("base64");
}
