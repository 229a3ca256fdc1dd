/**
 * What waits in each stream, and which of it may go. A lane is what waits together: events of one stream with the same
 * ids headers. Lanes share their stream's positions, so one that is held is stepped over where the log is read.
 */
import type { Log } from "../buffer/log.ts";
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import { type Scope, scopeText } from "../buffer/tables/scope.ts";
import type { Clock } from "../runtime/clock.ts";
import type { LaneWait } from "./call.ts";
import { type Backlog, isFull, type Lane, newLane, nothingHeld, waiting } from "./lane.ts";
import type { LaneLog } from "./lane-log.ts";
import type { UploadSettings } from "./settings.ts";

export type Picked =
  /** `probe`: of this lane alone, though it is held. */
  | { readonly kind: "send"; readonly backlog: Backlog; readonly probe: Lane | null }
  | { readonly kind: "rest"; readonly untilTick: number };

export interface Lanes {
  /** Something of a stream may wait now. */
  notice(stream: string): void;
  /** Positions of a stream wait again, or no longer: it is read from its beginning. */
  readAnew(stream: string): void;
  /** What may be sent now; else when something may. */
  pick(): Picked;
  /** Nothing of a lane goes for as long as it waits, then one shipment. */
  hold(backlog: Backlog, scope: Scope, reason: QuarantineReason, wait: LaneWait): void;
  /** A shipment backs off by itself, beside others; false where so many do that it had better be given back. */
  backOff(backlog: Backlog, scope: Scope, reason: QuarantineReason): boolean;
  /** One that backed off has come to its end. */
  backedOff(backlog: Backlog, scope: Scope): void;
  /** Calls of a lane go through, or none of it waits any more. */
  release(backlog: Backlog, scope: Scope): void;
  /** Has every lane tried now. */
  probe(): void;
  backlog(stream: string): Backlog | null;
  all(): Iterable<Lane>;
  /** Tells the log of lanes that still wait. @returns when it has to again. */
  remind(): number;
}

export interface LanesOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly settings: () => UploadSettings;
  readonly laneLog: LaneLog;
  readonly isDelivered: (stream: string) => boolean;
  /** The wait of a lane that was held so many times for passing trouble. */
  readonly backoffMs: (failures: number) => number;
  /** There is something to pick. */
  readonly onReady: () => void;
}

/** Shipments over all lanes that back off, each with its events in memory. */
const BACKING_OFF_MAX = 32;

/** Lanes that are held one by one; of a stream with more of them all waits, so that what is kept of them is bounded. */
export const LANES_MAX = 1000;

export function createLanes(options: LanesOptions): Lanes {
  const { log, clock, settings, laneLog } = options;
  const backlogs = new Map<string, Backlog>();
  let backingOff = 0;

  const open = (stream: string): Backlog => {
    const known = backlogs.get(stream);
    if (known !== undefined) return known;
    const backlog: Backlog = { stream, inFlight: [], dueAt: null, lanes: new Map(), held: nothingHeld() };
    backlogs.set(stream, backlog);
    return backlog;
  };
  const laneOf = (backlog: Backlog, scope: Scope, reason: QuarantineReason): Lane => {
    const key = scopeText(scope);
    const lane = backlog.lanes.get(key) ?? newLane(backlog.stream, scope, reason, clock.tick());
    lane.reason = reason;
    backlog.lanes.set(key, lane);
    return lane;
  };
  const forgetWhereWell = (backlog: Backlog, lane: Lane): void => {
    if (lane.heldUntil !== null || lane.backingOff > 0) return;
    backlog.lanes.delete(scopeText(lane.scope));
    laneLog.ended(lane);
  };
  const laneIn = (backlog: Backlog, scope: Scope) => backlog.lanes.get(scopeText(scope));
  const all = function* (): Iterable<Lane> {
    for (const backlog of backlogs.values()) yield* backlog.lanes.values();
  };

  return {
    notice(stream) {
      const ledger = log.stream(stream);
      if (ledger === null || ledger.pending === 0 || !options.isDelivered(stream)) return;
      const backlog = open(stream);
      if (backlog.dueAt !== null && !isFull(ledger, backlog, settings())) return;
      if (waiting(ledger, backlog) <= 0) return;
      backlog.dueAt ??= clock.tick() + settings().lingerMs;
      options.onReady();
    },
    readAnew(stream) {
      const backlog = backlogs.get(stream);
      if (backlog !== undefined) backlog.held = nothingHeld();
    },
    pick() {
      const picked = pickFrom([...backlogs.values()], log, clock.tick(), settings());
      if (picked.kind === "send") {
        // Round robin: the stream that is served goes to the end.
        backlogs.delete(picked.backlog.stream);
        backlogs.set(picked.backlog.stream, picked.backlog);
      }
      return picked;
    },
    hold(backlog, scope, reason, wait) {
      const lane = laneOf(backlog, scope, reason);
      const ms = wait.kind === "refused" ? wait.probeMs : Math.max(wait.atLeastMs, options.backoffMs(++lane.failures));
      if (lane.heldUntil === null) backlog.held = nothingHeld();
      lane.heldUntil = clock.tick() + ms;
      // Passing trouble is told of once it has lasted.
      if (wait.kind === "refused") laneLog.began(lane, ms);
      else lane.remindAt ??= clock.tick() + laneLog.everyMs;
    },
    backOff(backlog, scope, reason) {
      const most = Math.max(1, settings().concurrency - 1);
      if (backingOff >= BACKING_OFF_MAX || (laneIn(backlog, scope)?.backingOff ?? 0) >= most) return false;
      const lane = laneOf(backlog, scope, reason);
      lane.remindAt ??= clock.tick() + laneLog.everyMs;
      lane.backingOff++;
      backingOff++;
      return true;
    },
    backedOff(backlog, scope) {
      const lane = laneIn(backlog, scope);
      if (lane === undefined) return;
      lane.backingOff--;
      backingOff--;
      forgetWhereWell(backlog, lane);
    },
    release(backlog, scope) {
      const lane = laneIn(backlog, scope);
      if (lane === undefined || lane.heldUntil === null) return;
      lane.heldUntil = null;
      lane.isWithdrawn = false;
      lane.failures = 0;
      backlog.held = nothingHeld();
      backlog.dueAt = clock.tick();
      forgetWhereWell(backlog, lane);
      options.onReady();
    },
    probe() {
      for (const lane of all()) if (lane.heldUntil !== null) lane.heldUntil = 0;
      options.onReady();
    },
    backlog: (stream) => backlogs.get(stream) ?? null,
    all,
    remind() {
      let next = Number.POSITIVE_INFINITY;
      for (const lane of all()) next = Math.min(next, laneLog.remind(lane));
      return next;
    },
  };
}

function pickFrom(backlogs: readonly Backlog[], log: Log, now: number, settings: UploadSettings): Picked {
  let untilTick = Number.POSITIVE_INFINITY;
  // However many lanes are tried, what goes well keeps half of the calls.
  const probes = backlogs.reduce((sum, { inFlight }) => sum + inFlight.filter(({ isProbe }) => isProbe).length, 0);
  const mayProbe = probes < Math.max(1, Math.floor(settings.concurrency / 2));
  for (const backlog of backlogs) {
    const probe = dueProbe(backlog, now);
    if (probe.lane !== null && mayProbe) return { kind: "send", backlog, probe: probe.lane };
    untilTick = Math.min(untilTick, probe.untilTick);
    const ledger = log.stream(backlog.stream);
    if (ledger === null || backlog.dueAt === null || waiting(ledger, backlog) <= 0) continue;
    if (backlog.lanes.size > LANES_MAX) continue;
    if (backlog.dueAt <= now || isFull(ledger, backlog, settings)) return { kind: "send", backlog, probe: null };
    untilTick = Math.min(untilTick, backlog.dueAt);
  }
  return { kind: "rest", untilTick };
}

/** The lane to be tried now, one shipment at a time; else when the next one is. */
function dueProbe({ lanes, inFlight }: Backlog, now: number): { lane: Lane | null; untilTick: number } {
  let untilTick = Number.POSITIVE_INFINITY;
  for (const [key, lane] of lanes) {
    if (lane.heldUntil === null || lane.isWithdrawn) continue;
    if (inFlight.some(({ isProbe, scope }) => isProbe && scope === key)) continue;
    if (lane.heldUntil <= now) return { lane, untilTick };
    untilTick = Math.min(untilTick, lane.heldUntil);
  }
  return { lane: null, untilTick };
}
