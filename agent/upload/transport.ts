/** Speaks HTTP to the destination: one exchange at a time a call, bounded in time and size. */
import { promisify } from "node:util";
import { constants, gunzip, gzip } from "node:zlib";
import { type Dispatcher, EnvHttpProxyAgent, request } from "undici";
import { HEADER } from "../../shared/wire.ts";
import { messageOf } from "../fault.ts";

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
  | { readonly kind: "silence"; readonly message: string };

export type ExchangeResult =
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly retryAfter: string | null;
      readonly etag: string | null;
      /** Null where it is larger than any answer of ours, or could not be inflated. */
      readonly body: string | null;
    }
  | { readonly kind: "silence"; readonly reason: "network" | "timeout"; readonly message: string }
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
  /** Sent as X-API-KEY with every call; never logged. Null where calls carry credentials of their own. */
  readonly apiKey: string | null;
  readonly timeoutMs: number;
  readonly connections: number;
  /** Where proxies are looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** The largest answer: a result with reasons for each of 10,000 events stays well below. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024;

const gzipAsync = promisify<Uint8Array, object, Buffer>(gzip);
const gunzipAsync = promisify<Uint8Array, object, Buffer>(gunzip);

export function createTransport(options: TransportOptions): Transport {
  const base = options.url.replace(/\/+$/, "");
  const { env } = options;
  // What the environment says of proxies holds here as for other programs; without it nothing is asked.
  const dispatcher = new EnvHttpProxyAgent({
    httpProxy: env["http_proxy"] ?? env["HTTP_PROXY"] ?? "",
    httpsProxy: env["https_proxy"] ?? env["HTTPS_PROXY"] ?? "",
    noProxy: env["no_proxy"] ?? env["NO_PROXY"] ?? "",
    connections: options.connections,
    // Certificates are verified whatever NODE_TLS_REJECT_UNAUTHORIZED says.
    connect: { timeout: options.timeoutMs, rejectUnauthorized: true },
    requestTls: { rejectUnauthorized: true },
    // The deadline below bounds the exchange as a whole; undici's own partial ones would only blur it.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const key: Record<string, string> = options.apiKey === null ? {} : { [HEADER.apiKey]: options.apiKey };
  return {
    async send(exchange, signal) {
      const zipped = exchange.coding !== "identity";
      // Level 1: the link is rarely the bottleneck and higher levels double the work.
      const body =
        exchange.body && zipped ? await gzipAsync(exchange.body, { level: constants.Z_BEST_SPEED }) : exchange.body;
      const deadline = AbortSignal.timeout(options.timeoutMs);
      try {
        const response = await request(base + exchange.path, {
          dispatcher,
          method: exchange.method,
          headers: {
            ...exchange.headers,
            ...key,
            [HEADER.acceptEncoding]: "gzip",
            ...(body === undefined ? {} : { [HEADER.contentType]: exchange.contentType ?? "application/json" }),
            ...(body !== undefined && zipped ? { [HEADER.contentEncoding]: "gzip" } : {}),
          },
          body: body ?? null,
          signal: AbortSignal.any([signal, deadline]),
        });
        return await readAnswer(response);
      } catch (error) {
        if (signal.aborted) return { kind: "aborted" };
        const reason = deadline.aborted ? "timeout" : "network";
        const message = deadline.aborted ? `no answer within ${options.timeoutMs} ms` : messageOf(error);
        return { kind: "silence", reason, message };
      }
    },
    async pass({ target, headers, body }) {
      const deadline = AbortSignal.timeout(options.timeoutMs);
      try {
        const response = await request(base + target, {
          dispatcher,
          method: "POST",
          headers: { ...headers, ...key },
          body,
          signal: deadline,
        });
        const answered = await readBounded(response);
        if (answered === null) return { kind: "silence", message: "the answer is too large" };
        return { kind: "answer", status: response.statusCode, headers: headersOf(response), body: answered };
      } catch (error) {
        return {
          kind: "silence",
          message: deadline.aborted ? `no answer within ${options.timeoutMs} ms` : messageOf(error),
        };
      }
    },
    close: () => dispatcher.destroy(),
  };
}

async function readAnswer(response: Dispatcher.ResponseData): Promise<ExchangeResult> {
  const bytes = await readBounded(response);
  const coding = headerOf(response, HEADER.contentEncoding);
  return {
    kind: "answer",
    status: response.statusCode,
    retryAfter: headerOf(response, HEADER.retryAfter),
    etag: headerOf(response, "etag"),
    body: bytes === null ? null : await textOf(bytes, coding),
  };
}

function headerOf(response: Dispatcher.ResponseData, name: string): string | null {
  const value = response.headers[name];
  return (Array.isArray(value) ? value[0] : value) ?? null;
}

function headersOf(response: Dispatcher.ResponseData): Record<string, string> {
  const pairs = Object.entries(response.headers).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, Array.isArray(value) ? value.join(", ") : value]],
  );
  return Object.fromEntries(pairs);
}

async function readBounded(response: Dispatcher.ResponseData): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of response.body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) {
      response.body.destroy();
      return null;
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function textOf(bytes: Buffer, coding: string | null): Promise<string | null> {
  if (coding === null || coding === "identity") return bytes.toString("utf8");
  if (coding !== "gzip") return null;
  try {
    return (await gunzipAsync(bytes, { maxOutputLength: ANSWER_BYTES_MAX })).toString("utf8");
  } catch {
    return null;
  }
}
