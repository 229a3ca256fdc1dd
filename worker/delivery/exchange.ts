/** One HTTP exchange with an upstream, bounded in time and in what is read of the response. */
import { httpDateMs } from "../../shared/backoff.ts";
import type { VendorResponse } from "../../shared/vendors/vendor.ts";

export type Fetch = typeof fetch;

export interface Bound {
  readonly fetch: Fetch;
  /** Of a response body after inflation; what is larger is not read. */
  readonly bytesMax: number;
}

/** What came back, as the deciders read it, and of an answer the type of its body. */
export type Exchanged =
  | (Extract<VendorResponse, { kind: "answer" }> & { readonly contentType: string | null })
  | Extract<VendorResponse, { kind: "no-response" }>;

/**
 * Follows no redirect: credentials go where the settings say, and nowhere else.
 * @param timeoutMs bounds the whole exchange, the response's body included.
 */
export async function exchange(
  { fetch, bytesMax }: Bound,
  url: string,
  init: RequestInit,
  timeoutMs: number,
): Promise<Exchanged> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { ...init, redirect: "manual", signal });
    const { status, headers } = response;
    const body = await readText(response, bytesMax);
    return {
      kind: "answer",
      status,
      contentType: headers.get("content-type"),
      retryAfter: headers.get("retry-after"),
      dateMs: httpDateMs(headers.get("date")),
      body,
    };
  } catch (cause) {
    // fetch tells a cut connection, a refused one and a time-out by exceptions; all are no response to the decider.
    const reason = signal.aborted ? "timeout" : "network";
    return { kind: "no-response", reason, message: cause instanceof Error ? cause.message : String(cause) };
  }
}

/** Null for a body larger than the bound. */
async function readText(response: Response, bytesMax: number): Promise<string | null> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = "";
  let bytes = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > bytesMax) {
      await reader.cancel();
      return null;
    }
    text += decoder.decode(value, { stream: true });
  }
}

/** Compresses a text with the runtime's own gzip. */
export async function gzip(text: string): Promise<Uint8Array> {
  const zipped = new Response(text).body?.pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(zipped).arrayBuffer());
}
