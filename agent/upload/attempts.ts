/** Keeps a fixed shipment's record of attempts on disk one step ahead of its calls. */
import type { FixedShipment } from "../buffer/tables/shipments.ts";
import type { AttemptRecord } from "./call.ts";
import { SETTLE_RETRY_MS, type ShipmentContext } from "./settling.ts";

export interface Attempts {
  /** The shipment as it is on disk now. */
  current(): FixedShipment;
  /** The record of the call that carries positions `first` and on, below `end`. */
  record(first: number, end: number): AttemptRecord;
  /** Its events below position `end` were settled, which took them off the disk. */
  settled(end: number): void;
}

export function createAttempts(
  stream: string,
  shipment: FixedShipment,
  { log, clock, signal }: Pick<ShipmentContext, "log" | "clock" | "signal">,
): Attempts {
  let current = shipment;
  const mark = async (attempted: number): Promise<boolean> => {
    const outcome = await log.mark({ stream, first: current.first, attempted });
    current = { ...current, attempted };
    return outcome.kind === "settled";
  };
  return {
    current: () => current,
    record: (first, end) => ({
      outcomeUnknown: current.first + current.attempted > first,
      async attempting() {
        const attempted = end - current.first;
        if (current.attempted >= attempted) return true;
        while (!(await mark(attempted))) {
          if (signal.aborted) return false;
          await clock.sleep(SETTLE_RETRY_MS, signal);
        }
        return true;
      },
      // Where the disk has no room for it, a doubt stays there that this process does not share: harmless but
      // after a crash, and then no worse than a crash in the middle of the call.
      refused: async () => void (await mark(first - current.first)),
    }),
    settled(end) {
      const done = end - current.first;
      const attempted = Math.max(0, current.attempted - done);
      current = { ...current, first: end, count: current.count - done, attempted };
    },
  };
}
