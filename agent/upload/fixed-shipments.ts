/**
 * The shipments of a destination that knows repeats by their key alone. Membership and key are on disk before the
 * first attempt, so the repeat after a crash is the very same call; they leave the disk with the positions that
 * are settled.
 */

import { reprocessGroupOf } from "../../shared/vendors/reprocess-group.ts";
import type { Log } from "../buffer/log.ts";
import { eventBytes, joinRuns } from "../buffer/tables/event-run.ts";
import type { FixedShipment } from "../buffer/tables/shipments.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import type { Size } from "./batch-size.ts";
import { freeStretches, type PositionRange } from "./in-flight.ts";
import { slicePending } from "./pieces.ts";

/** A shipment ready to be sent. */
export interface LoadedShipment {
  readonly shipment: FixedShipment;
  readonly run: PendingRun;
}

export type NextShipment =
  | { readonly kind: "shipment"; readonly loaded: LoadedShipment }
  /** These events' bytes are not those that were written: settle them into quarantine. */
  | { readonly kind: "damaged"; readonly first: number; readonly count: number }
  /** Nothing, or not now. */
  | { readonly kind: "nothing" };

export interface FixedShipments {
  /** Finds those that an earlier process fixed and did not settle. */
  recover(): Promise<void>;
  /** The next shipment of a stream: one that was fixed before, or a new one. */
  next(stream: string, inFlight: readonly PositionRange[], size: Size): Promise<NextShipment>;
  /** Takes back what was not sent to its end; it comes first the next time. */
  giveBack(stream: string, shipments: readonly FixedShipment[]): void;
}

export interface FixedShipmentsOptions {
  readonly log: Log;
  /** A fresh random key. */
  readonly createKey: () => string;
}

const NOTHING: NextShipment = { kind: "nothing" };

export function createFixedShipments({ log, createKey }: FixedShipmentsOptions): FixedShipments {
  const waiting = new Map<string, FixedShipment[]>();

  const nextFixed = async (stream: string): Promise<LoadedShipment | null> => {
    const queue = waiting.get(stream) ?? [];
    for (let shipment = queue.shift(); shipment !== undefined; shipment = queue.shift()) {
      const run = await readExactly(log, stream, shipment);
      if (run !== null) return { shipment, run };
      // Not all of it is pending and whole any more: there is no such call to repeat.
      await log.fix({ stream, replaces: shipment.first, shipments: [] });
    }
    return null;
  };

  const fixNew = async (stream: string, inFlight: readonly PositionRange[], size: Size): Promise<NextShipment> => {
    for (const free of freeStretches(inFlight)) {
      const wanted = { stream, from: free.first, until: free.end };
      const found = await log.read({ ...wanted, bytesMax: Math.max(1, size.bytes - 2), eventsMax: size.events });
      if (found.kind === "nothing") continue;
      if (found.kind === "damaged") return found;
      const run = stream === "persist" ? untilClosing(found.run, inFlight) : found.run;
      if (run === null) return NOTHING;
      const shipment = { first: run.first, count: run.events.ends.length, key: createKey(), attempted: 0 };
      const outcome = await log.fix({ stream, replaces: null, shipments: [shipment] });
      return outcome.kind === "settled" ? { kind: "shipment", loaded: { shipment, run } } : NOTHING;
    }
    return NOTHING;
  };

  return {
    async recover() {
      for (const { stream, ...shipment } of await log.fixed()) {
        waiting.set(stream, [...(waiting.get(stream) ?? []), shipment]);
      }
    },
    async next(stream, inFlight, size) {
      const fixed = await nextFixed(stream);
      return fixed === null ? fixNew(stream, inFlight, size) : { kind: "shipment", loaded: fixed };
    },
    giveBack(stream, shipments) {
      const queue = [...shipments, ...(waiting.get(stream) ?? [])];
      waiting.set(
        stream,
        queue.sort((a, b) => a.first - b.first),
      );
    },
  };
}

/** The members of a shipment, over as many rows as they lie in; null where not all of them are pending. */
async function readExactly(log: Log, stream: string, { first, count }: FixedShipment): Promise<PendingRun | null> {
  const until = first + count;
  const parts: PendingRun[] = [];
  for (let from = first; from < until; ) {
    const bytesMax = Number.MAX_SAFE_INTEGER;
    const found = await log.read({ stream, from, until, bytesMax, eventsMax: until - from });
    if (found.kind !== "run" || found.run.first !== from) return null;
    parts.push(found.run);
    from += found.run.events.ends.length;
  }
  const [front] = parts;
  if (front === undefined) return null;
  return {
    ...front,
    events: joinRuns(parts.map((part) => part.events)),
    receivedAt: Float64Array.from(parts.flatMap((part) => [...part.receivedAt])),
  };
}

/**
 * A persist event that closes its reprocessing group goes out after all that came before it: what is packed ends
 * before one, and one goes alone once nothing else of its stream is under way. Null: not now.
 */
function untilClosing(run: PendingRun, inFlight: readonly PositionRange[]): PendingRun | null {
  const index = run.events.ends.findIndex((_, event) => {
    const source = Buffer.from(eventBytes(run.events, event)).toString("utf8");
    return reprocessGroupOf(source)?.closes ?? false;
  });
  if (index < 0) return run;
  if (index > 0) return slicePending(run, 0, index);
  return inFlight.length > 0 ? null : slicePending(run, 0, 1);
}
