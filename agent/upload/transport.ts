/** Speaks HTTP to the destination: one exchange at a time a call, bounded in time and size. */
import { promisify } from "node:util";
import { constants, gunzip, gzip } from "node:zlib";
import { type Dispatcher, request } from "undici";
import { httpDateMs } from "../../shared/backoff.ts";
import { HEADER } from "../../shared/wire.ts";
import { KeptConnectionClosed } from "./connection.ts";
import { createDispatcher } from "./dispatcher.ts";
import { describeNoResponse } from "./no-response.ts";
import { proxyTo } from "./proxy.ts";

export interface Exchange {
  readonly method: "GET" | "POST";
  /** Path below the destination's base URL. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text in UTF-8. */
  readonly body?: Uint8Array;
  /** How the body goes out: "gzip" where nothing else is said. */
  readonly coding?: "gzip" | "identity";
  /** application/json where nothing else is said. */
  readonly contentType?: string;
}

/** Another's request, handed on as it came. */
export interface Passage {
  /** Path and query below the destination's base URL. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

export type PassResult =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly headers: Readonly<Record<string, string>>;
      /** In whatever coding its headers say. */
      readonly body: Uint8Array;
    }
  | { readonly kind: "no-response"; readonly message: string };

export type ExchangeResult =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly retryAfter: string | null;
      readonly etag: string | null;
      /** Its Date header in milliseconds since 1970; null where there is none that can be read. */
      readonly dateMs: number | null;
      /** Sent twice, since the first connection was closed before a byte of answer: that try may have been taken. */
      readonly repeated: boolean;
      /** Null where it is larger than any answer of ours, or could not be inflated. */
      readonly body: string | null;
    }
  | { readonly kind: "no-response"; readonly reason: "network" | "timeout"; readonly message: string }
  | { readonly kind: "aborted" };

export interface Transport {
  /** @param signal aborts the exchange at once. */
  send(exchange: Exchange, signal: AbortSignal): Promise<ExchangeResult>;
  /** Posts another's request, the key of this destination added. */
  pass(passage: Passage): Promise<PassResult>;
  close(): Promise<void>;
}

export interface TransportOptions {
  readonly url: string;
  /** Sent with every call, a key among them; never logged. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly connections: number;
  /** Bytes read of an answer, after inflation. */
  readonly answerBytesMax: number;
  /** Where proxies are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

type Response = Dispatcher.ResponseData;

interface RequestOptions {
  readonly method: "GET" | "POST";
  readonly headers: Record<string, string>;
  readonly body: Uint8Array | null;
  readonly signal: AbortSignal;
}

const gzipAsync = promisify<Uint8Array, object, Buffer>(gzip);
const gunzipAsync = promisify<Uint8Array, object, Buffer>(gunzip);

export function createTransport(options: TransportOptions): Transport {
  const base = options.url.replace(/\/+$/, "");
  const kept = createDispatcher({ ...options, fresh: false });
  const place = { url: options.url, proxy: proxyTo(options.url, options.env) };
  let single: Dispatcher | null = null;
  const fresh = () => {
    single ??= createDispatcher({ ...options, fresh: true });
    return single;
  };
  const { headers: credentials, answerBytesMax } = options;

  /** Sends once; once more at once where the connection had been kept and was closed under the call. */
  const ask = async (target: string, call: RequestOptions): Promise<{ response: Response; repeated: boolean }> => {
    try {
      return { response: await request(base + target, { ...call, dispatcher: kept }), repeated: false };
    } catch (error) {
      if (!(error instanceof KeptConnectionClosed) || call.signal.aborted) throw error;
      return { response: await request(base + target, { ...call, dispatcher: fresh() }), repeated: true };
    }
  };
  const noResponseOf = (error: unknown, deadline: AbortSignal) =>
    deadline.aborted ? `no answer within ${options.timeoutMs} ms` : describeNoResponse(error, place);

  return {
    async send(exchange, signal) {
      const zipped = exchange.coding !== "identity";
      // Level 1: the link is rarely the bottleneck and higher levels double the work.
      const body =
        exchange.body && zipped ? await gzipAsync(exchange.body, { level: constants.Z_BEST_SPEED }) : exchange.body;
      const deadline = AbortSignal.timeout(options.timeoutMs);
      try {
        const { response, repeated } = await ask(exchange.path, {
          method: exchange.method,
          headers: {
            ...exchange.headers,
            ...credentials,
            [HEADER.acceptEncoding]: "gzip",
            ...(body === undefined ? {} : { [HEADER.contentType]: exchange.contentType ?? "application/json" }),
            ...(body !== undefined && zipped ? { [HEADER.contentEncoding]: "gzip" } : {}),
          },
          body: body ?? null,
          signal: AbortSignal.any([signal, deadline]),
        });
        return await readAnswer(response, repeated, answerBytesMax);
      } catch (error) {
        if (signal.aborted) return { kind: "aborted" };
        const reason = deadline.aborted ? "timeout" : "network";
        return { kind: "no-response", reason, message: noResponseOf(error, deadline) };
      }
    },
    async pass({ target, headers, body }) {
      const deadline = AbortSignal.timeout(options.timeoutMs);
      try {
        const call = { method: "POST", headers: { ...headers, ...credentials }, body, signal: deadline } as const;
        const { response } = await ask(target, call);
        const answered = await readBounded(response, answerBytesMax);
        if (answered === null) return { kind: "no-response", message: "the answer is too large" };
        return { kind: "answer", status: response.statusCode, headers: headersOf(response), body: answered };
      } catch (error) {
        return { kind: "no-response", message: noResponseOf(error, deadline) };
      }
    },
    close: async () => void (await Promise.all([kept.destroy(), single?.destroy()])),
  };
}

async function readAnswer(response: Response, repeated: boolean, bytesMax: number): Promise<ExchangeResult> {
  const bytes = await readBounded(response, bytesMax);
  const coding = headerOf(response, HEADER.contentEncoding);
  return {
    kind: "answer",
    status: response.statusCode,
    retryAfter: headerOf(response, HEADER.retryAfter),
    etag: headerOf(response, "etag"),
    dateMs: httpDateMs(headerOf(response, "date")),
    repeated,
    body: bytes === null ? null : await textOf(bytes, coding, bytesMax),
  };
}

/** One that came several times is a list of them (RFC 9110, section 5.3). */
function headerOf(response: Response, name: string): string | null {
  const value = response.headers[name];
  return (Array.isArray(value) ? value.join(", ") : value) ?? null;
}

function headersOf(response: Response): Record<string, string> {
  const pairs = Object.entries(response.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
  return Object.fromEntries(pairs);
}

async function readBounded(response: Response, bytesMax: number): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > bytesMax) {
      response.body.destroy();
      return null;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function textOf(bytes: Buffer, coding: string | null, bytesMax: number): Promise<string | null> {
  if (coding === null || coding === "identity") return bytes.toString("utf8");
  if (coding !== "gzip") return null;
  try {
    return (await gunzipAsync(bytes, { maxOutputLength: bytesMax })).toString("utf8");
  } catch {
    return null;
  }
}
