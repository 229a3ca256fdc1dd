/** One call, sent until its fate is known. */

import { backoffMs } from "../../shared/backoff.ts";
import type { Random } from "../../shared/clock.ts";
import { readRefusal } from "../../shared/vendors/answer-body.ts";
import type { Conflict } from "../../shared/vendors/vendor.ts";
import { leavesDoubt, type Verdict } from "../../shared/verdict.ts";
import { freeBytes } from "../buffer/tables/event-run.ts";
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Wakeup } from "../runtime/wakeup.ts";
import type { CallCargo, Dialect, SentCall } from "./dialect.ts";
import type { Gate } from "./gate.ts";
import type { Health } from "./health.ts";
import type { UploadSettings } from "./settings.ts";
import type { Exchange, ExchangeResult } from "./transport.ts";
import type { Place, Window } from "./window.ts";

/** What became of a call. */
export type Fate =
  | { readonly kind: "delivered"; readonly conflicts: readonly Conflict[] }
  /** Refused as it is: halve it; of a single event this is the reason for its quarantine. */
  | { readonly kind: "refused"; readonly why: "size" | "content"; readonly reason: QuarantineReason }
  /** To be given back to the log: its lane waits. */
  | { readonly kind: "held"; readonly reason: QuarantineReason; readonly wait: LaneWait }
  | { readonly kind: "stopped" };

/** How long a lane waits: until its next probe, or as its failures say and at least so long. */
export type LaneWait =
  | { readonly kind: "refused"; readonly probeMs: number }
  | { readonly kind: "failed"; readonly atLeastMs: number };

/** What is written down of a call's attempts, so that its next sender knows of them. */
export interface AttemptRecord {
  /** An earlier attempt may have been accepted. */
  readonly outcomeUnknown: boolean;
  /** Written before an attempt; false where the agent stops before it could be. */
  attempting(): Promise<boolean>;
  /** Written once an attempt is known to have been refused, so that it leaves no doubt behind. */
  refused(): Promise<void>;
}

/** Where positions tell repeats, nothing need be written down. */
export const UNRECORDED: AttemptRecord = {
  outcomeUnknown: false,
  attempting: async () => true,
  refused: async () => {},
};

export interface CallContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly gate: Gate;
  readonly window: Window;
  readonly health: Health;
  /** Fires when an unreachable destination answers again: no reason then to wait any longer. */
  readonly reachable: Wakeup;
  /** Fires when somebody wants uploads tried now. */
  readonly retryNow: Wakeup;
  /**
   * Waits until the call is tried again; false where it is to be given back.
   * @param reason what blames this lane, by itself; null where the destination as a whole is out of reach.
   */
  readonly backOff: (reason: QuarantineReason | null, wait: () => Promise<unknown>) => Promise<boolean>;
  readonly settings: () => UploadSettings;
  readonly dialect: () => Dialect;
  readonly signal: AbortSignal;
}

/**
 * A Retry-After is kept to the letter and overstayed by at most this much, so that many agents that were told the same
 * do not come back at the same moment. A date adds up to a second: those of HTTP have no parts of one.
 */
const OVERSTAY_MS_MAX = 500;

/** Sends a call again and again until the destination has accepted or refused it, or its lane has to wait. */
export async function sendUntilKnown(cargo: CallCargo, record: AttemptRecord, context: CallContext): Promise<Fate> {
  const exchange = context.dialect().exchange(cargo);
  try {
    return await repeatUntilKnown(exchange, cargo, record, context);
  } finally {
    if (exchange.body !== undefined) freeBytes(exchange.body);
  }
}

async function repeatUntilKnown(
  exchange: Exchange,
  cargo: CallCargo,
  record: AttemptRecord,
  context: CallContext,
): Promise<Fate> {
  const { health, clock, settings, signal } = context;
  let { outcomeUnknown } = record;
  for (let failures = 0; ; ) {
    const { result, left, sender } = await sendOnce(exchange, record, context);
    if (result.kind === "aborted" || sender === null) return { kind: "stopped" };
    const { dialect, place } = sender;
    outcomeUnknown ||= left && result.kind === "answer" && result.repeated;
    if (result.kind === "no-response" && dialect !== context.dialect()) {
      // Cut because the configuration was read again: that says nothing of the destination, old or new.
      outcomeUnknown ||= left;
      context.gate.postpone(0);
      continue;
    }
    const sent = cargo.run.events.ends.length;
    const { verdict, conflicts } = dialect.judge(result, sent, { outcomeUnknown }, clock.now());
    health.judged(verdict, result);
    tellGate(context, verdict);
    tellWindow(place, result, verdict);
    outcomeUnknown ||= left && leavesDoubt(result);
    if (verdict.kind !== "delivered" && !outcomeUnknown) await record.refused();
    switch (verdict.kind) {
      case "delivered":
        return { kind: "delivered", conflicts };
      case "split":
      case "bisect":
        return { kind: "refused", why: verdict.kind === "split" ? "size" : "content", reason: refusalOf(result) };
      case "pause":
        if (verdict.holds !== "lane") break;
        return { kind: "held", reason: refusalOf(result), wait: { kind: "refused", probeMs: settings().backoffMaxMs } };
      case "wait":
        break;
      case "retry": {
        failures++;
        const { backoffBaseMs: baseMs, backoffMaxMs: maxMs } = settings();
        const waitMs = Math.max(verdict.atLeastMs, backoffMs(failures, context.random(), { baseMs, maxMs }));
        health.backingOff(clock.tick() + waitMs);
        const { reachable, retryNow } = context;
        const wakeup = result.kind === "no-response" && result.reason === "network" ? reachable : retryNow;
        const reason = result.kind === "answer" ? refusalOf(result) : null;
        if (await context.backOff(reason, () => wakeup.wait(waitMs, signal))) break;
        const { atLeastMs } = verdict;
        return { kind: "held", reason: reason ?? refusalOf(result), wait: { kind: "failed", atLeastMs } };
      }
    }
  }
}

interface PlacedCall extends SentCall {
  /** By whom and from which place it was sent; null where the call never began. */
  readonly sender: { readonly dialect: Dialect; readonly place: Place } | null;
}

const STOPPED: PlacedCall = { result: { kind: "aborted" }, left: false, sender: null };

/** One exchange, once window and gate let it through. */
async function sendOnce(
  exchange: Exchange,
  record: AttemptRecord,
  { window, gate, health, signal, ...context }: CallContext,
): Promise<PlacedCall> {
  const place = await window.enter(signal);
  if (place === null) return STOPPED;
  try {
    if (!(await gate.enter(signal)) || !(await record.attempting())) return STOPPED;
    // Writing that down took a moment, in which another call may have been told to wait.
    if (!(await gate.calm(signal))) return STOPPED;
    health.attempt(exchange.body?.length ?? 0);
    // Not before now: while it waited, the configuration may have been read again.
    const dialect = context.dialect();
    return { ...(await dialect.send(exchange, signal)), sender: { dialect, place } };
  } finally {
    place.leave();
  }
}

function tellWindow(place: Place, result: ExchangeResult, verdict: Verdict): void {
  if (verdict.kind === "delivered") place.grow();
  else if (result.kind === "no-response" && result.reason === "network") place.collapse();
  else if (
    result.kind === "no-response" ||
    (result.kind === "answer" && (result.status === 429 || result.status === 503 || result.status === 507))
  ) {
    place.shrink();
  }
}

function tellGate({ gate, settings, random }: CallContext, verdict: Verdict): void {
  const { backoffMaxMs } = settings();
  // What says nothing about being let in leaves a pause as it is; every other answer ends one.
  if (verdict.kind === "retry") gate.postpone(backoffMaxMs);
  else if (verdict.kind === "pause" && verdict.holds !== "lane") gate.pause(backoffMaxMs);
  else gate.reopen();
  if (verdict.kind === "wait") gate.quiet(verdict.waitMs + random() * OVERSTAY_MS_MAX);
}

function refusalOf(result: ExchangeResult): QuarantineReason {
  if (result.kind !== "answer") return { status: 0, message: result.kind };
  return readRefusal(result.status, result.body);
}
