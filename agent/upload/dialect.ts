/** What the uploader needs to know of a destination: what it takes, how a call to it looks, what its answers mean. */
import type { Judgement } from "../../shared/vendors/judge.ts";
import type { Answer, Vendor } from "../../shared/vendors/vendor.ts";
import type { CallHistory } from "../../shared/verdict.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import type { Exchange, ExchangeResult, Transport } from "./transport.ts";

/** How a stream's events travel to a destination. */
export type DeliveryMode =
  /** Many a call. */
  | { readonly kind: "batches"; readonly eventsMax: number }
  /** Each in a call of its own; so many are fixed and settled together. */
  | { readonly kind: "single"; readonly eventsMax: number }
  /** Not at all: they stay pending. */
  | { readonly kind: "none"; readonly why: string };

export interface CallCargo {
  readonly stream: string;
  readonly run: PendingRun;
  /** The agent's name on the wire. */
  readonly producer: string;
  /** The call's idempotency key; null where positions make repeats safe. */
  readonly key: string | null;
}

export interface SentCall {
  readonly result: ExchangeResult;
  /** False where the call itself never left, so that its outcome cannot be unknown. */
  readonly left: boolean;
}

export interface Dialect {
  readonly vendor: Pick<Vendor, "name" | "title" | "permission">;
  /**
   * Whether shipments are fixed on disk before their first attempt, since only the very same call under the same
   * key is known there as a repeat; otherwise positions tell.
   */
  readonly fixesShipments: boolean;
  deliveryMode(stream: string): DeliveryMode;
  exchange(cargo: CallCargo): Exchange;
  send(exchange: Exchange, signal: AbortSignal): Promise<SentCall>;
  judge(
    result: ExchangeResult & { kind: "answer" | "no-response" },
    sent: number,
    history: CallHistory,
    nowMs: number,
  ): Judgement;
  /** One harmless call that tells whether the destination answers and takes the credentials. */
  greet(signal: AbortSignal): Promise<ExchangeResult>;
  /** Whether an answer to {@link greet} is one that is let in. */
  isLetIn(answer: Answer): boolean;
  /** Where event schemas are fetched from; null where nobody has any. */
  readonly schemaSource: Transport | null;
  /** Where calculations are passed on to; null where nobody calculates. */
  readonly calculator: Transport | null;
  close(): Promise<void>;
}
