/**
 * A shipment on its way: sent whole, cut where it is refused, settled piece by piece. What is settled is settled,
 * whatever becomes of the rest: that stays in the log.
 */
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import type { Rejected } from "../buffer/transactions/settle.ts";
import type { Size } from "./batch-size.ts";
import type { Fate } from "./call.ts";
import { aroundMiddle, countOf, halvesOf, larger, type Piece, sizeOf } from "./pieces.ts";
import type { RepeatPolicy } from "./repeats.ts";
import { rejectAll, rejectedOf, type ShipmentContext, type ShipmentEnd, settle } from "./settling.ts";

export interface Shipped {
  readonly end: ShipmentEnd;
  /** What was not sent to its end. */
  readonly left: readonly Piece[];
}

type Halt = Exclude<ShipmentEnd, { kind: "settled" }>;
type Known = Extract<Fate, { kind: "delivered" | "refused" }>;
type Refused = Extract<Fate, { kind: "refused" }>;

/** Of fewer events the rejected ones are sought one by one: that costs little more. */
const ALIKE_EVENTS_MIN = 32;
/** Events tried by themselves before the rest is taken to be refused as they were. */
const SAMPLES = 16;

/** @param settled told of every piece whose fate is in the log. */
export async function ship(
  stream: string,
  whole: Piece,
  policy: RepeatPolicy,
  settled: (events: number) => void,
  context: ShipmentContext,
): Promise<Shipped> {
  const open = new Set([whole]);
  let isSplit = false;
  let largestAccepted: Size | null = null;

  const send = async (piece: Piece): Promise<Fate> => {
    const fate = await policy.send(stream, piece, context);
    if (fate.kind === "refused") isSplit ||= fate.why === "size" && countOf(piece.run.events) > 1;
    if (fate.kind === "delivered") largestAccepted = larger(largestAccepted, sizeOf(piece.run));
    return fate;
  };
  const finish = async (piece: Piece, quarantine: readonly Rejected[]): Promise<Halt | null> => {
    if (!(await settle(stream, piece.run, quarantine, context))) return { kind: "stopped" };
    open.delete(piece);
    settled(countOf(piece.run.events));
    return null;
  };
  const cut = async (piece: Piece, runs: readonly PendingRun[]): Promise<Piece[]> => {
    const pieces = await policy.cut(stream, piece, runs, context);
    if (pieces === null) return [];
    open.delete(piece);
    for (const part of pieces) open.add(part);
    return pieces;
  };
  const deliverAll = async (pieces: readonly Piece[]): Promise<Halt | null> => {
    for (const piece of pieces) {
      const fate = await send(piece);
      const halt = isKnown(fate) ? await conclude(piece, fate) : fate;
      if (halt !== null) return halt;
    }
    return pieces.length === 0 ? { kind: "stopped" } : null;
  };
  /** Halves a refused piece until the rejected events stand alone. */
  const conclude = async (piece: Piece, fate: Known): Promise<Halt | null> =>
    fate.kind === "refused" && countOf(piece.run.events) > 1
      ? deliverAll(await cut(piece, halvesOf(piece.run)))
      : finish(piece, rejectedOf(piece.run, fate));

  /**
   * Asks first whether all are refused alike, as for ids that are wrong: both halves, then events spread over them. If
   * so, the rest goes to quarantine as they do; else what is rejected is sought by halving.
   */
  const concludeAlike = async (piece: Piece, refusal: Refused): Promise<Halt | null> => {
    const refused: Piece[] = [];
    const halves = await cut(piece, halvesOf(piece.run));
    for (const half of halves) {
      const fate = await send(half);
      if (!isKnown(fate)) return fate;
      if (isAlike(fate, refusal.reason)) refused.push(half);
      else {
        const halt = await conclude(half, fate);
        if (halt !== null) return halt;
      }
    }
    if (halves.length > 0 && refused.length === halves.length) return sample(refused, refusal.reason);
    for (const half of refused) {
      const halt = await conclude(half, refusal);
      if (halt !== null) return halt;
    }
    return halves.length === 0 ? { kind: "stopped" } : null;
  };
  const sample = async (refused: readonly Piece[], reason: QuarantineReason): Promise<Halt | null> => {
    const rests = [...refused];
    for (let tried = 0; tried < SAMPLES; tried++) {
      const largest = rests.sort((a, b) => countOf(a.run.events) - countOf(b.run.events)).pop();
      if (largest === undefined) return null;
      const around = aroundMiddle(largest.run);
      const [middle, ...others] = await cut(largest, [around.middle, ...around.rests]);
      if (middle === undefined) return { kind: "stopped" };
      rests.push(...others);
      const fate = await send(middle);
      if (!isKnown(fate)) return fate;
      const halt = await conclude(middle, fate);
      if (halt !== null) return halt;
      if (!isAlike(fate, reason)) return deliverAll(inOrder(rests));
    }
    for (const rest of rests) {
      const halt = await finish(rest, rejectAll(rest.run, reason));
      if (halt !== null) return halt;
    }
    return null;
  };

  const first = await send(whole);
  const asksFirst =
    first.kind === "refused" && first.why === "content" && countOf(whole.run.events) >= ALIKE_EVENTS_MIN;
  const halt = !isKnown(first) ? first : await (asksFirst ? concludeAlike(whole, first) : conclude(whole, first));
  if (halt === null) {
    if (isSplit) context.sizer.wasSplit(sizeOf(whole.run), largestAccepted);
    else if (largestAccepted !== null) context.sizer.wasAccepted(largestAccepted);
  }
  return { end: halt ?? { kind: "settled" }, left: inOrder([...open]) };
}

function isKnown(fate: Fate): fate is Known {
  return fate.kind === "delivered" || fate.kind === "refused";
}

function isAlike(fate: Known, { status, code, message, field }: QuarantineReason): boolean {
  if (fate.kind !== "refused" || fate.why !== "content") return false;
  const { reason } = fate;
  return reason.status === status && reason.code === code && reason.message === message && reason.field === field;
}

function inOrder(pieces: readonly Piece[]): Piece[] {
  return [...pieces].sort((a, b) => a.run.first - b.run.first);
}
