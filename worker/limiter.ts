/**
 * Who may send how many requests a minute. Cloudflare's rate-limiting binding counts them where one is bound, for all
 * instances of a place; else each instance counts its own. Either way a guard against runaway senders and guessing, no
 * account.
 */
import type { RateLimitBinding } from "./env.ts";
import { logFailure } from "./log.ts";
import { Rates } from "./rates.ts";

export type Allowance =
  /** Nothing is limited. */
  | { readonly kind: "free" }
  | {
      readonly kind: "counted";
      readonly allowed: boolean;
      /** Whole seconds, 1 to 60, after which a refused sender may try again. */
      readonly retryAfterSeconds: number;
      /** What the answer says of the count; null where the binding counts, which does not say. */
      readonly count: { readonly limit: number; readonly remaining: number; readonly resetSeconds: number } | null;
    };

export interface Limiter {
  /** Counts one request of a sender by its name. */
  take(name: string, nowMs: number): Promise<Allowance>;
}

/** The longest period that the binding knows. */
const BINDING_SECONDS = 60;

/** @param limitPerMinute of the instance's own count; 0 for any number. */
export function createLimiter(binding: RateLimitBinding | null, limitPerMinute: number): Limiter {
  const rates = new Rates();
  const countHere = (name: string, nowMs: number): Allowance => {
    if (limitPerMinute === 0) return { kind: "free" };
    const { allowed, remaining, resetSeconds } = rates.take(name, limitPerMinute, nowMs);
    const count = { limit: limitPerMinute, remaining, resetSeconds };
    return { kind: "counted", allowed, retryAfterSeconds: resetSeconds, count };
  };
  return {
    async take(name, nowMs) {
      if (binding === null) return countHere(name, nowMs);
      try {
        const { success } = await binding.limit({ key: name });
        return { kind: "counted", allowed: success, retryAfterSeconds: BINDING_SECONDS, count: null };
      } catch (cause) {
        // A counter that fails must not stop what it guards.
        logFailure("the rate-limiting binding failed; this instance counts", cause);
        return countHere(name, nowMs);
      }
    },
  };
}
