/** One HTTP exchange with an upstream, bounded in time and in what is read of the answer. */
import type { CallResult } from "../../shared/verdict.ts";

export type Fetch = typeof fetch;

export interface Exchange {
  readonly result: CallResult;
  /** The answer's text, cut to a bound. */
  readonly words: string | null;
}

/** Bytes read of an answer; enough for a hundred reasons. */
const ANSWER_BYTES_MAX = 65_536;

/**
 * @param timeoutMs bounds the whole exchange, the answer's body included.
 */
export async function exchange(fetch: Fetch, url: string, init: RequestInit, timeoutMs: number): Promise<Exchange> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { ...init, redirect: "manual", signal });
    const words = await readText(response);
    const accounted = response.ok ? !isFailure(words) : undefined;
    return {
      result: {
        kind: "answer",
        status: response.status,
        retryAfter: response.headers.get("retry-after"),
        ...(accounted === undefined ? {} : { accounted }),
      },
      words,
    };
  } catch (cause) {
    // fetch tells a cut connection, a refused one and a time-out by exceptions; all are no response to the decider.
    const reason = signal.aborted ? "timeout" : "network";
    const words = cause instanceof Error ? cause.message : String(cause);
    return { result: { kind: "no-response", reason }, words };
  }
}

async function readText(response: Response): Promise<string> {
  if (response.body === null) return "";
  const decoder = new TextDecoder();
  const reader = response.body.getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
    if (text.length >= ANSWER_BYTES_MAX) {
      await reader.cancel();
      return text.slice(0, ANSWER_BYTES_MAX);
    }
  }
}

/** A 2xx that says in its body that it did not succeed. */
function isFailure(words: string): boolean {
  return /"success"\s*:\s*false/.test(words);
}

/** Compresses a text with the runtime's own gzip. */
export async function gzip(text: string): Promise<Uint8Array> {
  const zipped = new Response(text).body?.pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(zipped).arrayBuffer());
}
