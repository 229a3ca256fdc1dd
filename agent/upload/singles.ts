/** A shipment of a call an event, one after the other. */
import type { Rejected } from "../buffer/transactions/settle.ts";
import { createAttempts } from "./attempts.ts";
import { sendUntilKnown } from "./call.ts";
import { type Piece, pieceOf, slicePending } from "./pieces.ts";
import { rejectedOf, type ShipmentContext, type ShipmentEnd, settle } from "./settling.ts";
import type { Shipped } from "./shipment.ts";

/**
 * Sends each event in a call of its own. Deliveries are written down together at the end, for their repeat is known by
 * its key; a refusal at once, for nothing else would tell it from a lost answer.
 */
export async function shipSingly(
  stream: string,
  { shipment, run }: Piece,
  settled: (events: number) => void,
  context: ShipmentContext,
): Promise<Shipped> {
  if (shipment === null) throw new RangeError("single calls are fixed before they go");
  const { producer } = context.log;
  const attempts = createAttempts(stream, shipment, context);
  let done = 0;
  const settleTo = async (end: number, quarantine: readonly Rejected[]): Promise<boolean> => {
    if (end === done) return true;
    if (!(await settle(stream, slicePending(run, done, end), quarantine, context))) return false;
    attempts.settled(run.first + end);
    settled(end - done);
    done = end;
    return true;
  };
  const left = (end: ShipmentEnd) => ({ end, left: [pieceOf(run, attempts.current())] });
  for (let index = 0; index < shipment.count; index++) {
    const event = slicePending(run, index, index + 1);
    // Named by its position: what is settled before it leaves the shipment, and must not change its key.
    const cargo = { stream, run: event, producer, key: `${shipment.key}-${event.first}` };
    const fate = await sendUntilKnown(cargo, attempts.record(event.first, event.first + 1), context);
    if (fate.kind === "held" || fate.kind === "stopped") {
      return (await settleTo(index, [])) ? left(fate) : left({ kind: "stopped" });
    }
    const isDue = fate.kind === "refused" || index + 1 === shipment.count;
    if (isDue && !(await settleTo(index + 1, rejectedOf(event, fate)))) return left({ kind: "stopped" });
  }
  return { end: { kind: "settled" }, left: [] };
}
