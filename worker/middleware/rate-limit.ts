/**
 * Requests a key may send in a minute. Counted in each Worker instance, so a key whose requests reach several
 * instances may send more: a guard against runaway senders, not an account.
 */
import { createMiddleware } from "hono/factory";
import { refuse, type WeirEnv } from "../context.ts";

const MINUTE_MS = 60_000;

export const rateLimit = createMiddleware<WeirEnv>(async function limitRate(c, next) {
  const { settings, rates, clock } = c.get("services");
  const limit = settings.rateLimitPerMinute;
  if (limit === 0) return next();
  const turn = rates.take(c.get("principal").keyId, limit, clock.now());
  c.header("ratelimit-limit", String(limit));
  c.header("ratelimit-remaining", String(turn.remaining));
  c.header("ratelimit-reset", String(turn.resetSeconds));
  if (turn.allowed) return next();
  c.header("Retry-After", String(turn.resetSeconds));
  return refuse(c, 429, `the key may send ${limit} requests a minute`);
});

export interface Turn {
  readonly allowed: boolean;
  readonly remaining: number;
  /** Whole seconds until the next minute begins, 1 to 60. */
  readonly resetSeconds: number;
}

/** Counts by clock minute; what an earlier minute counted is forgotten. */
export class Rates {
  private minute = 0;
  private readonly counts = new Map<string, number>();

  take(keyId: string, limit: number, nowMs: number): Turn {
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.minute) {
      this.minute = minute;
      this.counts.clear();
    }
    const count = (this.counts.get(keyId) ?? 0) + 1;
    this.counts.set(keyId, count);
    const resetSeconds = Math.max(1, Math.ceil(((minute + 1) * MINUTE_MS - nowMs) / 1000));
    return { allowed: count <= limit, remaining: Math.max(0, limit - count), resetSeconds };
  }
}
