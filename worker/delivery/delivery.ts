/**
 * Brings pending events upstream. Called by the queue for one stream and by the sweep for all; safe to run
 * twice and side by side, since every call is leased and every settlement looks for its lease.
 */

import type { ClockAndRandom } from "../../shared/clock.ts";
import type { RefusalLog } from "../../shared/intake/refusal-log.ts";
import type { Writer } from "../database/key-gate.ts";
import type { Directory } from "../destinations/directory.ts";
import type { Settings } from "../env.ts";
import { createRowId } from "../ledger/row-id.ts";
import type { Dialect } from "./dialect.ts";
import type { Fetch } from "./exchange.ts";
import { createHolds, type Holds, logHolds } from "./holds.ts";
import { createOutbox, type PendingLane } from "./outbox.ts";
import { rejectedEvent, upstreamRefusal } from "./rejected-event.ts";
import { type RunLane, runLanes, type Turn, type TurnOutcome } from "./run.ts";
import type { Lane, StreamKey } from "./scopes.ts";
import { ship } from "./ship.ts";
import type { Shipment } from "./shipment.ts";
import { Slots } from "./slots.ts";
import { createWays, type Way } from "./ways.ts";
import { type Withdrawal, withdrawLanes } from "./withdraw.ts";
import * as WITHDRAW from "./withdraw-sql.ts";

export interface DeliveryRuntime extends ClockAndRandom {
  readonly fetch: Fetch;
}

export interface DeliveryParts {
  readonly db: D1Database;
  readonly settings: Settings;
  /** Where each tenant's events go. */
  readonly directory: Directory;
  readonly runtime: DeliveryRuntime;
  readonly nudge: (tenant: string, stream: string, delaySeconds?: number) => Promise<void>;
  readonly refusals: RefusalLog;
}

export interface Delivery {
  /** Sends what is due of one stream, until nothing is. */
  deliver(stream: StreamKey): Promise<void>;
  /** Finds pending work that no message reached and delivers it; tells of what waits. */
  sweep(): Promise<void>;
  /** What waits, since when and why. */
  readonly holds: Holds;
  /**
   * Takes what waits of a tenant into quarantine, a bounded number of events a call.
   * @throws KeyEndedError where the writer's key ends; what was taken before that stays taken.
   */
  withdraw(tenant: string, filter: WithdrawFilter, writer: Writer): Promise<Withdrawal>;
}

/** What is null narrows nothing. */
export interface WithdrawFilter {
  readonly stream: string | null;
  /** As `sentIdsText` writes it. */
  readonly context: string | null;
  /** When it was received, ends inclusive: milliseconds since 1970. */
  readonly from: number | null;
  readonly to: number | null;
}

/** Streams one sweep looks at. */
const SWEEP_STREAMS_MAX = 1000;
/** A lease outlasts the call by this, so that a slow settlement is not taken for a dead sender. */
const LEASE_MARGIN_MS = 15_000;
/** What found no slot comes again after this. */
const NO_SLOT_MS = 2_000;
/** Longest delay a queue takes. */
const DELAY_SECONDS_MAX = 43_200;
export function createDelivery({ db, settings, directory, runtime, nudge, refusals }: DeliveryParts): Delivery {
  const { clock, fetch } = runtime;
  const outbox = createOutbox(db);
  const holds = createHolds(db);
  const ways = createWays(directory, fetch, clock.now);
  // Two tries at most go into a call (a fresh token), each with a token fetch before it.
  const leaseMs = 4 * settings.upstreamTimeoutMs + LEASE_MARGIN_MS;
  const host = { now: clock.now, slots: new Slots(), slotMs: leaseMs, pause, lease };

  async function lease(of: RunLane, room: number): Promise<Turn | null> {
    const own = await leaseBy(await ways.of(of.lane), of, room, false);
    if (own !== null || of.boundTo === null) return own;
    return leaseBy(await ways.to(of.lane.stream, of.boundTo), of, room, true);
  }

  async function leaseBy(way: Way | null, of: RunLane, room: number, onlyBound: boolean): Promise<Turn | null> {
    if (way === null || way.freeAt(clock.now()) > 0) return null;
    const { account } = way.dialect;
    const request = { account, lane: of.lane, now: clock.now(), leaseMs, count: 1, room, onlyBound };
    const [shipment] = await outbox.lease(request, way.limits);
    if (shipment === undefined) return null;
    way.count(clock.now());
    return { bytes: shipment.bytes, send: () => sendOne(of, shipment, way.dialect) };
  }

  async function sendOne(of: RunLane, shipment: Shipment, dialect: Dialect): Promise<TurnOutcome> {
    const cargo = await outbox.cargo(shipment, dialect.takesSingly);
    const { record, settlement: found } = await ship(shipment, cargo, dialect, settings, runtime);
    const settlement =
      found.kind === "rejected"
        ? {
            kind: "quarantined" as const,
            event: rejectedEvent(shipment.stream, found.part, await outbox.batch(found.part.batch), found.outcome),
          }
        : found;
    const changes = await outbox.settle(shipment, record, settlement, clock.now());
    logHolds(changes);
    // Under the reason that is kept with it: the upstream's own words may repeat the event.
    if (found.kind === "rejected") {
      const first = upstreamRefusal(found.outcome);
      refusals.note(shipment, {
        refused: 0,
        conflicts: 0,
        quarantined: 1,
        first: { why: first.message, code: first.code },
      });
    }
    const ended = changes.filter(({ kind }) => kind === "ended");
    if (ended.some(({ hold }) => hold.kind !== "lane")) return { kind: "freed", lanes: await readyLanes() };
    if (settlement.kind === "postponed") return { kind: "postponed" };
    of.troubled = false;
    return ended.length > 0 ? { kind: "freed", lanes: [of] } : { kind: "settled" };
  }

  /** Those with something due, of these streams or of all. */
  async function readyLanes(keys?: readonly StreamKey[]): Promise<RunLane[]> {
    const lanes = (await pendingLanes(keys ?? (await outbox.pending(SWEEP_STREAMS_MAX)))).flat();
    const now = clock.now();
    return lanes
      .filter(({ nextAt }) => nextAt <= now)
      .map(({ lane, troubled, boundTo }) => ({ lane, troubled, boundTo }));
  }

  async function pendingLanes(keys: readonly StreamKey[]): Promise<PendingLane[][]> {
    const found = await Promise.all(keys.map(async (key) => ({ key, way: await ways.of(key) })));
    const streams = found.flatMap(({ key, way }) => (way === null ? [] : [{ key, account: way.dialect.account }]));
    return outbox.lanes(streams);
  }

  /** Sends a message for each of these streams that is to come when its next call is due. */
  async function scheduleNext(keys: readonly StreamKey[], notBefore: number): Promise<void> {
    for (const lanes of await pendingLanes(keys)) {
      const [first] = lanes;
      if (first === undefined) continue;
      const { tenant, stream } = first.lane;
      const freeAt = (await ways.of(first.lane))?.freeAt(clock.now()) ?? 0;
      const due = Math.max(notBefore, freeAt, Math.min(...lanes.map(({ nextAt }) => nextAt)));
      const seconds = Math.max(1, Math.ceil((due - clock.now()) / 1000));
      await nudge(tenant, stream, Math.min(seconds, DELAY_SECONDS_MAX));
    }
  }

  async function deliver(key: StreamKey): Promise<void> {
    const left = await runLanes(await readyLanes([key]), host);
    await scheduleNext([key], left.length > 0 ? clock.now() + NO_SLOT_MS : 0);
  }

  async function withdraw(tenant: string, filter: WithdrawFilter, { apiKeyId }: Writer): Promise<Withdrawal> {
    const { stream, context, from, to } = filter;
    const found = stream === null ? await WITHDRAW.STREAMS.all(db, { tenant, count: SWEEP_STREAMS_MAX }) : [{ stream }];
    const lanes = (await pendingLanes(found.map((row) => ({ tenant, stream: row.stream })))).flat();
    const wanted = lanes.filter(({ lane, waits }) => waits && (context === null || lane.context === context));
    const waiting = (
      await Promise.all(
        wanted.map(async ({ lane }) => {
          const way = await ways.of(lane);
          return way === null ? [] : [{ lane, account: way.dialect.account, limits: way.limits }];
        }),
      )
    ).flat();
    const range = {
      from: createRowId(from ?? 0, 0),
      to: to === null ? Number.MAX_SAFE_INTEGER : createRowId(to + 1, 0) - 1,
    };
    const withdrawal = await withdrawLanes(db, waiting, range, () => ({ apiKeyId, now: clock.now() }));
    logHolds(withdrawal.ended);
    return withdrawal;
  }

  return {
    deliver,
    holds,
    withdraw,
    async sweep() {
      logHolds(await holds.due(clock.now()));
      const lanes = await readyLanes();
      await runLanes(lanes, host);
      await scheduleNext(streamsOf(lanes), clock.now() + NO_SLOT_MS);
    },
  };
}

function streamsOf(lanes: readonly RunLane[]): Lane[] {
  return [...new Map(lanes.map(({ lane }) => [`${lane.tenant}\n${lane.stream}`, lane])).values()];
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
