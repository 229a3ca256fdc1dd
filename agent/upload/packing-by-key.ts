/**
 * The shipments of a destination that knows repeats by their key alone. Membership and key are on disk before the
 * first attempt, so the repeat after a crash is the very same call; they leave the disk with the positions that
 * are settled.
 */

import { reprocessGroupOf } from "../../shared/vendors/reprocess-group.ts";
import type { Log } from "../buffer/log.ts";
import { eventBytes, joinRuns } from "../buffer/tables/event-run.ts";
import { scopeText } from "../buffer/tables/scope.ts";
import type { FixedShipment } from "../buffer/tables/shipments.ts";
import type { PendingRun } from "../buffer/transactions/read.ts";
import type { Size } from "./batch-size.ts";
import type { Backlog, Lane } from "./lane.ts";
import { type Packed, type Packing, readFree } from "./packing.ts";
import { countOf, pieceOf, slicePending } from "./pieces.ts";

/** A shipment that was fixed before and has to go first. */
interface Waiting {
  readonly shipment: FixedShipment;
  /** The ids of its events, as text; null until they are read. */
  readonly scope: string | null;
}

const NOTHING: Packed = { kind: "nothing" };

/** @param createKey a fresh random key. */
export function packByKey(log: Log, createKey: () => string): Packing {
  const waiting = new Map<string, readonly Waiting[]>();

  /** The first of them that may go now; the others keep their place. */
  const nextFixed = async (backlog: Backlog, probe: Lane | null): Promise<Packed> => {
    const { stream } = backlog;
    for (const entry of waiting.get(stream) ?? []) {
      if (entry.scope !== null && !mayGo(entry.scope, backlog, probe)) continue;
      const run = await readExactly(log, stream, entry.shipment);
      const scope = run === null ? null : scopeText(run.scope);
      if (scope !== null && !mayGo(scope, backlog, probe)) {
        replace(stream, entry, { ...entry, scope });
        continue;
      }
      replace(stream, entry, null);
      if (run !== null) return { kind: "packed", piece: pieceOf(run, entry.shipment) };
      // Not all of it is pending and whole any more: there is no such call to repeat.
      await log.fix({ stream, replaces: entry.shipment.first, shipments: [] });
    }
    return NOTHING;
  };
  const replace = (stream: string, entry: Waiting, by: Waiting | null): void => {
    const others = waiting.get(stream) ?? [];
    waiting.set(
      stream,
      others.flatMap((other) => (other !== entry ? other : (by ?? []))),
    );
  };

  const fixNew = async (backlog: Backlog, probe: Lane | null, size: Size): Promise<Packed> => {
    const { stream } = backlog;
    const found = await readFree(log, backlog, probe, size);
    if (found.kind !== "run") return found;
    const run = stream === "persist" ? untilClosing(found.run, backlog) : found.run;
    if (run === null) return NOTHING;
    const shipment = { first: run.first, count: countOf(run.events), key: createKey(), attempted: 0 };
    const outcome = await log.fix({ stream, replaces: null, shipments: [shipment] });
    return outcome.kind === "settled" ? { kind: "packed", piece: pieceOf(run, shipment) } : NOTHING;
  };

  return {
    async recover() {
      for (const { stream, ...shipment } of await log.fixed()) {
        waiting.set(stream, [...(waiting.get(stream) ?? []), { shipment, scope: null }]);
      }
    },
    async next(backlog, probe, size) {
      const fixed = await nextFixed(backlog, probe);
      return fixed.kind === "packed" ? fixed : fixNew(backlog, probe, size);
    },
    giveBack(stream, pieces) {
      const back = pieces.flatMap(({ run, shipment }) =>
        shipment === null ? [] : [{ shipment, scope: scopeText(run.scope) }],
      );
      const queue = [...back, ...(waiting.get(stream) ?? [])];
      waiting.set(
        stream,
        queue.sort((a, b) => a.shipment.first - b.shipment.first),
      );
    },
  };
}

function mayGo(scope: string, { lanes }: Backlog, probe: Lane | null): boolean {
  if (probe !== null) return scope === scopeText(probe.scope);
  return (lanes.get(scope)?.heldUntil ?? null) === null;
}

/** The members of a shipment, over as many rows as they lie in; null where not all of them are pending. */
async function readExactly(log: Log, stream: string, { first, count }: FixedShipment): Promise<PendingRun | null> {
  const until = first + count;
  const parts: PendingRun[] = [];
  for (let from = first; from < until; ) {
    const bounds = { bytesMax: Number.MAX_SAFE_INTEGER, eventsMax: until - from };
    const found = await log.read({ stream, from, until, ...bounds });
    if (found.kind !== "run" || found.run.first !== from) return null;
    parts.push(found.run);
    from += countOf(found.run.events);
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
 * A persist event that closes its reprocessing group goes out after all of its lane that came before it: what is packed
 * ends before one, and one goes alone once nothing else of its lane is under way. Null: not now.
 */
function untilClosing(run: PendingRun, { inFlight }: Backlog): PendingRun | null {
  const index = run.events.ends.findIndex((_, event) => {
    const source = Buffer.from(eventBytes(run.events, event)).toString("utf8");
    return reprocessGroupOf(source)?.closes ?? false;
  });
  if (index < 0) return run;
  if (index > 0) return slicePending(run, 0, index);
  return inFlight.some(({ scope }) => scope === scopeText(run.scope)) ? null : slicePending(run, 0, 1);
}
