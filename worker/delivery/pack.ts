/** Packs batches into calls that the upstream will take. Pure. */
import type { CallLimits } from "../../shared/vendors/vendor.ts";
import type { OutboxRow } from "../database/rows.ts";

/** A run of a batch's entries, both ends inclusive, and how many events of it are to be sent. */
export interface Part {
  readonly batch: number;
  readonly from: number;
  readonly to: number;
  readonly events: number;
}

/** A batch in the outbox. */
export interface OutboxBatch extends Omit<OutboxRow, "tenant" | "stream"> {
  /** Sizes of its entries where it may be too large for one call: bytes, 0 for an entry that is not sent. */
  readonly sizes?: readonly number[];
}

export interface PackedCall {
  readonly context: string;
  readonly parts: readonly Part[];
  readonly events: number;
  readonly bytes: number;
}

/** Whether a batch alone is more than one call may carry. */
export function isOversized(row: { readonly bytes: number; readonly events: number }, limits: CallLimits): boolean {
  return row.bytes + 2 > limits.bytesMax || row.events > limits.eventsMax;
}

/**
 * Packs rows in their order into as few calls as their contexts and the limits allow. An event that is too
 * large by itself gets a call of its own, so that the upstream may refuse just that one.
 */
export function packCalls(rows: readonly OutboxBatch[], limits: CallLimits): PackedCall[] {
  const calls: PackedCall[] = [];
  const open = new Map<string, OpenCall>();
  for (const row of rows) {
    for (const piece of piecesOf(row, limits)) {
      let call = open.get(row.context);
      if (call !== undefined && !hasRoom(call, piece, limits)) {
        calls.push(closed(row.context, call));
        call = undefined;
      }
      if (call === undefined) {
        call = { parts: [], events: 0, bytes: 2 };
        open.set(row.context, call);
      }
      call.parts.push({ batch: piece.batch, from: piece.from, to: piece.to, events: piece.events });
      call.events += piece.events;
      call.bytes += piece.bytes + 1;
    }
  }
  for (const [context, call] of open) calls.push(closed(context, call));
  return calls;
}

interface OpenCall {
  readonly parts: Part[];
  events: number;
  bytes: number;
}

function closed(context: string, call: OpenCall): PackedCall {
  return { context, parts: call.parts, events: call.events, bytes: call.bytes };
}

interface Piece extends Part {
  readonly bytes: number;
}

function hasRoom(call: OpenCall, piece: Piece, limits: CallLimits): boolean {
  return call.bytes + piece.bytes + 1 <= limits.bytesMax && call.events + piece.events <= limits.eventsMax;
}

function piecesOf(row: OutboxBatch, limits: CallLimits): Piece[] {
  if (row.sizes === undefined || !isOversized(row, limits)) {
    return [{ batch: row.batch, from: 0, to: row.entries - 1, events: row.events, bytes: row.bytes }];
  }
  const pieces: Piece[] = [];
  let from = 0;
  let bytes = 0;
  let events = 0;
  const cut = (to: number) => {
    if (events > 0) pieces.push({ batch: row.batch, from, to, events, bytes });
    from = to + 1;
    bytes = 0;
    events = 0;
  };
  row.sizes.forEach((size, entry) => {
    if (size === 0) return;
    if (events > 0 && (bytes + size + 3 > limits.bytesMax || events + 1 > limits.eventsMax)) cut(entry - 1);
    bytes += size + 1;
    events++;
  });
  cut(row.entries - 1);
  return pieces;
}

/** How the entries of a part are laid out: which of them are to be sent. */
export type IsSent = (batch: number, entry: number) => boolean;

/**
 * Halves a call of at least two events into two of as equal counts as can be.
 * @param isSent whether an entry is an event to send.
 */
export function halve(parts: readonly Part[], isSent: IsSent): [Part[], Part[]] {
  const total = parts.reduce((sum, part) => sum + part.events, 0);
  const half = Math.floor(total / 2);
  const left: Part[] = [];
  const right: Part[] = [];
  let placed = 0;
  for (const part of parts) {
    if (placed + part.events <= half) left.push(part);
    else if (placed >= half) right.push(part);
    else {
      const cutAfter = entryOfNth(part, half - placed, isSent);
      left.push({ ...part, to: cutAfter, events: half - placed });
      right.push({ ...part, from: cutAfter + 1, events: part.events - (half - placed) });
    }
    placed += part.events;
  }
  return [left, right];
}

/** The entry that is the part's n-th event to send, n from 1. */
function entryOfNth(part: Part, n: number, isSent: IsSent): number {
  let seen = 0;
  for (let entry = part.from; entry <= part.to; entry++) {
    if (isSent(part.batch, entry) && ++seen === n) return entry;
  }
  throw new Error(`batch ${part.batch} has fewer events than its shipment says`);
}
