/** What the next shipment of a stream carries: by position, which may be packed anew each time, or by key, fixed on disk. */
import type { Log } from "../buffer/log.ts";
import { scopeText } from "../buffer/tables/scope.ts";
import type { PendingRun, ReadInput } from "../buffer/transactions/read.ts";
import type { Size } from "./batch-size.ts";
import { freeStretches } from "./in-flight.ts";
import type { Backlog, Lane } from "./lane.ts";
import { type Piece, pieceOf } from "./pieces.ts";

export type Packed =
  | { readonly kind: "packed"; readonly piece: Piece }
  /** These events' bytes are not those that were written: settle them into quarantine. */
  | { readonly kind: "damaged"; readonly first: number; readonly count: number }
  /** Nothing, or not now. */
  | { readonly kind: "nothing" };

export interface Packing {
  /** Finds what an earlier process fixed and did not settle. */
  recover(): Promise<void>;
  /** The next shipment of a stream: of the lane that is probed, or of those that may go. */
  next(backlog: Backlog, probe: Lane | null, size: Size): Promise<Packed>;
  /** Takes back what was not sent to its end. */
  giveBack(stream: string, pieces: readonly Piece[]): void;
}

/** Where positions tell repeats, a shipment is whatever is packed. */
export function packByPosition(log: Log): Packing {
  return {
    recover: async () => {},
    async next(backlog, probe, size) {
      const found = await readFree(log, backlog, probe, size);
      return found.kind === "run" ? { kind: "packed", piece: pieceOf(found.run, null) } : found;
    },
    giveBack: () => {},
  };
}

type Found = { readonly kind: "run"; readonly run: PendingRun } | Exclude<Packed, { kind: "packed" }>;

/** The first run that nothing in flight covers: of one lane, or of those that are not held. */
export async function readFree(log: Log, backlog: Backlog, probe: Lane | null, size: Size): Promise<Found> {
  // What is read anew meanwhile begins another object.
  const { held } = backlog;
  const bounds = { bytesMax: Math.max(1, size.bytes - 2), eventsMax: size.events };
  const lanes = lanesOf(backlog, probe);
  const wanted = { stream: backlog.stream, ...(lanes === undefined ? {} : { lanes }), ...bounds };
  for (const free of freeStretches(backlog.inFlight)) {
    let from = Math.max(free.first, probe === null ? held.through : 0);
    while (from < free.end) {
      const { passed, ...found } = await log.read({ ...wanted, from, until: free.end });
      from = passed.through;
      if (probe === null && passed.events > 0) {
        held.through = passed.through;
        held.events += passed.events;
        held.bytes += passed.bytes;
      }
      if (found.kind === "nothing") break;
      if (found.kind !== "passed") return found;
    }
  }
  return { kind: "nothing" };
}

function lanesOf({ lanes }: Backlog, probe: Lane | null): ReadInput["lanes"] {
  if (probe !== null) return { only: scopeText(probe.scope) };
  const except = [...lanes].filter(([, { heldUntil }]) => heldUntil !== null).map(([key]) => key);
  return except.length === 0 ? undefined : { except };
}
