/** Packs what was picked and launches it. */
import type { Logger } from "pino";
import { DAMAGED } from "../buffer/tables/event-run.ts";
import { type Backlog, type Lane, waiting } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { Packing } from "./packing.ts";
import type { Sending } from "./sending.ts";
import type { ShipmentContext } from "./settling.ts";

const REASON = { status: 0, code: DAMAGED, message: "changed on disk: the checksum is not the one written" };

export interface SenderParts {
  readonly lanes: Lanes;
  readonly packing: Packing;
  readonly sending: Sending;
  readonly context: Omit<ShipmentContext, "backOff">;
}

/** Packs and sends one shipment of what was picked. */
export function createSender(
  { log, clock, logger, dialect }: Pick<ShipmentContext, "log" | "clock" | "dialect"> & { readonly logger: Logger },
  { lanes, packing, sending, context }: SenderParts,
) {
  /** What the disk gave back changed is nobody's usage: it is kept for a person to look at. */
  const holdDamaged = async (stream: string, first: number, count: number): Promise<void> => {
    logger.error({ stream, first, count }, "events were changed on disk: quarantined");
    const quarantine = Array.from({ length: count }, (_, i) => ({ position: first + i, reason: REASON }));
    await log.settle({ stream, first, count, at: clock.now(), quarantine });
  };
  return async ({ backlog, probe }: { backlog: Backlog; probe: Lane | null }): Promise<void> => {
    const { stream } = backlog;
    const mode = dialect().deliveryMode(stream);
    const learned = context.sizer.next();
    const eventsMax = mode.kind === "none" ? 0 : mode.eventsMax;
    const size = { ...learned, events: Math.min(learned.events, eventsMax) };
    const packed = mode.kind === "none" ? null : await packing.next(backlog, probe, size);
    if (packed?.kind === "packed") sending.launch(backlog, probe, packed.piece, dialect());
    else if (packed?.kind === "damaged") await holdDamaged(stream, packed.first, packed.count);
    // Nothing of it waits any more.
    else if (probe !== null) lanes.release(backlog, probe.scope);
    else backlog.dueAt = null;
    const ledger = log.stream(stream);
    if (ledger === null || waiting(ledger, backlog) <= 0) backlog.dueAt = null;
  };
}
