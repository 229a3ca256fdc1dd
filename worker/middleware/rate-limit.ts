/**
 * Requests a key may send in a minute. Counted in each Worker instance, so a key whose requests reach several
 * instances may send more: a guard against runaway senders, not an account.
 */
import { createMiddleware } from "hono/factory";
import { refuse, type WeirEnv } from "../context.ts";

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
