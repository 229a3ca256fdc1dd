/** A fixed shipment on its way: the very call again until its fate is known, or a call an event. */
import type { FixedShipment } from "../buffer/tables/shipments.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import { createAttempts } from "./attempts.ts";
import type { Size } from "./batch-size.ts";
import { type Fate, sendUntilKnown } from "./call.ts";
import type { LoadedShipment } from "./fixed-shipments.ts";
import { halvesOf, larger, sizeOf, slicePending } from "./pieces.ts";
import { type Held, held, SETTLE_RETRY_MS, type ShipmentContext, type ShipmentEnd, settle } from "./shipment.ts";

export interface FixedContext extends ShipmentContext {
  /** A fresh random key. */
  readonly createKey: () => string;
}

export interface FixedEnd {
  readonly end: ShipmentEnd;
  /** What was not sent to its end, as it is fixed on disk. */
  readonly left: readonly FixedShipment[];
}

/** Told of every event whose fate is in the log. */
type Settled = (events: number) => void;

/** Sends a shipment as one call; one that is refused is halved, each half fixed anew before it goes. */
export async function shipAsOne(
  stream: string,
  loaded: LoadedShipment,
  settled: Settled,
  context: FixedContext,
): Promise<FixedEnd> {
  const { producer } = context.log;
  const pieces: LoadedShipment[] = [loaded];
  let split = false;
  let largestTaken: Size | null = null;
  for (let piece = pieces.pop(); piece !== undefined; piece = pieces.pop()) {
    const { shipment, run } = piece;
    const attempts = createAttempts(stream, shipment, context);
    const left = (end: ShipmentEnd) => ({ end, left: [attempts.current(), ...pieces.map((rest) => rest.shipment)] });
    const record = attempts.record(shipment.first, shipment.first + shipment.count);
    const fate = await sendUntilKnown({ stream, run, producer, key: shipment.key }, record, context);
    if (fate.kind === "stream-paused" || fate.kind === "stopped") return left(fate);
    if (fate.kind === "refused" && shipment.count > 1) {
      split ||= fate.why === "size";
      const halves = await fixHalves(stream, piece, context);
      if (halves === null) return left({ kind: "stopped" });
      // The rear half first, so that taking from the end sends events in their order.
      pieces.push(...halves.reverse());
      continue;
    }
    if (fate.kind === "delivered") largestTaken = larger(largestTaken, sizeOf(run));
    if (!(await settle(stream, run, heldOf(run, fate), context))) return left({ kind: "stopped" });
    settled(shipment.count);
  }
  if (split) context.sizer.wasSplit(sizeOf(loaded.run), largestTaken);
  else if (largestTaken !== null) context.sizer.wasTaken(largestTaken);
  return { end: { kind: "settled" }, left: [] };
}

/**
 * Sends each event in a call of its own, one after the other. Deliveries are written down together at the end,
 * for their repeat is known by its key; a refusal at once, for nothing else would tell it from a lost answer.
 */
export async function shipSingly(
  stream: string,
  { shipment, run }: LoadedShipment,
  settled: Settled,
  context: FixedContext,
): Promise<FixedEnd> {
  const { producer } = context.log;
  const attempts = createAttempts(stream, shipment, context);
  let done = 0;
  const settleTo = async (end: number, quarantine: readonly Held[]): Promise<boolean> => {
    if (end === done) return true;
    if (!(await settle(stream, slicePending(run, done, end), quarantine, context))) return false;
    attempts.settled(run.first + end);
    settled(end - done);
    done = end;
    return true;
  };
  const left = (end: ShipmentEnd) => ({ end, left: [attempts.current()] });
  for (let index = 0; index < shipment.count; index++) {
    const event = slicePending(run, index, index + 1);
    // Named by its position: what is settled before it leaves the shipment, and must not change its key.
    const cargo = { stream, run: event, producer, key: `${shipment.key}-${event.first}` };
    const fate = await sendUntilKnown(cargo, attempts.record(event.first, event.first + 1), context);
    if (fate.kind === "stream-paused" || fate.kind === "stopped") {
      return (await settleTo(index, [])) ? left(fate) : left({ kind: "stopped" });
    }
    const isDue = fate.kind === "refused" || index + 1 === shipment.count;
    if (isDue && !(await settleTo(index + 1, heldOf(event, fate)))) return left({ kind: "stopped" });
  }
  return { end: { kind: "settled" }, left: [] };
}

function heldOf(run: PendingRun, fate: Fate & { kind: "delivered" | "refused" }): Held[] {
  if (fate.kind === "refused") return [held(run, 0, fate.reason)];
  return fate.conflicts.map(({ index, reason }) => held(run, index, reason));
}

/** Puts two shipments with keys of their own in the place of one; null where the agent stops before it could. */
async function fixHalves(
  stream: string,
  { shipment, run }: LoadedShipment,
  { log, clock, signal, createKey }: FixedContext,
): Promise<[LoadedShipment, LoadedShipment] | null> {
  const [front, rear] = halvesOf(run);
  const fixed = (half: PendingRun) => ({
    shipment: { first: half.first, count: half.events.ends.length, key: createKey(), attempted: 0 },
    run: half,
  });
  const halves: [LoadedShipment, LoadedShipment] = [fixed(front), fixed(rear)];
  for (;;) {
    const outcome = await log.fix({ stream, replaces: shipment.first, shipments: halves.map((half) => half.shipment) });
    if (outcome.kind === "settled") return halves;
    if (signal.aborted) return null;
    await clock.sleep(SETTLE_RETRY_MS, signal);
  }
}
