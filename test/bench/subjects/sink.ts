/** The destination of all deliveries here. */
import { fileURLToPath } from "node:url";
import { spawnNode } from "../../../tools/processes/node-process.ts";
import { until } from "../../../tools/processes/until.ts";
import { type Subject, started } from "./subject.ts";

const SINK = fileURLToPath(new URL("../floors/sink.ts", import.meta.url));
const DRAIN_MS_MAX = 900_000;

export interface SinkCount {
  readonly events: number;
  readonly calls: number;
  /** When the last call came, ms since 1970 with their fractions. */
  readonly lastAtMs: number;
}

export interface Release {
  /** ms since 1970. */
  readonly atMs: number;
  /** Events of calls that had come by then: what is drained from that moment on is the rest. */
  readonly held: number;
}

export interface Sink extends Subject {
  count(): Promise<SinkCount>;
  /** Once so many events came since it started. */
  counted(events: number): Promise<SinkCount>;
  /** Answers nothing until it is released. */
  hold(): Promise<void>;
  release(): Promise<Release>;
}

export async function startSink(): Promise<Sink> {
  const sink = await started(spawnNode(SINK));
  const post = async (path: string) => (await fetch(`${sink.url}${path}`, { method: "POST" })).json();
  const count = async () => (await (await fetch(`${sink.url}/count`)).json()) as SinkCount;
  return {
    ...sink,
    count,
    counted: (events) =>
      until(
        async () => {
          const counted = await count();
          return counted.events >= events && counted;
        },
        { what: `${events} events at the sink`, timeoutMs: DRAIN_MS_MAX, everyMs: 20 },
      ),
    hold: async () => void (await post("/hold")),
    release: async () => {
      const atMs = performance.timeOrigin + performance.now();
      const { held } = (await post("/release")) as { held: number };
      return { atMs, held };
    },
  };
}

/** Events a second of a drain, without what had come before it was released. */
export function drainRate(events: number, { atMs, held }: Release, lastAtMs: number): number {
  return (1000 * Math.max(1, events - held)) / (lastAtMs - atMs);
}
