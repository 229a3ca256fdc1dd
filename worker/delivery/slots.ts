/**
 * How many calls an isolate has under way at once, and how much of events they hold in memory. Fair without anybody
 * waiting for anybody: whoever gets no slot goes on without one, and comes again.
 */
import { Remembered } from "../remembered.ts";
import { type Lane, laneKey } from "./scopes.ts";
import { CALL_BYTES_MAX } from "./upstream.ts";

/** A Worker may hold six connections; a fetched token takes one as well. */
export const CALLS_MAX = 4;
const BYTES_MAX = 2 * CALL_BYTES_MAX;
/** With less room hardly any call would fit. */
const ROOM_MIN = 64_000;

/**
 * What is known of a lane: its last call failed, or none of it went through lately, or one did. The first two may hang,
 * so that they never take all slots, nor all of a tenant's.
 */
type Trust = "troubled" | "unknown" | "proven";
const MOST: Record<Trust, { readonly all: number; readonly tenant: number }> = {
  troubled: { all: 2, tenant: 1 },
  unknown: { all: CALLS_MAX - 1, tenant: 2 },
  proven: { all: CALLS_MAX, tenant: CALLS_MAX },
};
const PROVEN_MS = 600_000;
const LANES_REMEMBERED_MAX = 10_000;

/** Of a tenant whose call took so long and then failed, a lane that nothing is known of is as good as troubled. */
const SLOW_MS = 2_000;
const WARY_MS = 60_000;
const TENANTS_REMEMBERED_MAX = 1_000;

export interface Slot {
  /** Bytes that the call may have. */
  readonly room: number;
  /** Whether any call would have had room. */
  readonly isWide: boolean;
  /** A call of its lane went through lately, and none failed since. */
  readonly isProven: boolean;
  /** Says what the call has, so that others get the rest. */
  shrink(bytes: number): void;
  /** @param hasPassed whether the call went through; null where none was made. */
  release(hasPassed: boolean | null, now: number): void;
}

interface Taken {
  readonly tenant: string;
  readonly trust: Trust;
  readonly since: number;
  /** A run that the platform ended gives nothing back. */
  readonly until: number;
  bytes: number;
}

export class Slots {
  private readonly taken = new Set<Taken>();
  private readonly proven = new Remembered<true>(LANES_REMEMBERED_MAX);
  private readonly wary = new Remembered<true>(TENANTS_REMEMBERED_MAX);

  /**
   * Null where none is to be had. A tenant that has calls under way leaves one slot, with the largest call's bytes, to
   * the others; a lane that is troubled, or of which nothing is known, gets the first only.
   * @param until when the slot is free again though nobody released it.
   */
  take(lane: Lane, isTroubled: boolean, now: number, until: number): Slot | null {
    for (const one of this.taken) if (one.until <= now) this.taken.delete(one);
    const trust = this.trustOf(lane, isTroubled, now);
    const all = [...this.taken];
    const own = all.filter(({ tenant }) => tenant === lane.tenant);
    if (all.length + (own.length === 0 ? 0 : 1) >= CALLS_MAX || !hasPlace(trust, all, own)) return null;
    const used = all.reduce((sum, one) => sum + one.bytes, 0);
    const free = BYTES_MAX - used - (own.length === 0 ? 0 : CALL_BYTES_MAX);
    const bytes = Math.min(CALL_BYTES_MAX, free);
    if (bytes < ROOM_MIN) return null;
    // What is larger than a call should be goes alone.
    const room = all.length === 0 ? Number.MAX_SAFE_INTEGER : bytes;
    return this.add({ tenant: lane.tenant, trust, since: now, until, bytes }, lane, room);
  }

  /** A call of the lane went through lately, and none failed since. */
  isProven(lane: Lane, now: number): boolean {
    return this.proven.get(laneKey(lane), now) !== undefined;
  }

  private trustOf(lane: Lane, isTroubled: boolean, now: number): Trust {
    if (isTroubled) return "troubled";
    if (this.isProven(lane, now)) return "proven";
    return this.wary.get(lane.tenant, now) === undefined ? "unknown" : "troubled";
  }

  private add(slot: Taken, lane: Lane, room: number): Slot {
    this.taken.add(slot);
    return {
      room,
      isWide: room >= CALL_BYTES_MAX,
      isProven: slot.trust === "proven",
      shrink: (bytes) => {
        slot.bytes = bytes;
      },
      release: (hasPassed, now) => {
        this.taken.delete(slot);
        if (hasPassed === true) this.proven.set(laneKey(lane), true, now + PROVEN_MS);
        if (hasPassed !== false) return;
        this.proven.delete(laneKey(lane));
        if (now - slot.since >= SLOW_MS) this.wary.set(slot.tenant, true, now + WARY_MS);
      },
    };
  }
}

/** Calls that are trusted no more than this one leave the others theirs. */
function hasPlace(trust: Trust, all: readonly Taken[], own: readonly Taken[]): boolean {
  const isNoBetter = (one: Taken) => one.trust === "troubled" || one.trust === trust;
  const counted = trust === "proven" ? [] : all.filter(isNoBetter);
  const most = MOST[trust];
  return counted.length < most.all && counted.filter((one) => own.includes(one)).length < most.tenant;
}
