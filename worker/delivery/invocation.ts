/**
 * One invocation's part in delivery: it takes calls within its bounds, sends them, and has what is left come again. It
 * waits for no call that hangs: that is settled behind its back.
 */
import type { ClockAndRandom } from "../../shared/clock.ts";
import type { RefusalLog } from "../../shared/intake/refusal-log.ts";
import type { StatementBudget } from "../database/statement-budget.ts";
import type { Settings } from "../env.ts";
import { pauseFor, READ_REPEATS, repeated, SETTLE_REPEATS } from "../repeat.ts";
import type { CallOutcome, Dialect } from "./dialect.ts";
import { logHolds } from "./holds.ts";
import { createOutbox, type PendingLane } from "./outbox.ts";
import { rejectedEvent, upstreamRefusal } from "./rejected-event.ts";
import { type RunEnd, type RunHost, type RunLane, runLanes, type Turn, type TurnOutcome } from "./run.ts";
import type { StreamKey } from "./scopes.ts";
import { type Shipping, ship } from "./ship.ts";
import type { Settlement, Shipment } from "./shipment.ts";
import type { Slots } from "./slots.ts";
import type { Way, Ways } from "./ways.ts";

/** Takes what goes on after an invocation's own work is done: `waitUntil`. */
export type HandOver = (rest: Promise<void>) => void;

export interface InvocationParts {
  /** Of the whole invocation, whatever else it does. */
  readonly budget: StatementBudget;
  readonly settings: Settings;
  readonly ways: Ways;
  readonly slots: Slots;
  readonly runtime: ClockAndRandom;
  readonly nudge: (tenant: string, stream: string, delaySeconds?: number) => Promise<void>;
  readonly refusals: RefusalLog;
  /** Null: it waits for all of its calls itself. */
  readonly handOver: HandOver | null;
  /** Streams that it looks at once its calls are made; the sweep finds the others. */
  readonly endedStreamsMax: number;
}

export interface Invocation {
  /** Streams with pending work, of each tenant one before another's second. */
  pendingStreams(countMax: number): Promise<StreamKey[]>;
  /** Lanes with something due, of these streams. */
  readyLanes(keys: readonly StreamKey[]): Promise<RunLane[]>;
  pendingLanes(keys: readonly StreamKey[]): Promise<PendingLane[][]>;
  /** Sends what is due of lanes, and has what is left of them, and of these streams, come again. */
  send(lanes: readonly RunLane[], keys: readonly StreamKey[]): Promise<void>;
}

/** At most these go into leasing a call, and into all that follows of it. */
const LEASE_STATEMENTS_MAX = 14;
const CALL_STATEMENTS_MAX = 10;
/** Streams, each two statements at most, that a call which frees others looks at. */
const FREED_STREAMS_MAX = 50;
/** Messages that an invocation sends about what it left; the sweep finds the rest. */
const NUDGES_MAX = 100;
/** Where nothing ends for so long and there is nothing else to do, calls are taken to hang. */
const HANGS_AFTER_MS = 500;
/** A lease outlasts the call by this, so that a slow settlement is not taken for a dead sender. */
const LEASE_MARGIN_MS = 15_000;
/** What found no slot comes again after this. */
const NO_SLOT_MS = 2_000;
/** Longest delay a queue takes. */
const DELAY_SECONDS_MAX = 43_200;

/** What an invocation takes to look at streams once its calls are made. */
export function endStatements(streams: number): number {
  return 2 * streams + END_MARGIN;
}
const END_MARGIN = 4;

export function createInvocation(parts: InvocationParts): Invocation {
  const { budget, settings, ways, slots, runtime, nudge, refusals, handOver, endedStreamsMax } = parts;
  const { db } = budget;
  const { clock } = runtime;
  const outbox = createOutbox(db);
  const patient = { random: runtime.random, pause: pauseFor };
  // Two tries at most go into a call (a fresh token), each with a token fetch before it.
  const leaseMs = 4 * settings.upstreamTimeoutMs + LEASE_MARGIN_MS;
  const host: RunHost = {
    ...{ now: clock.now, slots, slotMs: leaseMs, pause: pauseFor, lease },
    mayTake: () => budget.has(LEASE_STATEMENTS_MAX + CALL_STATEMENTS_MAX),
    patienceMs: handOver === null ? Number.POSITIVE_INFINITY : HANGS_AFTER_MS,
  };

  async function lease(of: RunLane, room: number): Promise<Turn | null> {
    const own = await leaseBy(await ways.of(of.lane, db), of, room, false);
    if (own !== null || of.boundTo === null) return own;
    return leaseBy(await ways.to(of.lane.stream, of.boundTo, db), of, room, true);
  }

  async function leaseBy(way: Way | null, of: RunLane, room: number, onlyBound: boolean): Promise<Turn | null> {
    if (way === null || way.freeAt(clock.now()) > 0) return null;
    const { account } = way.dialect;
    const request = { account, lane: of.lane, now: clock.now(), leaseMs, room, onlyBound };
    const leasing = budget.setAside(LEASE_STATEMENTS_MAX);
    const leased = await outbox.lease(request, way.limits).finally(leasing);
    if (leased === null) return null;
    const { shipment, isLast } = leased;
    way.count(clock.now());
    const settled = budget.setAside(CALL_STATEMENTS_MAX);
    const send = () => sendOne(of, shipment, way.dialect).finally(settled);
    return { bytes: shipment.bytes, isLast, send };
  }

  async function sendOne(of: RunLane, shipment: Shipment, dialect: Dialect): Promise<TurnOutcome> {
    const cargo = await repeated(() => outbox.cargo(shipment, dialect.takesSingly), READ_REPEATS, patient);
    const { record, settlement: found } = await ship(shipment, cargo, dialect, settings, runtime);
    const settlement = await complete(shipment, found);
    // The call was made: that one settlement failed is no reason to make it again. A settlement after the commit does nothing.
    const settle = () => outbox.settle(shipment, record, settlement, clock.now());
    const changes = await repeated(settle, SETTLE_REPEATS, patient);
    logHolds(changes);
    if (found.kind === "rejected") noteRefusal(shipment, found.outcome);
    const ended = changes.filter(({ kind }) => kind === "ended");
    if (ended.some(({ hold }) => hold.kind !== "lane")) return { kind: "freed", lanes: await freedLanes(of) };
    if (settlement.kind === "postponed") return { kind: "postponed" };
    of.troubled = false;
    // A closing item is due once the others of its group are settled.
    const more = settlement.kind === "split" || shipment.stream === "persist";
    return ended.length > 0 ? { kind: "freed", lanes: [of] } : { kind: "settled", more };
  }

  async function complete(shipment: Shipment, found: Shipping["settlement"]): Promise<Settlement> {
    if (found.kind !== "rejected") return found;
    const { part, outcome } = found;
    const batch = await repeated(() => outbox.batch(part.batch), SETTLE_REPEATS, patient);
    const event = rejectedEvent(shipment.stream, part, batch, outcome);
    return { kind: "quarantined", event };
  }

  /** Under the reason that is kept with it: the upstream's own words may repeat the event. */
  function noteRefusal(shipment: Shipment, outcome: CallOutcome): void {
    const { message, code } = upstreamRefusal(outcome);
    refusals.note(shipment, { refused: 0, conflicts: 0, quarantined: 1, first: { why: message, code } });
  }

  /** What waited for the same destination or credentials; the others of it come by their own messages. */
  async function freedLanes(of: RunLane): Promise<RunLane[]> {
    if (!budget.has(2 + 2 * FREED_STREAMS_MAX)) return [of];
    return readyLanes(await outbox.pending(FREED_STREAMS_MAX));
  }

  async function readyLanes(keys: readonly StreamKey[]): Promise<RunLane[]> {
    const lanes = (await pendingLanes(keys)).flat();
    const now = clock.now();
    return lanes
      .filter(({ nextAt }) => nextAt <= now)
      .map(({ lane, troubled, boundTo }) => ({ lane, troubled, boundTo }));
  }

  async function pendingLanes(keys: readonly StreamKey[]): Promise<PendingLane[][]> {
    const found = await Promise.all(keys.map(async (key) => ({ key, way: await ways.of(key, db) })));
    const streams = found.flatMap(({ key, way }) => (way === null ? [] : [{ key, account: way.dialect.account }]));
    return outbox.lanes(streams);
  }

  /** Sends a message for each of these streams that is to come when its next call is due. */
  async function scheduleNext(keys: readonly StreamKey[], notBefore: number): Promise<void> {
    for (const lanes of await pendingLanes(keys)) {
      const [first] = lanes;
      if (first === undefined) continue;
      const { tenant, stream } = first.lane;
      const freeAt = (await ways.of(first.lane, db))?.freeAt(clock.now()) ?? 0;
      const due = Math.max(notBefore, freeAt, Math.min(...lanes.map(({ nextAt }) => nextAt)));
      const seconds = Math.max(1, Math.ceil((due - clock.now()) / 1000));
      await nudge(tenant, stream, Math.min(seconds, DELAY_SECONDS_MAX));
    }
  }

  /** What is left comes at once where only this invocation is over, else when a slot may be free. */
  async function comeAgain({ left, isOver, tried }: RunEnd, keys: readonly StreamKey[]): Promise<void> {
    const leftStreams = streamsOf(left).slice(0, NUDGES_MAX);
    for (const { tenant, stream } of leftStreams) await nudge(tenant, stream, isOver ? 0 : NO_SLOT_MS / 1000);
    const isLeft = new Set(leftStreams.map(streamKeyText));
    const others = distinct([...keys, ...streamsOf(tried)]).filter((key) => !isLeft.has(streamKeyText(key)));
    await scheduleNext(others.slice(0, endedStreamsMax), 0);
  }

  async function onceEnded(hanging: Promise<readonly RunLane[]>): Promise<void> {
    for (const { tenant, stream } of streamsOf(await hanging)) await nudge(tenant, stream, 0);
  }

  return {
    pendingStreams: (countMax) => outbox.pending(countMax),
    readyLanes,
    pendingLanes,
    async send(lanes, keys) {
      const ending = budget.setAside(endStatements(endedStreamsMax));
      const end = await runLanes(lanes, host).finally(ending);
      if (end.hanging !== null) handOver?.(onceEnded(end.hanging));
      await comeAgain(end, keys);
    },
  };
}

function streamKeyText({ tenant, stream }: StreamKey): string {
  return `${tenant}\n${stream}`;
}

function distinct(keys: readonly StreamKey[]): StreamKey[] {
  return [...new Map(keys.map((key) => [streamKeyText(key), key])).values()];
}

function streamsOf(lanes: readonly RunLane[]): StreamKey[] {
  return distinct(lanes.map(({ lane }) => lane));
}
