/**
 * How large a shipment may be, learned from 413s. What works is remembered; now and then one larger shipment
 * is tried, in bytes and in events by turns, since either may have been the limit.
 */

export interface Size {
  readonly bytes: number;
  readonly events: number;
}

export interface BatchSizer {
  /** The size to pack the next shipment to. */
  next(): Size;
  /** A shipment that was split: the largest part of it that was taken; null when none was. */
  wasSplit(largestTaken: Size | null): void;
  /** A shipment that was taken whole. */
  wasTaken(size: Size): void;
}

/** Of this many shipments at most one is a probe. */
export const PROBE_EVERY = 50;

/** @param configured the sizes from the settings, which nothing exceeds. */
export function createBatchSizer(configured: () => Size): BatchSizer {
  let learned: Size | null = null;
  let sinceProbe = 0;
  let probeBytes = true;
  return {
    next() {
      const most = configured();
      if (learned === null) return most;
      sinceProbe++;
      const probing = sinceProbe >= PROBE_EVERY;
      const grown = probing ? growth(learned, probeBytes) : learned;
      if (probing) {
        sinceProbe = 0;
        probeBytes = !probeBytes;
      }
      return { bytes: Math.min(grown.bytes, most.bytes), events: Math.min(grown.events, most.events) };
    },
    wasSplit(largestTaken) {
      if (largestTaken === null) return;
      learned = largestTaken;
      sinceProbe = 0;
    },
    wasTaken(size) {
      if (learned === null) return;
      learned = { bytes: Math.max(learned.bytes, size.bytes), events: Math.max(learned.events, size.events) };
    },
  };
}

function growth(size: Size, bytes: boolean): Size {
  return bytes ? { bytes: size.bytes * 2, events: size.events } : { bytes: size.bytes, events: size.events * 2 };
}
