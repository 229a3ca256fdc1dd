/**
 * Sends what is due of some lanes, each in its turn: of every tenant one lane before another's second, of every lane
 * one call before its next, several side by side. What hangs or is refused stops its own lane and takes a slot, never
 * another's turn; a run does not wait for what hangs.
 */
import { type Lane, laneKey } from "./scopes.ts";
import type { Slot, Slots } from "./slots.ts";

export interface RunLane {
  readonly lane: Lane;
  troubled: boolean;
  /** Calls of it may be fixed; else the next one must be packed first. */
  fixed: boolean;
  /** Another account that calls of it in doubt are bound to; null for none. */
  readonly boundTo: string | null;
}

export type TurnOutcome =
  /** `more`: it made something of its lane due. */
  | { readonly kind: "settled"; readonly more: boolean }
  /** Its lane, or what is wider, was tried and waits no longer: these may go now. */
  | { readonly kind: "freed"; readonly lanes: readonly RunLane[] }
  /** The lane waits. */
  | { readonly kind: "postponed" };

type CallTrust = "troubled" | "unknown" | "proven";

/** A leased call and its sending. */
export interface Turn {
  readonly bytes: number;
  /** Nothing else of its lane is due now. */
  readonly isLast: boolean;
  send(): Promise<TurnOutcome>;
}

export interface RunHost {
  readonly now: () => number;
  readonly slots: Slots;
  readonly leftLanes: LeftLanes;
  /** How long a slot may be held, milliseconds. */
  readonly slotMs: number;
  /** Whether this invocation may take one more call beside so many under way. */
  mayTake(underWay: number): boolean;
  /** Whether it may end while calls hang; else it waits for all of them. */
  readonly leavesHanging: boolean;
  pause(ms: number): Promise<void>;
  /** Null where nothing of the lane is due that fits. */
  lease(of: RunLane, slot: Pick<Slot, "room" | "isProven">): Promise<Turn | null>;
}

export interface RunEnd {
  /** Lanes that could not be seen to. */
  readonly left: readonly RunLane[];
  /** They are left because the run was long enough, not for want of a slot. */
  readonly isOver: boolean;
  /** Calls that hang: once they have ended, the lanes of which more may go. Null for none. */
  readonly hanging: Promise<readonly RunLane[]> | null;
}

/** Time of one run; what is left is another's. */
const RUN_MS_MAX = 600_000;
/**
 * Where nothing ends for so long and there is nothing else to do, calls are taken to hang: sooner where none of them is of
 * a lane that goes well, and at once where all are of lanes in trouble. Messages of others wait until a handler is done.
 */
const PATIENCE_MS = { proven: 500, unknown: 50 } as const;

/** @throws Error where a call could not be settled, once all others are, or hang. */
export function runLanes(lanes: readonly RunLane[], host: RunHost): Promise<RunEnd> {
  return new Run(lanes, host).toEnd();
}

class Run {
  private readonly host: RunHost;
  private readonly ring: LaneRing;
  private readonly underWay = new Map<Promise<void>, CallTrust>();
  /** Lanes whose next call had no room beside their tenant's others. */
  private readonly cramped = new Set<RunLane>();
  private readonly failures: unknown[] = [];
  private readonly end: number;
  /** When a call was taken or ended last. */
  private movedAt: number;

  constructor(lanes: readonly RunLane[], host: RunHost) {
    this.host = host;
    this.ring = new LaneRing(lanes);
    this.movedAt = host.now();
    this.end = this.movedAt + RUN_MS_MAX;
  }

  async toEnd(): Promise<RunEnd> {
    for (;;) {
      const { blocked, isOver } = await this.takeTurns();
      if (this.underWay.size === 0) return this.ended(blocked, isOver, null);
      for (const of of blocked) this.ring.add(of);
      if (this.patienceLeft() <= 0) return this.ended([...blocked, ...this.cramped], isOver, this.goesOn());
      await this.oneEnds();
    }
  }

  /** Takes a call of each lane in turn, as long as there are slots. */
  private async takeTurns(): Promise<{ blocked: RunLane[]; isOver: boolean }> {
    const blocked: RunLane[] = [];
    let isOver = this.host.now() >= this.end;
    for (let next = this.ring.next(); next !== undefined; next = this.ring.next()) {
      isOver ||= !this.host.mayTake(this.underWay.size);
      if (isOver || (await this.take(next)) === "no-slot") blocked.push(next);
    }
    return { blocked, isOver };
  }

  private async take(of: RunLane): Promise<"done" | "no-slot"> {
    const { host } = this;
    const slot = host.slots.take(of.lane, of.troubled, host.now(), host.now() + host.slotMs);
    if (slot === null) return "no-slot";
    const isBesideOthers = this.underWay.size > 0;
    let turn: Turn | null = null;
    try {
      turn = await host.lease(of, slot);
    } catch (error) {
      this.failures.push(error);
    }
    if (turn === null) {
      slot.release(null, host.now());
      if (!slot.isWide && isBesideOthers) this.hadNoRoom(of);
      return "done";
    }
    slot.shrink(turn.bytes);
    this.movedAt = host.now();
    // What is in trouble is tried by one call; what goes well has several under way.
    if (!of.troubled && !turn.isLast) this.ring.add(of);
    const call = this.send(of, turn, slot).finally(() => this.underWay.delete(call));
    this.underWay.set(call, of.troubled ? "troubled" : slot.isProven ? "proven" : "unknown");
    return "done";
  }

  /** It comes again once a call beside it ends; all of them may have while its own was looked for. */
  private hadNoRoom(of: RunLane): void {
    if (this.underWay.size > 0) this.cramped.add(of);
    else this.ring.add(of);
  }

  private async send(of: RunLane, turn: Turn, slot: Slot): Promise<void> {
    const { troubled } = of;
    let hasPassed: boolean | null = false;
    try {
      const outcome = await turn.send();
      hasPassed = outcome.kind !== "postponed";
      if (outcome.kind === "postponed") this.ring.remove(of);
      if (outcome.kind === "freed") for (const lane of outcome.lanes) this.ring.add(lane);
      if (hasPassed && (troubled || (outcome.kind === "settled" && outcome.more))) this.ring.add(of);
    } catch (error) {
      hasPassed = null;
      this.ring.remove(of);
      this.failures.push(error);
    } finally {
      this.movedAt = this.host.now();
      slot.release(hasPassed, this.movedAt);
      for (const lane of [...this.cramped, ...this.leftByOthers(of.lane.tenant)]) this.ring.add(lane);
      this.cramped.clear();
    }
  }

  /** What may take the slot that a tenant's call gives back: its own lanes, and others' that go well and hang nobody. */
  private leftByOthers(tenant: string): RunLane[] {
    const { leftLanes, slots } = this.host;
    return leftLanes.take(this.movedAt, ({ lane, troubled }) => {
      return lane.tenant === tenant || (!troubled && slots.isProven(lane, this.movedAt));
    });
  }

  private patienceLeft(): number {
    if (!this.host.leavesHanging) return Number.POSITIVE_INFINITY;
    const trusts = [...this.underWay.values()];
    const known = (["proven", "unknown"] as const).find((one) => trusts.includes(one));
    return known === undefined ? 0 : this.movedAt + PATIENCE_MS[known] - this.host.now();
  }

  /** Resolves once a call has ended, or nothing has for too long. */
  private async oneEnds(): Promise<void> {
    const left = this.patienceLeft();
    const waits = Number.isFinite(left) ? [this.host.pause(Math.max(1, left))] : [];
    await Promise.race([...this.underWay.keys(), ...waits]);
  }

  /** The lanes of which more may go once what is under way has ended. */
  private async goesOn(): Promise<readonly RunLane[]> {
    await Promise.all(this.underWay.keys());
    const lanes: RunLane[] = [];
    for (let next = this.ring.next(); next !== undefined; next = this.ring.next()) lanes.push(next);
    this.throwFailure();
    return lanes;
  }

  /** What found no slot is left to the run that has one, as well as to a later message. */
  private ended(left: readonly RunLane[], isOver: boolean, hanging: RunEnd["hanging"]): RunEnd {
    if (hanging === null) this.throwFailure();
    if (!isOver) this.host.leftLanes.add(left, this.host.now());
    return { left, isOver, hanging };
  }

  private throwFailure(): void {
    if (this.failures.length > 0) throw new Error("a call could not be settled", { cause: this.failures[0] });
  }
}

/** How long a run that gives a slot back takes up what another left; a message comes for it then. */
const LEFT_MS = 2_000;
const LEFT_LANES_MAX = 1_000;

/** Lanes of an instance that found no slot, for the run that gives one back: nobody waits for another's promise. */
export class LeftLanes {
  private readonly lanes = new Map<string, { readonly of: RunLane; readonly until: number }>();

  add(lanes: readonly RunLane[], now: number): void {
    for (const of of lanes) {
      if (this.lanes.size < LEFT_LANES_MAX) this.lanes.set(laneKey(of.lane), { of, until: now + LEFT_MS });
    }
  }

  take(now: number, wants: (of: RunLane) => boolean): RunLane[] {
    const taken: RunLane[] = [];
    for (const [key, { of, until }] of this.lanes) {
      if (until > now && !wants(of)) continue;
      this.lanes.delete(key);
      if (until > now) taken.push(of);
    }
    return taken;
  }
}

/** Lanes by turns: the tenants', and within a tenant its lanes'. */
class LaneRing {
  private readonly tenants = new Map<string, Map<string, RunLane>>();

  constructor(lanes: readonly RunLane[]) {
    for (const of of lanes) this.add(of);
  }

  /** To the end of its tenant's; once. */
  add(of: RunLane): void {
    const lanes = this.tenants.get(of.lane.tenant) ?? new Map<string, RunLane>();
    if (!lanes.has(laneKey(of.lane))) lanes.set(laneKey(of.lane), of);
    this.tenants.set(of.lane.tenant, lanes);
  }

  remove({ lane }: RunLane): void {
    this.tenants.get(lane.tenant)?.delete(laneKey(lane));
  }

  /** The next, taken out; its tenant goes to the end. */
  next(): RunLane | undefined {
    for (const [tenant, lanes] of this.tenants) {
      this.tenants.delete(tenant);
      const [found] = lanes;
      if (found === undefined) continue;
      lanes.delete(found[0]);
      if (lanes.size > 0) this.tenants.set(tenant, lanes);
      return found[1];
    }
    return undefined;
  }
}
