/** What delivery needs to know of an upstream. */
import type { CallResult } from "../../shared/verdict.ts";
import type { CallLimits } from "./pack.ts";

export interface OutboundEvent {
  readonly source: string;
  readonly receivedAt: string;
}

export interface OutboundCall {
  readonly stream: string;
  /** JSON of entity and org ids, or "". */
  readonly context: string;
  readonly callKey: string;
  /** The events' source texts, in order, joined by commas. */
  readonly text: string;
  /** The same one by one, each with the time it was first received (ISO 8601). */
  readonly events: () => readonly OutboundEvent[];
  readonly timeoutMs: number;
}

export interface CallOutcome {
  readonly result: CallResult;
  /** False where the call itself never left, so that its outcome cannot be unknown. */
  readonly sent: boolean;
  /** The upstream's own words, cut to a bound. */
  readonly words: string | null;
}

export interface Dialect {
  /** Names the destination in holds. */
  readonly name: string;
  limitsOf(stream: string): CallLimits;
  /** Whether it needs the events one by one. */
  readonly takesSingly: boolean;
  send(call: OutboundCall): Promise<CallOutcome>;
}
