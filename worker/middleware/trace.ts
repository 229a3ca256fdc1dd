/** Names every answer: X-REQUEST-ID, and the sender's own Zuora-Track-Id where it is a valid one. */
import { createMiddleware } from "hono/factory";
import { isTrackId } from "../../shared/intake/headers.ts";
import { createRequestId } from "../../shared/request-id.ts";
import { HEADER } from "../../shared/wire.ts";
import type { WeirEnv } from "../context.ts";

export const trace = createMiddleware<WeirEnv>(async function traceRequest(c, next) {
  const requestId = createRequestId();
  c.set("requestId", requestId);
  await next();
  c.header("X-REQUEST-ID", requestId);
  const trackId = c.req.header(HEADER.trackId);
  if (trackId !== undefined && isTrackId(trackId)) c.header("Zuora-Track-Id", trackId);
});
