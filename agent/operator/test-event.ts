/** One event on its whole way, watched: onto the disk, to the destination, and what that answered. */
import type { Log } from "../buffer/log.ts";
import type { LinesHandler } from "../intake/lines-handler.ts";
import type { Clock } from "../runtime/clock.ts";
import type { CallCargo, Dialect } from "../upload/dialect.ts";
import type { Exchange, ExchangeResult } from "../upload/transport.ts";
import type { StatusDocument } from "./status.ts";

export type TestOutcome =
  /** Not on disk: the event, the stream or the buffer is not as it must be. */
  | { readonly kind: "refused"; readonly message: string }
  | {
      readonly kind: "followed";
      readonly end: "delivered" | "quarantined" | "waiting";
      readonly accepted_at: string;
      readonly producer: string;
      readonly stream: string;
      readonly position: number;
      readonly seconds: number;
      /** The last answer to a call that held it, in the destination's own words; null where none came. */
      readonly answer: string | null;
      /** Why it waits; null where it does not. */
      readonly reason: string | null;
    };

export interface CallWatch {
  /** The same dialect, its calls looked at. */
  watched(dialect: Dialect): Dialect;
  /** Keeps what is answered to calls of a stream, until `end` is called. */
  watch(stream: string): { answerTo(position: number): string | null; end(): void };
}

interface Answer {
  readonly first: number;
  readonly last: number;
  readonly text: string;
}

/** Answers remembered while one event is watched; its own is among the last. */
const ANSWERS_KEPT_MAX = 100;
/** Characters of an answer's body that are shown. */
const BODY_SHOWN_MAX = 300;

export function createCallWatch(): CallWatch {
  const watches = new Set<{ readonly stream: string; readonly answers: Answer[] }>();
  const cargoes = new WeakMap<Exchange, { readonly stream: string; readonly first: number; readonly count: number }>();
  return {
    watched: (dialect) => ({
      ...dialect,
      exchange(cargo: CallCargo) {
        const exchange = dialect.exchange(cargo);
        const { stream, run } = cargo;
        if (watches.size > 0) cargoes.set(exchange, { stream, first: run.first, count: run.events.ends.length });
        return exchange;
      },
      async send(exchange, signal) {
        const sent = await dialect.send(exchange, signal);
        const cargo = cargoes.get(exchange);
        if (cargo === undefined) return sent;
        for (const watch of watches) {
          const text = answerText(sent.result);
          if (watch.stream !== cargo.stream || text === null) continue;
          watch.answers.push({ first: cargo.first, last: cargo.first + cargo.count - 1, text });
          if (watch.answers.length > ANSWERS_KEPT_MAX) watch.answers.shift();
        }
        return sent;
      },
    }),
    watch(stream) {
      const watch = { stream, answers: [] as Answer[] };
      watches.add(watch);
      const isOf = (position: number) => (answer: Answer) => position >= answer.first && position <= answer.last;
      return {
        answerTo: (position) => watch.answers.findLast(isOf(position))?.text ?? null,
        end: () => void watches.delete(watch),
      };
    },
  };
}

function answerText(result: ExchangeResult): string | null {
  if (result.kind !== "answer") return null;
  const body = (result.body ?? "").trim().slice(0, BODY_SHOWN_MAX);
  return body === "" ? `${result.status}` : `${result.status} ${body}`;
}

export interface TestParts {
  readonly log: Log;
  readonly lines: LinesHandler;
  readonly calls: CallWatch;
  readonly clock: Clock;
  readonly status: () => Promise<StatusDocument>;
}

export interface TestRequest {
  readonly stream: string;
  readonly event: Uint8Array;
  /** Milliseconds until it counts as not arrived. */
  readonly timeoutMs: number;
}

const LOOK_EVERY_MS = 50;

/** Appends the event and follows it; it stays in the buffer where it does not arrive in time. */
export async function followEvent(parts: TestParts, { stream, event, timeoutMs }: TestRequest): Promise<TestOutcome> {
  const { log, lines, calls, clock, status } = parts;
  const started = clock.tick();
  // Before there is a call that could hold it.
  const watch = calls.watch(stream);
  try {
    const accepted = await lines({ stream, lines: [event], lenient: false });
    const acceptedAt = new Date(clock.now()).toISOString();
    if (accepted.kind === "bad-line") return { kind: "refused", message: accepted.error.message };
    if (accepted.kind === "unknown-stream") return { kind: "refused", message: `the edge has no meter for ${stream}` };
    if (accepted.kind === "full") return { kind: "refused", message: "the buffer is full" };
    const { firstPosition: position } = accepted;
    if (position === null) return { kind: "refused", message: "the line is blank" };
    const known = { kind: "followed", accepted_at: acceptedAt, producer: log.producer, stream, position } as const;
    for (;;) {
      const end = await whereIs(log, stream, position);
      const elapsed = clock.tick() - started;
      if (end !== "waiting" || elapsed >= timeoutMs) {
        const { state, last_error: error } = (await status()).destination;
        const reason = end === "waiting" ? `the destination is ${state}${error === null ? "" : `: ${error}`}` : null;
        return { ...known, end, seconds: Math.round(elapsed) / 1000, answer: watch.answerTo(position), reason };
      }
      await clock.sleep(LOOK_EVERY_MS);
    }
  } finally {
    watch.end();
  }
}

async function whereIs(log: Log, stream: string, position: number) {
  const { pending, withheld } = await log.positions({ stream });
  const isIn = ([first, last]: readonly [number, number]) => position >= first && position <= last;
  return pending.some(isIn) ? "waiting" : withheld.some(isIn) ? "quarantined" : "delivered";
}
