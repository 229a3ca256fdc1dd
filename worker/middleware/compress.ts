/** Compresses answers above 1,000 bytes for clients that ask for gzip. */
import { createMiddleware } from "hono/factory";
import { acceptsGzip } from "../../shared/accept-encoding.ts";
import { HEADER } from "../../shared/wire.ts";
import type { WeirContext, WeirEnv } from "../context.ts";

/** Zuora compresses only above this. */
const COMPRESS_ABOVE_BYTES = 1000;

export const compress = createMiddleware<WeirEnv>(async function compressAnswer(c, next) {
  await next();
  if (!acceptsGzip(acceptedBy(c)) || c.res.body === null) return;
  if (c.res.headers.has("content-encoding")) return;
  const bytes = await c.res.arrayBuffer();
  const { status, headers } = c.res;
  if (bytes.byteLength <= COMPRESS_ABOVE_BYTES) {
    c.res = new Response(bytes, { status, headers });
    return;
  }
  const zipped = new Response(bytes).body?.pipeThrough(new CompressionStream("gzip"));
  const compressed = new Headers(headers);
  compressed.set("Content-Encoding", "gzip");
  compressed.append("Vary", "Accept-Encoding");
  compressed.delete("Content-Length");
  // "manual": the body is compressed already; left to itself the runtime would do it twice.
  c.res = new Response(zipped, { status, headers: compressed, encodeBody: "manual" });
});

/**
 * What the client itself accepts: on the way in Cloudflare, and Miniflare after it, puts its own codings into the
 * header and keeps the client's beside the request.
 */
function acceptedBy(c: WeirContext): string | undefined {
  const own = c.req.raw.cf?.["clientAcceptEncoding"];
  return typeof own === "string" ? own : c.req.header(HEADER.acceptEncoding);
}
