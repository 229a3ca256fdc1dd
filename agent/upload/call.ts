/** One piece of a shipment, sent until its fate is known. */
import { backoffMs } from "../../shared/backoff.ts";
import { parseStream } from "../../shared/events/kind.ts";
import { type CallResult, decide, type Verdict } from "../../shared/verdict.ts";
import { HEADER, usagePath } from "../../shared/wire.ts";
import { freeBytes } from "../buffer/event-run.ts";
import type { PendingRun, QuarantineReason } from "../buffer/operations.ts";
import type { Clock } from "../clock.ts";
import type { Pulse } from "../pulse.ts";
import { type Acknowledgement, type Conflict, readAcknowledgement, readRefusal } from "./answer.ts";
import type { Gate } from "./gate.ts";
import type { Health } from "./health.ts";
import type { UploadSettings } from "./settings.ts";
import type { Exchange, ExchangeResult, Transport } from "./transport.ts";
import type { Window } from "./window.ts";

/** What became of a piece. */
export type Fate =
  | { readonly kind: "delivered"; readonly conflicts: readonly Conflict[] }
  /** Refused as it is: halve it; of a single event this is the reason for its quarantine. */
  | { readonly kind: "refused"; readonly why: "size" | "content"; readonly reason: QuarantineReason }
  /** Given back to the log: its stream is not wanted there for now. */
  | { readonly kind: "stream-paused"; readonly message: string }
  | { readonly kind: "stopped" };

export interface CallContext {
  readonly producer: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly gate: Gate;
  readonly window: Window;
  readonly health: Health;
  /** Fires when an unreachable destination answers again: no reason then to wait any longer. */
  readonly reachable: Pulse;
  readonly settings: () => UploadSettings;
  readonly transport: () => Transport;
  readonly signal: AbortSignal;
}

/**
 * A Retry-After is kept to the letter and overstayed by at most this much, so that many agents that were told
 * the same do not come back at the same moment.
 */
const OVERSTAY_MS_MAX = 1000;

/** Sends a piece again and again until the destination has taken or refused it, or its stream is paused. */
export async function sendUntilKnown(stream: string, run: PendingRun, context: CallContext): Promise<Fate> {
  const exchange = exchangeFor(stream, run, context.producer);
  try {
    return await repeatUntilKnown(exchange, run, context);
  } finally {
    if (exchange.body !== undefined) freeBytes(exchange.body);
  }
}

async function repeatUntilKnown(exchange: Exchange, run: PendingRun, context: CallContext): Promise<Fate> {
  const { health, clock, settings, signal } = context;
  for (let failures = 0; ; ) {
    const result = await sendOnce(exchange, context);
    if (result.kind === "aborted") return { kind: "stopped" };
    const { verdict, acknowledgement } = judge(result, run.events.ends.length, clock.now());
    health.judged(verdict, result);
    tellGate(context, verdict);
    tellWindow(context.window, result, verdict);
    switch (verdict.kind) {
      case "delivered":
        return { kind: "delivered", conflicts: acknowledgement?.kind === "accounted" ? acknowledgement.conflicts : [] };
      case "split":
      case "bisect":
        return { kind: "refused", why: verdict.kind === "split" ? "size" : "content", reason: refusalOf(result) };
      case "pause":
        if (verdict.scope === "stream") return { kind: "stream-paused", message: refusalOf(result).message };
        break;
      case "wait":
        break;
      case "retry": {
        failures++;
        const { backoffBaseMs: baseMs, backoffMaxMs: maxMs } = settings();
        const waitMs = backoffMs(failures, context.random(), { baseMs, maxMs });
        health.backingOff(clock.tick() + waitMs);
        if (result.kind === "silence" && result.reason === "network") await context.reachable.wait(waitMs, signal);
        else await clock.sleep(waitMs, signal);
      }
    }
  }
}

/** One exchange, once window and gate let it through. */
async function sendOnce(exchange: Exchange, context: CallContext): Promise<ExchangeResult> {
  const { window, gate, health, signal } = context;
  if (!(await window.enter(signal))) return { kind: "aborted" };
  try {
    if (!(await gate.enter(signal))) return { kind: "aborted" };
    health.attempt(exchange.body?.length ?? 0);
    return await context.transport().send(exchange, signal);
  } finally {
    window.leave();
  }
}

function tellWindow(window: Window, result: ExchangeResult, verdict: Verdict): void {
  if (verdict.kind === "delivered") window.grow();
  else if (result.kind === "silence" && result.reason === "network") window.collapse();
  else if (
    result.kind === "silence" ||
    (result.kind === "answer" && (result.status === 429 || result.status === 503))
  ) {
    window.shrink();
  }
}

function tellGate({ gate, settings, random }: CallContext, verdict: Verdict): void {
  const { backoffMaxMs } = settings();
  // What says nothing about being let in leaves a pause as it is; every other answer ends one.
  if (verdict.kind === "retry") gate.postpone(backoffMaxMs);
  else if (verdict.kind === "pause" && verdict.scope === "destination") gate.pause(backoffMaxMs);
  else gate.reopen();
  if (verdict.kind === "wait") gate.quiet(verdict.waitMs + random() * OVERSTAY_MS_MAX);
}

interface Judgement {
  readonly verdict: Verdict;
  readonly acknowledgement: Acknowledgement | null;
}

function judge(result: ExchangeResult & { kind: "answer" | "silence" }, sent: number, nowMs: number): Judgement {
  // The edge folds repeats by position, so an earlier attempt without an answer never makes a 409 a success.
  const history = { outcomeUnknown: false };
  if (result.kind === "silence") return { verdict: decide(result, history, nowMs), acknowledgement: null };
  const success = result.status >= 200 && result.status < 300;
  const acknowledgement = success ? readAcknowledgement(result.status, result.body, sent) : null;
  // Halving finds the events the answer did not name; the edge folds what it has by position.
  if (acknowledgement?.kind === "unnamed-conflicts") return { verdict: { kind: "bisect" }, acknowledgement };
  const accounted = acknowledgement?.kind !== "unaccounted";
  const call: CallResult = { kind: "answer", status: result.status, retryAfter: result.retryAfter, accounted };
  return { verdict: decide(call, history, nowMs), acknowledgement };
}

function refusalOf(result: ExchangeResult): QuarantineReason {
  if (result.kind !== "answer") return { status: 0, message: result.kind };
  return readRefusal(result.status, result.body);
}

const OPEN_BRACKET = Buffer.from("[");
const CLOSE_BRACKET = Buffer.from("]");

function exchangeFor(stream: string, run: PendingRun, producer: string): Exchange {
  const { entityIds, orgIds } = run.scope;
  return {
    method: "POST",
    path: pathOf(stream),
    headers: {
      [HEADER.producer]: producer,
      [HEADER.sequence]: String(run.first),
      [HEADER.prefer]: "handling=lenient, return=representation",
      ...(entityIds === null ? {} : { [HEADER.entityIds]: entityIds }),
      ...(orgIds === null ? {} : { [HEADER.orgIds]: orgIds }),
    },
    body: Buffer.concat([OPEN_BRACKET, run.events.body, CLOSE_BRACKET]),
  };
}

function pathOf(stream: string): string {
  const parsed = parseStream(stream);
  if (parsed?.kind !== "usage") throw new RangeError(`no path to upload ${stream} to`);
  return usagePath(parsed.meterGlobalId);
}
