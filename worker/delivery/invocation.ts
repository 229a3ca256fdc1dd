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
import type { Leased } from "./leases.ts";
import { createOutbox, type PendingLane } from "./outbox.ts";
import { rejectedEvent, upstreamRefusal } from "./rejected-event.ts";
import {
  type LeftLanes,
  type RunEnd,
  type RunHost,
  type RunLane,
  runLanes,
  type Turn,
  type TurnOutcome,
} from "./run.ts";
import type { StreamKey } from "./scopes.ts";
import { type Shipping, ship } from "./ship.ts";
import type { Settlement, Shipment } from "./shipment.ts";
import type { Slot, Slots } from "./slots.ts";
import type { Way, Ways } from "./ways.ts";

/** Takes what goes on after an invocation's own work is done: `waitUntil`. */
export type HandOver = (rest: Promise<void>) => void;

export interface InvocationParts {
  /** Of the whole invocation, whatever else it does. */
  readonly budget: StatementBudget;
  readonly settings: Settings;
  readonly ways: Ways;
  readonly slots: Slots;
  readonly leftLanes: LeftLanes;
  readonly runtime: ClockAndRandom;
  readonly nudge: (tenant: string, stream: string, delaySeconds?: number) => Promise<void>;
  readonly refusals: RefusalLog;
  /** Null: it waits for all of its calls itself. */
  readonly handOver: HandOver | null;
}

export interface Invocation {
  /** Streams with pending work, of each tenant one before another's second. */
  pendingStreams(countMax: number): Promise<StreamKey[]>;
  /** Lanes with something due, of these streams. */
  readyLanes(keys: readonly StreamKey[]): Promise<RunLane[]>;
  /** The same of one stream, or of some lanes of it; the others come again when they are due. */
  lanesOf(of: Wanted): Promise<RunLane[]>;
  pendingLanes(keys: readonly StreamKey[]): Promise<PendingLane[][]>;
  /** Sends what is due of lanes, and has what is left of them come again. */
  send(lanes: readonly RunLane[]): Promise<void>;
}

/** What there may be work of: a stream, or only these lanes of it. */
export interface Wanted extends StreamKey {
  readonly contexts?: readonly string[];
}

/** At most these go into leasing a call, and into all that follows of it. */
const LEASE_STATEMENTS_MAX = 14;
const CALL_STATEMENTS_MAX = 10;
/** Streams, each two statements at most, that a call which frees others looks at. */
const FREED_STREAMS_MAX = 50;
/** Messages that an invocation sends about what it left; the sweep finds the rest. */
const NUDGES_MAX = 100;
/**
 * Calls fixed in one packing, about. Of a lane that nothing has got through lately a few: what else of it there is may
 * have to wait, and then leaves in few full calls.
 */
const PACK_CALLS_MAX = { proven: 200, unproven: 4 } as const;
/** A lease outlasts the call by this, so that a slow settlement is not taken for a dead sender. */
const LEASE_MARGIN_MS = 15_000;
/** What found no slot comes again after this. */
const NO_SLOT_MS = 1_000;
/** Longest delay a queue takes. */
const DELAY_SECONDS_MAX = 43_200;

/** What an invocation takes at least: it is found which lanes wait, and one call is made. */
export const LEAST_STATEMENTS = 6 + LEASE_STATEMENTS_MAX + CALL_STATEMENTS_MAX;

export function createInvocation(parts: InvocationParts): Invocation {
  const { budget, settings, ways, slots, leftLanes, runtime, nudge, refusals, handOver } = parts;
  const { db } = budget;
  const { clock } = runtime;
  const outbox = createOutbox(db);
  const patient = { random: runtime.random, pause: pauseFor };
  // Two tries at most go into a call (a fresh token), each with a token fetch before it.
  const leaseMs = 4 * settings.upstreamTimeoutMs + LEASE_MARGIN_MS;
  const host: RunHost = {
    ...{ now: clock.now, slots, leftLanes, slotMs: leaseMs, pause: pauseFor, lease },
    mayTake: () => budget.has(LEASE_STATEMENTS_MAX + CALL_STATEMENTS_MAX),
    leavesHanging: handOver !== null,
  };
  /** When streams that were looked at are due again. */
  const due = new Map<string, { readonly key: StreamKey; readonly at: number }>();

  async function lease(of: RunLane, slot: Pick<Slot, "room" | "isProven">): Promise<Turn | null> {
    const own = await leaseBy(await ways.of(of.lane, db), of, slot, false);
    if (own !== null || of.boundTo === null) return own;
    return leaseBy(await ways.to(of.lane.stream, of.boundTo, db), of, slot, true);
  }

  async function leaseBy(
    way: Way | null,
    of: RunLane,
    { room, isProven }: Pick<Slot, "room" | "isProven">,
    onlyBound: boolean,
  ): Promise<Turn | null> {
    if (way === null) return null;
    const freeAt = way.freeAt(clock.now());
    if (freeAt > 0) {
      isDue(of.lane, freeAt);
      return null;
    }
    const { account, takesSingly } = way.dialect;
    const leasing = budget.setAside(LEASE_STATEMENTS_MAX);
    const leased = await outbox
      .lease(
        {
          ...{ account, lane: of.lane, now: clock.now(), leaseMs, room, onlyBound, fixed: of.fixed },
          ...{ withEntries: takesSingly, callsMax: PACK_CALLS_MAX[isProven ? "proven" : "unproven"] },
        },
        way.limits,
      )
      .finally(leasing);
    if (leased === null) return null;
    const { shipment, isLast } = leased;
    of.fixed = !isLast;
    way.count(clock.now());
    const settled = budget.setAside(CALL_STATEMENTS_MAX);
    const send = () => sendOne(of, leased, way.dialect).finally(settled);
    return { bytes: shipment.bytes, isLast, send };
  }

  async function sendOne(of: RunLane, leased: Leased, dialect: Dialect): Promise<TurnOutcome> {
    const { shipment } = leased;
    const read = () => outbox.cargo(shipment, dialect.takesSingly);
    const cargo = leased.cargo ?? (await repeated(read, READ_REPEATS, patient));
    const { record, settlement: found } = await ship(shipment, cargo, dialect, settings, runtime);
    const settlement = await complete(shipment, found);
    // The call was made: that one settlement failed is no reason to make it again. A settlement after the commit does nothing.
    const settle = () => outbox.settle(shipment, record, settlement, clock.now());
    const changes = await repeated(settle, SETTLE_REPEATS, patient);
    logHolds(changes);
    if (found.kind === "rejected") noteRefusal(shipment, found.outcome);
    const ended = changes.filter(({ kind }) => kind === "ended");
    if (ended.some(({ hold }) => hold.kind !== "lane")) return { kind: "freed", lanes: await freedLanes(of) };
    if (settlement.kind === "postponed") {
      isDue(of.lane, settlement.hold.until);
      return { kind: "postponed" };
    }
    of.troubled = false;
    // A closing item is due once the others of its group are settled.
    const more = settlement.kind === "split" || shipment.stream === "persist";
    of.fixed ||= more || ended.length > 0;
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
    of.fixed = true;
    if (!budget.has(2 + 2 * FREED_STREAMS_MAX)) return [of];
    return readyLanes(await outbox.pending(FREED_STREAMS_MAX));
  }

  async function readyLanes(keys: readonly StreamKey[]): Promise<RunLane[]> {
    return readyOf((await pendingLanes(keys)).flat());
  }

  function readyOf(lanes: readonly PendingLane[]): RunLane[] {
    const now = clock.now();
    return lanes
      .filter(({ nextAt }) => nextAt <= now)
      .map(({ lane, troubled, fixed, boundTo }) => ({ lane, troubled, fixed, boundTo }));
  }

  async function lanesOf({ contexts, ...key }: Wanted): Promise<RunLane[]> {
    const way = await ways.of(key, db);
    if (way === null) return [];
    const of = { key, account: way.dialect.account };
    const now = clock.now();
    const lanes =
      contexts === undefined ? (await outbox.lanes([of], now)).flat() : await outbox.namedLanes(of, contexts, now);
    for (const { nextAt } of lanes) if (nextAt > now) isDue(key, nextAt);
    return readyOf(lanes);
  }

  async function pendingLanes(keys: readonly StreamKey[]): Promise<PendingLane[][]> {
    const found = await Promise.all(keys.map(async (key) => ({ key, way: await ways.of(key, db) })));
    const streams = found.flatMap(({ key, way }) => (way === null ? [] : [{ key, account: way.dialect.account }]));
    return outbox.lanes(streams, clock.now());
  }

  function isDue({ tenant, stream }: StreamKey, at: number): void {
    const text = streamKeyText({ tenant, stream });
    const known = due.get(text);
    if (known === undefined || at < known.at) due.set(text, { key: { tenant, stream }, at });
  }

  async function wakeDue(): Promise<void> {
    const waiting = [...due.values()].slice(0, NUDGES_MAX);
    due.clear();
    for (const { key, at } of waiting) {
      const seconds = Math.max(1, Math.ceil((at - clock.now()) / 1000));
      await nudge(key.tenant, key.stream, Math.min(seconds, DELAY_SECONDS_MAX));
    }
  }

  /** What is left comes at once where only this invocation is over, else when a slot may be free. */
  async function comeAgain({ left, isOver }: RunEnd): Promise<void> {
    for (const key of streamsOf(left).slice(0, NUDGES_MAX)) {
      if (isOver) await nudge(key.tenant, key.stream, 0);
      else isDue(key, clock.now() + NO_SLOT_MS);
    }
    await wakeDue();
  }

  async function onceEnded(hanging: Promise<readonly RunLane[]>): Promise<void> {
    for (const { tenant, stream } of streamsOf(await hanging)) await nudge(tenant, stream, 0);
    await wakeDue();
  }

  return {
    pendingStreams: (countMax) => outbox.pending(countMax),
    readyLanes,
    lanesOf,
    pendingLanes,
    async send(lanes) {
      const end = await runLanes(lanes, host);
      if (end.hanging !== null) handOver?.(onceEnded(end.hanging));
      await comeAgain(end);
    },
  };
}

function streamKeyText({ tenant, stream }: StreamKey): string {
  return `${tenant}\n${stream}`;
}

function streamsOf(lanes: readonly RunLane[]): StreamKey[] {
  return [...new Map(lanes.map(({ lane }) => [streamKeyText(lane), lane])).values()];
}
