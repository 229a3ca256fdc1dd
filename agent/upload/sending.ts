/** Shipments under way: launched beside each other, and what their ends mean for their lanes. */
import { backoffMs } from "../../shared/backoff.ts";
import { freeBytes } from "../buffer/tables/event-run.ts";
import { scopeText } from "../buffer/tables/scope.ts";
import type { Dialect } from "./dialect.ts";
import type { ShipmentRange } from "./in-flight.ts";
import type { Backlog, Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";
import type { Packing } from "./packing.ts";
import { countOf, type Piece } from "./pieces.ts";
import { BY_POSITION, createRepeatsByKey } from "./repeats.ts";
import type { ShipmentContext, ShipmentEnd } from "./settling.ts";
import { type Shipped, ship } from "./shipment.ts";
import { shipSingly } from "./singles.ts";

export interface Sending {
  /** Sends a piece beside whatever else is under way. */
  launch(backlog: Backlog, probe: Lane | null, piece: Piece, dialect: Dialect): void;
  /** Shipments that call or are about to; those that back off are left out, so that they keep no other lane waiting. */
  readonly calling: number;
  /** Resolves once none is under way. */
  ended(): Promise<void>;
}

export interface SendingOptions {
  readonly lanes: Lanes;
  readonly packing: Packing;
  readonly createKey: () => string;
  /** What every shipment shares, but for its own way to back off. */
  readonly context: Omit<ShipmentContext, "backOff">;
  readonly onEnd: (backlog: Backlog, end: ShipmentEnd) => void;
  readonly onFatal: (error: unknown) => void;
}

export function createSending(options: SendingOptions): Sending {
  const { lanes, packing, context } = options;
  const byKey = createRepeatsByKey(options.createKey);
  const shipments = new Set<Promise<void>>();
  let calling = 0;

  /** How one shipment backs off: not counted as calling meanwhile, as long as there are not too many of them. */
  const backingOff = (backlog: Backlog, { scope, isProbe }: ShipmentRange, piece: Piece) => {
    let hasBackedOff = false;
    const isWithdrawn = () => backlog.lanes.get(scope)?.isWithdrawn ?? false;
    const backOff: ShipmentContext["backOff"] = async (reason, wait) => {
      if (reason === null) {
        await wait();
        return !isWithdrawn();
      }
      // A probe of a lane that is held leaves it held.
      hasBackedOff ||= !isProbe && lanes.backOff(backlog, piece.run.scope, reason);
      if (!hasBackedOff) return false;
      calling--;
      await wait();
      calling++;
      return !isWithdrawn();
    };
    return { backOff, ended: () => hasBackedOff && lanes.backedOff(backlog, piece.run.scope) };
  };

  const send = async (
    { stream }: Backlog,
    piece: Piece,
    dialect: Dialect,
    settled: (events: number) => void,
    own: ShipmentContext,
  ): Promise<ShipmentEnd> => {
    const isSingle = dialect.deliveryMode(stream).kind === "single";
    const shipped: Shipped = isSingle
      ? await shipSingly(stream, piece, settled, own)
      : await ship(stream, piece, piece.shipment === null ? BY_POSITION : byKey, settled, own);
    freeBytes(piece.run.events.body);
    packing.giveBack(stream, shipped.left.map(byKey.current));
    return shipped.end;
  };

  return {
    launch(backlog, probe, piece, dialect) {
      const range = rangeOf(backlog, probe, piece);
      backlog.inFlight.push(range);
      calling++;
      context.sizer.began();
      const { backOff, ended } = backingOff(backlog, range, piece);
      const settled = (events: number) => {
        range.unsettled -= events;
        if (range.countedIn === backlog.held) backlog.held.events -= events;
      };
      const shipment = send(backlog, piece, dialect, settled, { ...context, backOff })
        .then((end) => {
          calling--;
          backlog.inFlight.splice(backlog.inFlight.indexOf(range), 1);
          if (end.kind === "held") lanes.hold(backlog, piece.run.scope, end.reason, end.wait);
          else if (end.kind === "settled") lanes.release(backlog, piece.run.scope);
          ended();
          options.onEnd(backlog, end);
        })
        .catch(options.onFatal);
      shipments.add(shipment);
      void shipment.finally(() => shipments.delete(shipment));
    },
    get calling() {
      return calling;
    },
    ended: async () => void (await Promise.all(shipments)),
  };
}

function rangeOf({ held }: Backlog, probe: Lane | null, { run }: Piece): ShipmentRange {
  const { first } = run;
  const count = countOf(run.events);
  const countedIn = probe !== null && first < held.through ? held : null;
  return {
    first,
    end: first + count,
    unsettled: count,
    scope: scopeText(run.scope),
    isProbe: probe !== null,
    countedIn,
  };
}

/** The wait of what was refused so many times for passing trouble. */
export function backoffFor(
  { settings, random }: Pick<ShipmentContext, "settings" | "random">,
  failures: number,
): number {
  const { backoffBaseMs: baseMs, backoffMaxMs: maxMs } = settings();
  return backoffMs(failures, random(), { baseMs, maxMs });
}
