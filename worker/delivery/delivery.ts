/**
 * Brings pending events upstream. Called by the queue for one stream and by the sweep for all; safe to run
 * twice and side by side, since every call is leased and every settlement looks for its lease.
 */

import type { ClockAndRandom } from "../../shared/clock.ts";
import type { CallLimits } from "../../shared/vendors/vendor.ts";
import { UPSTREAM_NAMES, UPSTREAMS } from "../../shared/vendors/vendors.ts";
import type { Settings } from "../env.ts";
import { entrySpans } from "../ledger/entries.ts";
import { storedEventId } from "../ledger/stored-event.ts";
import type { CallOutcome, Dialect } from "./dialect.ts";
import type { Fetch } from "./exchange.ts";
import { createOutbox, type Outbox, type SentBatch } from "./outbox.ts";
import type { Part } from "./pack.ts";
import { type Shipping, ship, streamScope } from "./ship.ts";
import type { QuarantinedEvent, Settlement, Shipment, StreamKey } from "./shipment.ts";
import { createUpstream } from "./upstream.ts";

export interface DeliveryRuntime extends ClockAndRandom {
  readonly fetch: Fetch;
}

export interface DeliveryParts {
  readonly db: D1Database;
  readonly settings: Settings;
  readonly runtime: DeliveryRuntime;
  readonly nudge: (tenant: string, stream: string, delaySeconds?: number) => Promise<void>;
}

export interface Delivery {
  /** Sends what is due of one stream, until nothing is or the upstream asks for patience. */
  deliver(stream: StreamKey): Promise<void>;
  /** Finds pending work that no message reached and delivers it. */
  sweep(): Promise<void>;
}

/** Calls of one stream under way at once; a Worker may hold six connections. */
const CALLS_AT_ONCE = 4;
/** Rounds of one run; what is left gets a nudge, so that no run lasts for ever. */
const ROUNDS_MAX = 200;
/** Streams one sweep looks at. */
const SWEEP_STREAMS_MAX = 1000;
/** A lease outlasts the call by this, so that a slow settlement is not taken for a dead sender. */
const LEASE_MARGIN_MS = 15_000;
/** Longest delay a queue takes. */
const DELAY_SECONDS_MAX = 43_200;

export function createDelivery({ db, settings, runtime, nudge }: DeliveryParts): Delivery {
  const { clock, fetch } = runtime;
  const outbox = createOutbox(db);
  const dialects = upstreamsOf(settings, fetch, clock.now);

  async function deliver(key: StreamKey): Promise<void> {
    const [dialect, limits] = dialectOf(key.stream, dialects) ?? [];
    if (dialect === undefined || limits === undefined) return;
    const scopes = [dialect.name, streamScope(dialect, key)] as const;
    for (let round = 0; round < ROUNDS_MAX; round++) {
      // Two tries at most go into a call (a fresh token), each with a token fetch before it.
      const leaseMs = 4 * settings.upstreamTimeoutMs + LEASE_MARGIN_MS;
      const request = { ...key, now: clock.now(), leaseMs, count: CALLS_AT_ONCE, scopes };
      const shipments = await outbox.lease(request, limits);
      if (shipments.length === 0) return scheduleNext(key, scopes);
      const settled = await Promise.all(shipments.map((shipment) => shipOne(shipment, dialect)));
      if (settled.some((kind) => kind === "postponed")) return scheduleNext(key, scopes);
    }
    await nudge(key.tenant, key.stream);
  }

  async function shipOne(shipment: Shipment, dialect: Dialect): Promise<Settlement["kind"]> {
    const cargo = await outbox.cargo(shipment, dialect.takesSingly);
    const shipping = await ship(shipment, cargo, dialect, settings, runtime);
    const settlement = await settlementOf(shipping, shipment, outbox);
    await outbox.settle(shipment, shipping.record, settlement, clock.now());
    return settlement.kind;
  }

  async function scheduleNext(key: StreamKey, scopes: readonly [string, string]): Promise<void> {
    const due = await outbox.nextDue(key, scopes);
    if (due === null) return;
    const seconds = Math.max(1, Math.ceil((due - clock.now()) / 1000));
    await nudge(key.tenant, key.stream, Math.min(seconds, DELAY_SECONDS_MAX));
  }

  return {
    deliver,
    async sweep() {
      const streams = await outbox.pending(SWEEP_STREAMS_MAX);
      const results = await Promise.allSettled(streams.map(deliver));
      const failed = results.find((result) => result.status === "rejected");
      if (failed !== undefined) throw new Error("a stream could not be swept", { cause: failed.reason });
    },
  };
}

/** Those that have a base URL. */
function upstreamsOf(settings: Settings, fetch: Fetch, now: () => number): Dialect[] {
  return UPSTREAM_NAMES.flatMap((name) => {
    const { baseUrl } = settings.upstreams[name];
    if (baseUrl === null) return [];
    return [createUpstream(UPSTREAMS[name], { settings: { ...settings.upstreams[name], baseUrl }, fetch, now })];
  });
}

/** The first that takes a stream, and what one call of it may carry. */
function dialectOf(stream: string, dialects: readonly Dialect[]): [Dialect, CallLimits] | null {
  for (const dialect of dialects) {
    const limits = dialect.limitsOf(stream);
    if (limits !== null) return [dialect, limits];
  }
  return null;
}

async function settlementOf(shipping: Shipping, shipment: Shipment, outbox: Outbox): Promise<Settlement> {
  const { settlement } = shipping;
  if (settlement.kind !== "rejected") return settlement;
  const row = await outbox.batch(settlement.part.batch);
  return { kind: "quarantined", event: rejectedEvent(shipment.stream, settlement.part, row, settlement.outcome) };
}

/** The one event of a call that the upstream refuses, with its id and the response's text. */
function rejectedEvent(stream: string, part: Part, row: SentBatch, outcome: CallOutcome): QuarantinedEvent {
  const spans = entrySpans(row.entries);
  const entry = spans.findIndex((span, i) => i >= part.from && i <= part.to && span.end > span.start);
  const span = spans[entry];
  if (span === undefined) throw new Error(`batch ${part.batch} has no event between ${part.from} and ${part.to}`);
  const event = row.payload.slice(span.start, span.end);
  const status = outcome.response.kind === "answer" ? outcome.response.status : 0;
  const reasons = [{ code: status, message: `the upstream refused the event with ${status}` }];
  return {
    producer: row.producer ?? "",
    batch: row.origin_batch ?? part.batch,
    entry: row.origin_entry ?? entry,
    eventId: row.origin_id ?? storedEventId(stream, row, entry, span.index, event),
    event,
    reasons: JSON.stringify(reasons),
    upstream: outcome.text,
  };
}
