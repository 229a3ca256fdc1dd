/** What delivery needs to know of an upstream. */
import type { CallLimits, Vendor, VendorResponse } from "../../shared/vendors/vendor.ts";
import type { Account } from "./scopes.ts";

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
  readonly response: VendorResponse;
  /** False where the call itself never left, so that its outcome cannot be unknown. */
  readonly left: boolean;
  /** The response's own text, cut to a bound. */
  readonly text: string;
}

export interface Dialect {
  /** Where it delivers to, as holds name it. */
  readonly account: Account;
  readonly vendor: Vendor;
  /** Null for a stream that it does not take. */
  limitsOf(stream: string): CallLimits | null;
  /** Whether it needs the events one by one. */
  readonly takesSingly: boolean;
  send(call: OutboundCall): Promise<CallOutcome>;
}
