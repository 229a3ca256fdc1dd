/** How a call is repeated so that its events count once: by their positions, or by the very same call under one key. */
import type { PendingRun } from "../buffer/transactions/read.ts";
import { type Attempts, createAttempts } from "./attempts.ts";
import { type Fate, sendUntilKnown, UNRECORDED } from "./call.ts";
import { countOf, type Piece, pieceOf } from "./pieces.ts";
import { SETTLE_RETRY_MS, type ShipmentContext } from "./settling.ts";

export interface RepeatPolicy {
  send(stream: string, piece: Piece, context: ShipmentContext): Promise<Fate>;
  /** Puts pieces in the place of one; null where the agent stops before it could. */
  cut(stream: string, piece: Piece, runs: readonly PendingRun[], context: ShipmentContext): Promise<Piece[] | null>;
}

/** Each position is counted once there, in whatever call it comes. */
export const BY_POSITION: RepeatPolicy = {
  send(stream, { run }, context) {
    return sendUntilKnown({ stream, run, producer: context.log.producer, key: null }, UNRECORDED, context);
  },
  cut: async (_stream, _piece, runs) => runs.map((run) => pieceOf(run, null)),
};

/** Only the very same call is known there, so that each piece is fixed before it goes. */
export function createRepeatsByKey(createKey: () => string): RepeatPolicy & {
  /** A piece as it is fixed on disk now. */
  current(piece: Piece): Piece;
} {
  const attemptsOf = new WeakMap<Piece, Attempts>();
  return {
    async send(stream, piece, context) {
      const { shipment, run } = piece;
      if (shipment === null) throw new RangeError("a call without a key goes to a vendor that knows no other repeat");
      const attempts = createAttempts(stream, shipment, context);
      attemptsOf.set(piece, attempts);
      const record = attempts.record(shipment.first, shipment.first + shipment.count);
      return sendUntilKnown({ stream, run, producer: context.log.producer, key: shipment.key }, record, context);
    },
    async cut(stream, { run: whole }, runs, { log, clock, signal }) {
      const pieces = runs.map((run) =>
        pieceOf(run, { first: run.first, count: countOf(run.events), key: createKey(), attempted: 0 }),
      );
      const shipments = pieces.flatMap(({ shipment }) => shipment ?? []);
      for (;;) {
        const outcome = await log.fix({ stream, replaces: whole.first, shipments });
        if (outcome.kind === "settled") return pieces;
        if (signal.aborted) return null;
        await clock.sleep(SETTLE_RETRY_MS, signal);
      }
    },
    current: (piece) => ({ ...piece, shipment: attemptsOf.get(piece)?.current() ?? piece.shipment }),
  };
}
