/** Requests a key may send in a minute, over all routes that ask for one. */
import { createMiddleware } from "hono/factory";
import { refuse, type WeirEnv } from "../context.ts";

export const rateLimit = createMiddleware<WeirEnv>(async function limitRate(c, next) {
  const { keyLimiter, clock } = c.get("services");
  const allowance = await keyLimiter.take(c.get("principal").keyId, clock.now());
  if (allowance.kind === "free") return next();
  const { allowed, retryAfterSeconds, count } = allowance;
  if (count !== null) {
    c.header("ratelimit-limit", String(count.limit));
    c.header("ratelimit-remaining", String(count.remaining));
    c.header("ratelimit-reset", String(count.resetSeconds));
  }
  if (allowed) return next();
  c.header("Retry-After", String(retryAfterSeconds));
  return refuse(c, 429, "the key sends more requests than it may in a minute");
});
