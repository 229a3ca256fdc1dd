/** Requests as bytes, made before the clock runs. The same description makes the same bytes: sent twice, it is a repeat. */
import { constants, gzipSync } from "node:zlib";

export interface RequestSeries {
  /** Host and port, for the Host header. */
  readonly host: string;
  /** By turns. */
  readonly paths: readonly string[];
  readonly method: "GET" | "POST";
  readonly headers: Readonly<Record<string, string>>;
  readonly requests: number;
  readonly body: SeriesBody;
}

export type SeriesBody =
  | { readonly kind: "none" }
  /** The same text each time. */
  | { readonly kind: "text"; readonly text: string }
  | EventsBody;

export interface EventsBody {
  readonly kind: "events";
  readonly meter: string;
  /** Events a request. */
  readonly size: number;
  /** Number of the first event; each event has one of its own. */
  readonly first: number;
  /** Whether each has an own id, in the field `EventId`. */
  readonly hasId: boolean;
  readonly gzip: boolean;
  /** Each connection is a producer of its own under this name with positions from 1; null where none is named. */
  readonly producer: string | null;
}

/** The series' requests, in the order in which each connection sends its own. @param connections how many share them. */
export function requestsOf(series: RequestSeries, connections: number): Uint8Array[][] {
  return Array.from({ length: connections }, (_, connection) => {
    const own = Math.ceil((series.requests - connection) / connections);
    return Array.from({ length: Math.max(0, own) }, (__, i) => requestOf(series, connection, i, connections));
  });
}

function requestOf(series: RequestSeries, connection: number, i: number, connections: number): Uint8Array {
  const { body, host, method, paths } = series;
  const path = paths[i % paths.length] ?? "/";
  const headers: Record<string, string> = { host, ...series.headers };
  if (body.kind === "none") return head(method, path, headers);
  if (body.kind === "text") return withBody(method, path, headers, Buffer.from(body.text));
  headers["content-type"] ??= "application/x-ndjson";
  if (body.producer !== null) {
    headers["weir-producer"] = `${body.producer}.${connection}`;
    headers["weir-sequence"] = String(i * body.size + 1);
  }
  const text = eventTexts(body, body.first + (i * connections + connection) * body.size).join("\n");
  if (!body.gzip) return withBody(method, path, headers, Buffer.from(text));
  headers["content-encoding"] = "gzip";
  return withBody(method, path, headers, gzipSync(text, { level: constants.Z_BEST_SPEED }));
}

/** One request's events, of about 110 bytes each: unlike any other, numbered from `first`. */
export function eventTexts({ meter, size, hasId }: Omit<EventsBody, "kind" | "first">, first: number): string[] {
  return Array.from({ length: size }, (_, i) => {
    const n = first + i;
    const id = hasId ? `"EventId":"${n}",` : "";
    return `{${id}"CustomerId":"customer-${n}","UsageIdentifier":"${meter}","UsageDate":"2026-11-03T10:05:03Z","Quantity":${n}.5}`;
  });
}

function withBody(method: string, path: string, headers: Record<string, string>, body: Buffer): Uint8Array {
  return Buffer.concat([head(method, path, { ...headers, "content-length": String(body.length) }), body]);
}

function head(method: string, path: string, headers: Record<string, string>): Buffer {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`${method} ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
}
