/**
 * Web pages (CORS): a page may add events with a key that lists its origin. Whoever opens the page can read that key, so it
 * opens nothing else. A preflight comes without a key: it allows what a client sends, and the request itself is judged.
 */
import { createMiddleware } from "hono/factory";
import { HEADER } from "../../shared/wire.ts";
import { allowedOrigin } from "../accounts/web-origins.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";

/** Characters of an origin that are repeated to whoever sent it. */
const ORIGIN_SHOWN = 80;

/** What a browser may keep a preflight's answer for; it takes less where it wants to. */
const MAX_AGE_SECONDS = 86_400;

const SENT_HEADERS = [
  HEADER.apiKey,
  HEADER.authorization,
  HEADER.contentType,
  HEADER.contentEncoding,
  HEADER.idempotencyKey,
  HEADER.prefer,
  HEADER.platformId,
  HEADER.producer,
  HEADER.sequence,
  HEADER.trackId,
  HEADER.entityIds,
  HEADER.orgIds,
].join(", ");

/** What a page may read of an answer beside its body. */
const READ_HEADERS = [HEADER.retryAfter, HEADER.requestId, HEADER.trackId, HEADER.preferenceApplied].join(", ");

/** @param fromPages whether pages may call the route at all. To be run once the principal is known. */
export function guardOrigin(fromPages: boolean) {
  return createMiddleware<WeirEnv>(async function checkOrigin(c, next) {
    const { origins } = c.get("principal");
    if (origins !== null && !fromPages)
      return refuse(c, 403, "the key is one for web pages, which may only add events");
    const origin = c.req.header("origin");
    if (origin === undefined || origin === new URL(c.req.url).origin) return next();
    const allowed = allowedOrigin(origins, origin);
    if (allowed === null) {
      const shown = JSON.stringify(origin.slice(0, ORIGIN_SHOWN));
      return refuse(c, 403, `the key may not be used from pages of ${shown}: it is not among its origins`);
    }
    await next();
    c.header("Access-Control-Allow-Origin", allowed);
    c.header("Access-Control-Expose-Headers", READ_HEADERS);
    c.header("Vary", "Origin", { append: true });
  });
}

/** Answers OPTIONS of a route that pages may call. Asks nothing of the database. */
export function preflight(c: WeirContext): Response {
  return c.body(null, 204, {
    "Access-Control-Allow-Origin": c.req.header("origin") ?? "*",
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": SENT_HEADERS,
    "Access-Control-Max-Age": String(MAX_AGE_SECONDS),
    Vary: "Origin",
  });
}
