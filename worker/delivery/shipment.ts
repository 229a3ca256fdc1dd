/** A call upstream as delivery handles it: what it is made of, what it carries, what came of it. */
import type { Part } from "./pack.ts";
import type { Account, HoldKind, Lane } from "./scopes.ts";

/** A call that this sender holds. */
export interface Shipment extends Lane {
  readonly id: number;
  readonly account: Account;
  readonly callKey: string;
  readonly parts: readonly Part[];
  readonly events: number;
  /** Of its events, about. */
  readonly bytes: number;
  /** Failed attempts of its lane since the last that got through. */
  readonly laneFailures: number;
  /** This attempt's number, from 1; the lease is known by it. */
  readonly attempt: number;
  /** An earlier attempt ended without an answer. */
  readonly outcomeUnknown: boolean;
}

/** One part's payload, and where its entries stand in it (null: all of it is sent as it is). */
export interface Cargo {
  readonly part: Part;
  readonly producer: string;
  readonly payload: string;
  readonly entries: string | null;
  /** Milliseconds since 1970. */
  readonly receivedAt: number;
  /** When an agent first received each entry, JSON array; null where none said. */
  readonly times: string | null;
}

export interface AttemptRecord {
  readonly at: number;
  readonly durationMs: number;
  readonly status: number | null;
  readonly verdict: string;
  readonly message: string | null;
}

export interface QuarantinedEvent {
  /** The quarantine entry that it came from, where it was sent again. */
  readonly origin: number | null;
  readonly producer: string;
  readonly batch: number;
  readonly entry: number;
  readonly eventId: string;
  readonly event: string;
  readonly reasons: string;
  readonly upstream: string | null;
}

/** What came of an attempt. */
export type Settlement =
  | { readonly kind: "delivered"; readonly perProducer: ReadonlyMap<string, number> }
  | { readonly kind: "split"; readonly halves: readonly (readonly Part[])[] }
  | { readonly kind: "quarantined"; readonly event: QuarantinedEvent }
  | {
      readonly kind: "postponed";
      readonly nextAt: number;
      readonly outcomeUnknown: boolean;
      readonly hold: Hold;
      /** The answer shows that neither the destination nor its credentials are what it waits for. */
      readonly letIn: boolean;
    };

/** Who waits for a failed attempt, until when and why. */
export interface Hold {
  readonly kind: HoldKind;
  readonly verdict: "retry" | "wait" | "pause";
  /** HTTP status; null where no answer came. */
  readonly status: number | null;
  readonly until: number;
  readonly reason: string;
}

/** Parts as `shipments.parts` holds them. */
export function partsJson(parts: readonly Part[]): string {
  return JSON.stringify(parts.map(({ batch, from, to, events }) => [batch, from, to, events]));
}

/** @param json as `partsJson` writes it. */
export function partsOf(json: string): Part[] {
  const parts: [number, number, number, number][] = JSON.parse(json);
  return parts.map(([batch, from, to, events]) => ({ batch, from, to, events }));
}
