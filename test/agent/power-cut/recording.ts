/** What is recorded of a real agent's life, kept in a folder so that a cut that fails can be tried again alone. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type FileCalls, readFileCalls } from "./file-calls.ts";
import { readSystemCalls } from "./system-calls.ts";

/** What only the recorder knows, the clients' side and the destination's. */
export interface Told {
  /** The directory that was there and empty before. */
  readonly root: string;
  /** The buffer's, below it. */
  readonly directory: string;
  readonly bytesMax: number;
  /** The name on the wire. */
  readonly producer: string;
  readonly requests: readonly ToldRequest[];
  /** The file that was followed, as it was at the end. */
  readonly tail: { readonly path: string; readonly stream: string; readonly text: string };
  /** Events that the destination took, by `STREAM POSITION`. */
  readonly taken: Readonly<Record<string, string>>;
  /** How many processes ran, one trace each. */
  readonly runs: number;
}

/** A request that got a 200, whose events are the agent's from then on. */
export interface ToldRequest {
  readonly trackId: string;
  readonly stream: string;
  readonly key: string | null;
  /** Source texts, no two alike in all requests, but for those that repeat another request. */
  readonly events: readonly string[];
}

/** A request's body, as it was sent. */
export function bodyOf({ events }: Pick<ToldRequest, "events">): string {
  return `[${events.join(",")}]`;
}

/** The requests that came a second time, by track id. */
export function repeatsIn({ requests }: Told): ReadonlySet<string> {
  const seen = new Set<string>();
  const repeats = new Set<string>();
  for (const request of requests) {
    const what = JSON.stringify([request.stream, request.key, request.events]);
    if (seen.has(what)) repeats.add(request.trackId);
    seen.add(what);
  }
  return repeats;
}

export interface Recording extends FileCalls {
  readonly folder: string;
  readonly told: Told;
  /** Lines at which each process's trace begins, and the one after the last. */
  readonly bounds: readonly number[];
}

export const TOLD_FILE = "told.json";

export function traceFile(folder: string, run: number): string {
  return join(folder, `trace-${run}`);
}

export function readRecording(folder: string): Recording {
  const told: Told = JSON.parse(readFileSync(join(folder, TOLD_FILE), "utf8"));
  const bounds = [0];
  const runs = Array.from({ length: told.runs }, (_, run) => {
    const text = readFileSync(traceFile(folder, run), "latin1");
    const first = bounds.at(-1) ?? 0;
    bounds.push(first + text.split("\n").length);
    return readSystemCalls(text, first);
  });
  return { folder, told, bounds, ...readFileCalls(runs, told.root) };
}
