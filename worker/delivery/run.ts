/**
 * Sends what is due of some lanes, each in its turn: of every tenant one lane before another's second, of every lane
 * one call before its next. What hangs or is refused stops its own lane and takes a slot, never another's turn.
 */
import type { Lane } from "./scopes.ts";
import type { Slot, Slots } from "./slots.ts";

export interface RunLane {
  readonly lane: Lane;
  troubled: boolean;
  /** Another account that calls of it in doubt are bound to; null for none. */
  readonly boundTo: string | null;
}

export type TurnOutcome =
  /** More of the lane may be due. */
  | { readonly kind: "settled" }
  /** Its lane, or what is wider, was tried and waits no longer: these may go now. */
  | { readonly kind: "freed"; readonly lanes: readonly RunLane[] }
  /** The lane waits. */
  | { readonly kind: "postponed" };

/** A leased call and its sending. */
export interface Turn {
  readonly bytes: number;
  send(): Promise<TurnOutcome>;
}

export interface RunHost {
  readonly now: () => number;
  readonly slots: Slots;
  /** How long a slot may be held, milliseconds. */
  readonly slotMs: number;
  /** Slots that others hold are looked for again after a while: nobody may wait for another request's promise. */
  pause(ms: number): Promise<void>;
  /** Null where nothing of the lane is due. */
  lease(of: RunLane, room: number): Promise<Turn | null>;
}

/** Calls and time of one run; what is left is another's. */
const CALLS_MAX = 800;
const RUN_MS_MAX = 600_000;
/** How often a run without a slot looks for one, and how many times before it gives up. */
const LOOK_AGAIN_MS = 20;
const LOOKS_MAX = 50;

/**
 * @returns the lanes that could not be seen to, for want of a slot or because the run was long enough.
 * @throws Error where a call could not be settled, once all others are.
 */
export async function runLanes(lanes: readonly RunLane[], host: RunHost): Promise<RunLane[]> {
  const ring = new LaneRing(lanes);
  const underWay = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const end = host.now() + RUN_MS_MAX;
  let calls = 0;
  let looks = 0;

  async function send(of: RunLane, turn: Turn, slot: Slot): Promise<void> {
    try {
      const outcome = await turn.send();
      if (outcome.kind === "postponed") ring.remove(of);
      if (outcome.kind === "freed") for (const lane of outcome.lanes) ring.add(lane);
    } catch (error) {
      ring.remove(of);
      failures.push(error);
    } finally {
      slot.release();
    }
  }

  /** Whether the lane has to come again for want of a slot. */
  async function take(of: RunLane): Promise<boolean> {
    const slot = host.slots.take(of.lane, of.troubled, host.now(), host.now() + host.slotMs);
    if (slot === null) return true;
    let turn: Turn | null = null;
    try {
      turn = await host.lease(of, slot.room);
    } catch (error) {
      failures.push(error);
    }
    if (turn === null) {
      slot.release();
      return false;
    }
    slot.shrink(turn.bytes);
    calls++;
    ring.add(of);
    const call = send(of, turn, slot).finally(() => underWay.delete(call));
    underWay.add(call);
    return false;
  }

  for (;;) {
    const blocked: RunLane[] = [];
    const isOver = calls >= CALLS_MAX || host.now() >= end;
    for (let next = ring.next(); next !== undefined; next = ring.next()) {
      if (isOver || calls >= CALLS_MAX || (await take(next))) blocked.push(next);
    }
    for (const of of blocked) ring.add(of);
    if (underWay.size === 0 && (isOver || blocked.length === 0 || ++looks > LOOKS_MAX)) {
      if (failures.length > 0) throw new Error("a call could not be settled", { cause: failures[0] });
      return blocked;
    }
    await Promise.race(blocked.length === 0 || isOver ? underWay : [...underWay, host.pause(LOOK_AGAIN_MS)]);
  }
}

function laneKey({ tenant, stream, context }: Lane): string {
  return `${tenant}\n${stream}\n${context}`;
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
