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
  /** A shipment packed to that size is on its way. */
  began(): void;
  /** A shipment of `size` was split: the largest part of it that was accepted; null when none was. */
  wasSplit(size: Size, largestAccepted: Size | null): void;
  /** A shipment that was accepted whole. */
  wasAccepted(size: Size): void;
  /** What shipments are packed to but for probes. */
  readonly settled: Size;
}

/** Of this many shipments at most one is a probe. */
export const PROBE_EVERY = 50;

/** @param configured the sizes from the settings, which nothing exceeds. */
export function createBatchSizer(configured: () => Size): BatchSizer {
  let learned: Size | null = null;
  let sinceProbe = 0;
  let probeBytes = true;
  const isProbe = () => learned !== null && sinceProbe + 1 >= PROBE_EVERY;
  const bounded = (size: Size): Size => {
    const most = configured();
    return { bytes: Math.min(size.bytes, most.bytes), events: Math.min(size.events, most.events) };
  };
  const settled = () => (learned === null ? configured() : bounded(learned));
  return {
    next: () => (learned !== null && isProbe() ? bounded(growth(learned, probeBytes)) : settled()),
    began() {
      if (isProbe()) {
        sinceProbe = 0;
        probeBytes = !probeBytes;
      } else sinceProbe++;
    },
    wasSplit(size, largestAccepted) {
      sinceProbe = 0;
      // That more than what is known to work does not work teaches nothing new.
      const isLarger = learned !== null && (size.bytes > learned.bytes || size.events > learned.events);
      if (largestAccepted !== null && !isLarger) learned = largestAccepted;
    },
    wasAccepted(size) {
      if (learned === null) return;
      learned = { bytes: Math.max(learned.bytes, size.bytes), events: Math.max(learned.events, size.events) };
    },
    get settled() {
      return settled();
    },
  };
}

function growth(size: Size, bytes: boolean): Size {
  return bytes ? { bytes: size.bytes * 2, events: size.events } : { bytes: size.bytes, events: size.events * 2 };
}
