/** Sends one call and says what came of it. Decides by the shared rules; touches no database. */
import { backoffMs } from "../../shared/backoff.ts";
import type { ClockAndRandom } from "../../shared/clock.ts";
import { judge } from "../../shared/vendors/judge.ts";
import { leavesDoubt, type Verdict } from "../../shared/verdict.ts";
import type { Settings } from "../env.ts";
import { ENTRY_STATUS, type EntrySpan, entrySpans } from "../ledger/entries.ts";
import type { CallOutcome, Dialect, OutboundEvent } from "./dialect.ts";
import { halve, type Part } from "./pack.ts";
import type { AttemptRecord, Cargo, Hold, Settlement, Shipment } from "./shipment.ts";

/** Characters of the response's text kept with an attempt. */
const TEXT_KEPT = 1000;

/** At most this is added to a Retry-After. */
const WAIT_MORE_MS = 2_000;

export interface Shipping {
  readonly record: AttemptRecord;
  readonly settlement: Settlement | { readonly kind: "rejected"; readonly part: Part; readonly outcome: CallOutcome };
}

export async function ship(
  shipment: Shipment,
  cargo: readonly Cargo[],
  dialect: Dialect,
  settings: Settings,
  { clock, random }: ClockAndRandom,
): Promise<Shipping> {
  const at = clock.now();
  const layout = new Layout(cargo);
  const outcome = await dialect.send({
    stream: shipment.stream,
    context: shipment.context,
    callKey: shipment.callKey,
    text: layout.text(),
    events: () => layout.events(),
    timeoutMs: settings.upstreamTimeoutMs,
  });
  const history = { outcomeUnknown: shipment.outcomeUnknown };
  const { verdict } = judge(dialect.vendor, outcome.response, shipment.events, history, clock.now());
  const record = recordOf(outcome, verdict, at, clock.now() - at);
  return {
    record,
    settlement: settlementOf(verdict, { shipment, cargo, layout, dialect, settings, outcome, clock, random }),
  };
}

interface Circumstances extends ClockAndRandom {
  readonly shipment: Shipment;
  readonly cargo: readonly Cargo[];
  readonly layout: Layout;
  readonly dialect: Dialect;
  readonly settings: Settings;
  readonly outcome: CallOutcome;
}

function settlementOf(verdict: Verdict, of: Circumstances): Shipping["settlement"] {
  const { shipment, settings, outcome } = of;
  const { backoff } = settings;
  const random = of.random();
  const retryMs = backoffMs(shipment.attempt, random, backoff);
  const postponed = (hold: Pick<Hold, "kind" | "verdict">, waitMs: number, holdMs = waitMs) => {
    const now = of.clock.now();
    const { response, left } = outcome;
    const status = response.kind === "answer" ? response.status : null;
    return {
      kind: "postponed" as const,
      nextAt: now + waitMs,
      outcomeUnknown: left && leavesDoubt(response),
      hold: { ...hold, status, until: now + holdMs, reason: outcome.text.slice(0, TEXT_KEPT) },
      letIn: left && status !== null && hold.kind === "lane",
    };
  };
  switch (verdict.kind) {
    case "delivered":
      return { kind: "delivered", perProducer: eventsPerProducer(of.cargo) };
    case "split":
    case "bisect": {
      const [only] = shipment.parts;
      if (shipment.events === 1 && only !== undefined) return { kind: "rejected", part: only, outcome };
      return { kind: "split", halves: halve(shipment.parts, of.layout.isSent) };
    }
    case "wait":
      // Never less than asked for; a little more, so that a Retry-After of 0 is no licence to hammer.
      return postponed({ kind: "destination", verdict: "wait" }, verdict.waitMs + Math.min(WAIT_MORE_MS, retryMs));
    case "pause":
      return postponed({ kind: verdict.holds, verdict: "pause" }, backoff.maxMs);
    case "retry": {
      // The call waits by its own failures, its lane by those since something of it got through.
      const { atLeastMs } = verdict;
      const laneMs = backoffMs(shipment.laneFailures + 1, random, backoff);
      return postponed({ kind: "lane", verdict: "retry" }, Math.max(retryMs, atLeastMs), Math.max(laneMs, atLeastMs));
    }
  }
}

function recordOf({ response, text }: CallOutcome, verdict: Verdict, at: number, durationMs: number): AttemptRecord {
  const noResponse = response.kind === "no-response" ? `${response.reason}: ` : "";
  return {
    at,
    durationMs,
    status: response.kind === "answer" ? response.status : null,
    verdict: verdict.kind,
    message: verdict.kind === "delivered" ? null : (noResponse + text).slice(0, TEXT_KEPT),
  };
}

function eventsPerProducer(cargo: readonly Cargo[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const { part, producer } of cargo) sums.set(producer, (sums.get(producer) ?? 0) + part.events);
  return sums;
}

/** Where the events of a call stand in the payloads of its batches. */
class Layout {
  private readonly cargo: readonly Cargo[];
  private readonly spans = new Map<number, EntrySpan[]>();

  constructor(cargo: readonly Cargo[]) {
    this.cargo = cargo;
    for (const { part, entries } of cargo) if (entries !== null) this.spans.set(part.batch, entrySpans(entries));
  }

  /** The source texts of the call's events, joined by commas. */
  text(): string {
    return this.cargo.map((item) => this.partText(item)).join(",");
  }

  private partText({ part, payload }: Cargo): string {
    const spans = this.spans.get(part.batch);
    if (spans === undefined) return payload;
    const stored = spans.slice(part.from, part.to + 1).filter((span) => span.status === ENTRY_STATUS.stored);
    return payload.slice(stored.at(0)?.start ?? 0, stored.at(-1)?.end ?? 0);
  }

  /** The call's events one by one. */
  events(): OutboundEvent[] {
    return this.cargo.flatMap(({ part, payload, receivedAt, times }) => {
      const received: (string | null)[] = times === null ? [] : JSON.parse(times);
      const fallback = new Date(receivedAt).toISOString();
      const spans = this.spans.get(part.batch) ?? [];
      return spans.flatMap((span, entry) => {
        if (entry < part.from || entry > part.to || span.status !== ENTRY_STATUS.stored) return [];
        return [{ source: payload.slice(span.start, span.end), receivedAt: received[entry] ?? fallback }];
      });
    });
  }

  /** Without spans every entry of the batch is in the payload, or the part would not be whole. */
  readonly isSent = (batch: number, entry: number): boolean => {
    const spans = this.spans.get(batch);
    return spans === undefined || spans[entry]?.status === ENTRY_STATUS.stored;
  };
}
