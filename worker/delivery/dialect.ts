/** What delivery needs to know of an upstream. */
import type { CallResult } from "../../shared/verdict.ts";
import type { CallLimits } from "./pack.ts";

export interface OutboundCall {
  readonly stream: string;
  /** JSON of entity and org ids, or "". */
  readonly context: string;
  readonly callKey: string;
  /** The events' source texts, in order. */
  readonly events: string;
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
  readonly limits: CallLimits;
  send(call: OutboundCall): Promise<CallOutcome>;
}
