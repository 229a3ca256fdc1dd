/** Clients that post as fast as they are answered. */
import { gzipSync } from "node:zlib";
import { Pool } from "undici";

export interface Load {
  readonly url: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly bodies: readonly Uint8Array[];
  readonly clients: number;
}

/** Posts each body once. @returns seconds. Throws where one is not answered with 2xx. */
export async function post({ url, path, headers, bodies, clients }: Load): Promise<number> {
  const pool = new Pool(url, { connections: clients });
  try {
    let next = 0;
    const client = async () => {
      for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) {
        const { statusCode, body: answer } = await pool.request({ method: "POST", path, headers, body });
        const text = await answer.text();
        if (statusCode >= 300) throw new Error(`${url}${path} answered ${statusCode}: ${text.slice(0, 200)}`);
      }
    };
    const startedAt = performance.now();
    await Promise.all(Array.from({ length: clients }, client));
    return (performance.now() - startedAt) / 1000;
  } finally {
    await pool.close();
  }
}

/** The same request again and again by one client. @returns the median of its times in milliseconds. */
export async function latency(
  { url, path, headers }: Pick<Load, "url" | "path" | "headers">,
  body: Uint8Array | null,
  times: number,
): Promise<number> {
  const pool = new Pool(url, { connections: 1 });
  const taken: number[] = [];
  try {
    for (let i = 0; i < times; i++) {
      const startedAt = performance.now();
      const method = body === null ? "GET" : "POST";
      const { statusCode, body: answer } = await pool.request({ method, path, headers, body });
      const text = await answer.text();
      if (statusCode >= 300) throw new Error(`${url}${path} answered ${statusCode}: ${text.slice(0, 200)}`);
      taken.push(performance.now() - startedAt);
    }
  } finally {
    await pool.close();
  }
  return taken.toSorted((a, b) => a - b)[Math.floor(times / 2)] ?? Number.NaN;
}

/** Events that no other is like, numbered from `first`. */
export function events(meter: string, first: number, count: number): string[] {
  return Array.from(
    { length: count },
    (_, i) =>
      `{"CustomerId":"customer-${first + i}","UsageIdentifier":"${meter}","UsageDate":"2026-11-03T10:05:03Z","Quantity":${first + i}.5}`,
  );
}

/** Events as gzipped NDJSON bodies of `size`. */
export function bodiesOf(sources: readonly string[], size: number): Uint8Array[] {
  const bodies: Uint8Array[] = [];
  for (let from = 0; from < sources.length; from += size) {
    bodies.push(gzipSync(sources.slice(from, from + size).join("\n")));
  }
  return bodies;
}

export const LINES_HEADERS = { "content-type": "application/x-ndjson", "content-encoding": "gzip" } as const;
