/** A lane that is in trouble, and what a stream keeps of its lanes. */
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import type { Scope } from "../buffer/tables/scope.ts";
import type { StreamLedger } from "../buffer/tables/streams.ts";
import type { ShipmentRange } from "./in-flight.ts";
import type { UploadSettings } from "./settings.ts";

/** A lane that is in trouble; of others nothing is kept. */
export interface Lane {
  readonly stream: string;
  readonly scope: Scope;
  /** On the clock's tick. */
  readonly since: number;
  reason: QuarantineReason;
  /** When one shipment tries whether it may go on; until then nothing of it goes. Null while it is not held. */
  heldUntil: number | null;
  /** Its shipments that back off, each by itself. */
  backingOff: number;
  /** Times it was held for passing trouble. */
  failures: number;
  /** It is about to be taken into quarantine: nothing more of it goes out. */
  isWithdrawn: boolean;
  /** When the log tells of it again; null where it has not told of it. */
  remindAt: number | null;
}

/** What waits in one stream. */
export interface Backlog {
  readonly stream: string;
  readonly inFlight: ShipmentRange[];
  /** When what waits here is sent even if it fills no shipment; null while nothing waits. */
  dueAt: number | null;
  /** By the text of their ids. */
  readonly lanes: Map<string, Lane>;
  /** How far the log was read over lanes that are held. Another object as soon as it must be read anew. */
  held: HeldPart;
}

/** Positions below `through` are in flight or of held lanes; what of them is not in flight comes to so much. */
export interface HeldPart {
  through: number;
  events: number;
  bytes: number;
}

/** Whether all that a stream has pending belongs to lanes that are held. */
export function isAllHeld(ledger: StreamLedger, backlog: Backlog): boolean {
  const isHeld = [...backlog.lanes.values()].some(({ heldUntil }) => heldUntil !== null);
  return isHeld && waiting(ledger, backlog) <= 0 && backlog.inFlight.every(({ isProbe }) => isProbe);
}

export function newLane(stream: string, scope: Scope, reason: QuarantineReason, since: number): Lane {
  const fresh = { heldUntil: null, backingOff: 0, failures: 0, isWithdrawn: false, remindAt: null };
  return { stream, scope, since, reason, ...fresh };
}

export function nothingHeld(): HeldPart {
  return { through: 0, events: 0, bytes: 0 };
}

/** Events of a stream that wait, may go and are not on their way. */
export function waiting(ledger: StreamLedger, { inFlight, held }: Backlog): number {
  const underway = inFlight.reduce((sum, range) => sum + (range.countedIn === held ? 0 : range.unsettled), 0);
  return ledger.pending - held.events - underway;
}

export function isFull(ledger: StreamLedger, backlog: Backlog, settings: UploadSettings): boolean {
  const events = waiting(ledger, backlog);
  const bytes = ledger.pending === 0 ? 0 : (ledger.pendingBytes * events) / ledger.pending;
  return events >= settings.batchEvents || bytes >= settings.batchBytes;
}
