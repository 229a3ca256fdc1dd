/**
 * Asks the edge now and then how delivery of this agent's events stands, so that who runs a site sees that what left his
 * host does not yet reach the vendor. Seldom, spread over time, and on a connection of its own: uploads never wait for it.
 */
import type { Logger } from "pino";
import { z } from "zod";
import type { Random } from "../../shared/clock.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Transport } from "../upload/transport.ts";

export interface EdgeDelivery {
  /** How long ago the edge said so. */
  readonly asked_s: number;
  /** This agent's events that the edge has and the vendor has not. */
  readonly pending: number;
  /** Streams whose events wait there, since when and why. */
  readonly waiting: readonly WaitingStream[];
}

export interface WaitingStream {
  readonly stream: string;
  readonly pending: number;
  readonly state: string;
  readonly since: string | null;
  readonly why: readonly string[];
}

export interface DeliveryWatch {
  /** What the edge said last; null before it did, and where the destination is none. */
  delivery(): EdgeDelivery | null;
  /** Asks now. */
  ask(): Promise<void>;
  stop(): Promise<void>;
}

export interface DeliveryWatchOptions {
  readonly producer: string;
  /** Null where the destination is no edge. */
  readonly transport: () => Transport | null;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

const FIRST_MS = 5_000;
const EVERY_MS = 60_000;
/** An answer that is older says nothing any more. */
const STALE_MS = 600_000;
/** Streams that an edge may list. */
const STREAMS_MAX = 1000;
/** Characters of an edge's words. */
const TEXT_MAX = 200;

const text = z.string().transform((value) => value.slice(0, TEXT_MAX));
const answerSchema = z.object({
  items: z
    .array(
      z.object({
        stream: text,
        pending: z.number().nonnegative(),
        state: text,
        since: text.nullable(),
        why: z.array(text).max(10),
      }),
    )
    .max(STREAMS_MAX),
});

export function startDeliveryWatch(options: DeliveryWatchOptions): DeliveryWatch {
  const { clock, random, logger } = options;
  const stopping = new AbortController();
  let known: { readonly at: number; readonly streams: readonly WaitingStream[] } | null = null;
  let asking: Promise<void> | null = null;

  const ask = async (): Promise<void> => {
    while (asking !== null) await asking;
    asking = askOnce(options, stopping.signal)
      .then((streams) => {
        if (streams === null) return;
        tellChange(logger, known?.streams.filter(isWaiting) ?? [], streams.filter(isWaiting));
        known = { at: clock.tick(), streams };
      })
      .finally(() => {
        asking = null;
      });
    return asking;
  };
  const loop = async (): Promise<void> => {
    // Agents that were started together by a power that came back do not ask together.
    for (let everyMs = FIRST_MS; ; everyMs = EVERY_MS) {
      await clock.sleep(everyMs * (0.5 + random()), stopping.signal);
      if (stopping.signal.aborted) return;
      await ask();
    }
  };
  const running = loop();
  return {
    ask,
    delivery() {
      if (known === null || options.transport() === null || clock.tick() - known.at > STALE_MS) return null;
      return {
        asked_s: Math.round((clock.tick() - known.at) / 1000),
        pending: known.streams.reduce((sum, { pending }) => sum + pending, 0),
        waiting: known.streams.filter(isWaiting),
      };
    },
    async stop() {
      stopping.abort();
      await running;
      await asking;
    },
  };
}

function isWaiting({ state }: WaitingStream): boolean {
  return state !== "ok";
}

/** A line when something of ours begins to wait there and one when nothing does any more. */
function tellChange(logger: Logger, before: readonly WaitingStream[], now: readonly WaitingStream[]): void {
  const [first] = now;
  if (first === undefined) {
    if (before.length > 0) logger.info("the edge delivers again what it accepted");
  } else if (before.length === 0) {
    const { stream, since, why, pending } = first;
    logger.warn(
      { streams: now.length, stream, pending, since, why },
      "events wait at the edge, delivered to it but not beyond",
    );
  }
}

/** Null where the edge did not say: it cannot be reached, or is older than the question. */
async function askOnce(options: DeliveryWatchOptions, signal: AbortSignal): Promise<readonly WaitingStream[] | null> {
  const source = options.transport();
  if (source === null) return null;
  const path = `/delivery?producer=${encodeURIComponent(options.producer)}`;
  const result = await source.send({ method: "GET", path, headers: {} }, signal);
  if (result.kind !== "answer" || result.status !== 200 || result.body === null) return null;
  const answer = answerSchema.safeParse(parseJson(result.body));
  return answer.success ? answer.data.items : null;
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
