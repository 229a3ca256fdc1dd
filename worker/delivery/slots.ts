/**
 * How many calls an isolate has under way at once, and how much of events they hold in memory. Fair without anybody
 * waiting for anybody: whoever gets no slot goes on without one, and comes again.
 */
import type { Lane } from "./scopes.ts";
import { CALL_BYTES_MAX } from "./upstream.ts";

/** A Worker may hold six connections; a fetched token takes one as well. */
export const CALLS_MAX = 4;
const BYTES_MAX = 2 * CALL_BYTES_MAX;
/** Of them, calls of lanes whose last ones failed: they may hang. */
const TROUBLED_MAX = 2;

export interface Slot {
  /** Bytes that the call may have. */
  readonly room: number;
  /** Says what the call has, so that others get the rest. */
  shrink(bytes: number): void;
  release(): void;
}

interface Taken {
  readonly tenant: string;
  readonly troubled: boolean;
  /** A run that the platform ended gives nothing back. */
  readonly until: number;
  bytes: number;
}

export class Slots {
  private readonly taken = new Set<Taken>();

  /**
   * Null where none is to be had. A tenant that has calls under way leaves one, with the largest call's bytes, to the
   * others; of a tenant's troubled lanes one is tried at a time.
   * @param until when the slot is free again though nobody released it.
   */
  take({ tenant }: Lane, troubled: boolean, now: number, until: number): Slot | null {
    for (const one of this.taken) if (one.until <= now) this.taken.delete(one);
    const all = [...this.taken];
    const own = all.filter((one) => one.tenant === tenant);
    const leaves = own.length === 0 ? 0 : 1;
    const trouble = all.filter((one) => one.troubled);
    const room = BYTES_MAX - all.reduce((sum, one) => sum + one.bytes, 0);
    if (all.length + leaves >= CALLS_MAX || room < (1 + leaves) * CALL_BYTES_MAX) return null;
    if (troubled && (trouble.length >= TROUBLED_MAX || trouble.some((one) => one.tenant === tenant))) return null;
    const slot: Taken = { tenant, troubled, until, bytes: CALL_BYTES_MAX };
    this.taken.add(slot);
    return {
      // What is larger than a call should be goes alone.
      room: all.length === 0 ? Number.MAX_SAFE_INTEGER : CALL_BYTES_MAX,
      shrink: (bytes) => {
        slot.bytes = bytes;
      },
      release: () => {
        this.taken.delete(slot);
      },
    };
  }
}
