/** What the whole-river tests share: a river cleaned up whatever happens, and real events to send down it. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { METER, openRiver, type River } from "../support/river.ts";

export { METER };
export const STREAM = `usage/${METER}`;
export const INGEST_PATH = `/meters/streaming/ingestion/${METER}`;

const SAMPLE = fileURLToPath(new URL("../../tools/sample/web-egress.ndjson", import.meta.url));

/** The 10,000 real events, one source text each. */
export function sampleEvents(): string[] {
  return readFileSync(SAMPLE, "utf8").trimEnd().split("\n");
}

export interface Counts {
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly quarantined: number;
}

/** A river for one test, closed when it ends; see {@link openRiver}. */
export async function startRiver(vars: Record<string, string> = {}, twinArgs: readonly string[] = []): Promise<River> {
  const river = await openRiver({ vars, twinArgs });
  onTestFinished(() => river.close());
  return river;
}

export interface PostOptions {
  readonly headers?: Record<string, string>;
  /** Sent as gzipped NDJSON; else as one JSON array. */
  readonly asLines?: boolean;
}

/** Posts events to an edge or an agent. Throws where no answer comes. */
export async function post(url: string, events: readonly string[], options: PostOptions = {}): Promise<Response> {
  const lines = options.asLines ?? false;
  const text = lines ? events.join("\n") : `[${events.join(",")}]`;
  return fetch(`${url}${INGEST_PATH}`, {
    method: "POST",
    headers: {
      "x-api-key": LOCAL_KEYS.ingest,
      "content-type": lines ? "application/x-ndjson" : "application/json",
      "content-encoding": "gzip",
      ...options.headers,
    },
    body: gzipSync(text),
  });
}

/** Posts all events in bodies of a size, several at once, and adds up what the answers say. */
export async function postAll(
  url: string,
  events: readonly string[],
  { size, producer, atOnce = 8 }: { size: number; producer?: string; atOnce?: number },
): Promise<Counts> {
  const sum = { accepted: 0, duplicates: 0, conflicts: 0, quarantined: 0 };
  let next = 0;
  const worker = async () => {
    for (let from = next; from < events.length; from = next) {
      next = from + size;
      const headers: Record<string, string> =
        producer === undefined ? {} : { "weir-producer": producer, "weir-sequence": String(from + 1) };
      const response = await post(url, events.slice(from, from + size), { headers, asLines: true });
      if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
      const counts = (await response.json()) as Counts;
      for (const name of ["accepted", "duplicates", "conflicts", "quarantined"] as const) sum[name] += counts[name];
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return sum;
}
