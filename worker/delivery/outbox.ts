/** The D1 side of delivery: which lanes wait, which calls are fixed, who is sending them, what came of it. */

import type { CallLimits } from "../../shared/vendors/vendor.ts";
import { readCargo } from "./cargo.ts";
import type { HoldChange } from "./holds.ts";
import { type Leased, type LeaseRequest, lease } from "./leases.ts";
import * as SQL from "./outbox-sql.ts";
import { type Account, type Lane, type StreamKey, streamScopes } from "./scopes.ts";
import { settle } from "./settlements.ts";
import type { AttemptRecord, Cargo, Settlement, Shipment } from "./shipment.ts";

export type SentBatch = SQL.SentBatch;

/** A lane with pending work. */
export interface PendingLane {
  readonly lane: Lane;
  /** When something of it may be sent, milliseconds since 1970; 0 for at once. */
  readonly nextAt: number;
  /** Calls of it are fixed; of one that must wait it is not known. */
  readonly fixed: boolean;
  /** Its own calls failed, and none got through since. */
  readonly troubled: boolean;
  /** It waits, or is tried right now: for itself or for what is wider. */
  readonly waits: boolean;
  /** Another account that calls of it in doubt are bound to; null for none. */
  readonly boundTo: string | null;
}

export interface Outbox {
  /** Takes a due call, packing new ones where none is fixed. */
  lease(request: LeaseRequest, limits: CallLimits): Promise<Leased | null>;
  /** @param withEntries also where a part is a whole batch. */
  cargo(shipment: Pick<Shipment, "id" | "parts">, withEntries: boolean): Promise<Cargo[]>;
  batch(id: number): Promise<SentBatch>;
  settle(shipment: Shipment, record: AttemptRecord, settlement: Settlement, now: number): Promise<HoldChange[]>;
  /** Streams with pending work, of each tenant one before another's second. */
  pending(countMax: number): Promise<StreamKey[]>;
  /** The lanes of streams with pending work, stream by stream; those that may go first come first. */
  lanes(streams: readonly StreamAccount[], now: number): Promise<PendingLane[][]>;
  /** Of these lanes of a stream those with pending work, or that must wait. */
  namedLanes(of: StreamAccount, contexts: readonly string[], now: number): Promise<PendingLane[]>;
}

/** A stream and where it goes. */
export interface StreamAccount {
  readonly key: StreamKey;
  readonly account: Account;
}

/** Lanes of a stream that are looked at, and of them given back. */
const LANES_LOOKED_AT_MAX = 5_000;
const LANES_MAX = 200;
/** Streams looked at in one transaction: others' requests wait for it. */
const STREAMS_AT_ONCE = 10;

export function createOutbox(db: D1Database): Outbox {
  return {
    lease: (request, limits) => lease(db, request, limits),
    cargo: (shipment, withEntries) => readCargo(db, shipment, withEntries),
    async batch(id) {
      const batch = await SQL.BATCH.first(db, { id });
      if (batch === null) throw new Error(`batch ${id} is not in the ledger`);
      return batch;
    },
    settle: (shipment, record, settlement, now) => settle(db, shipment, record, settlement, now),
    async pending(count) {
      const [unpacked, open] = await db.batch([
        SQL.STREAMS_UNPACKED.bind(db, { count }),
        SQL.STREAMS_OPEN.bind(db, { count }),
      ]);
      const [some, others] = [SQL.STREAMS_UNPACKED.rows(unpacked), SQL.STREAMS_OPEN.rows(open)];
      // By turns, so that the order of each stays that of both.
      const found = Array.from({ length: Math.max(some.length, others.length) }, (_, i) => [some[i], others[i]]).flat();
      const streams = found.filter((row) => row !== undefined);
      return [...new Map(streams.map((row) => [`${row.tenant}\n${row.stream}`, row])).values()].slice(0, count);
    },
    async namedLanes({ key, account }, contexts, now) {
      const of = standingValues(key, account, now);
      const rows = await SQL.NAMED_LANES.all(db, { ...of, contexts: JSON.stringify(contexts) });
      const pending = rows.filter(({ held, fixed, unpacked }) => held > now || fixed > 0 || unpacked === 1);
      return pending.map((row) => pendingLane(key, row));
    },
    async lanes(streams, now) {
      const found: PendingLane[][] = [];
      for (let at = 0; at < streams.length; at += STREAMS_AT_ONCE) {
        const some = streams.slice(at, at + STREAMS_AT_ONCE);
        const bounds = { lanesMax: LANES_LOOKED_AT_MAX, count: LANES_MAX };
        const results = await db.batch(
          some.map(({ key, account }) => SQL.LANES.bind(db, { ...standingValues(key, account, now), ...bounds })),
        );
        found.push(...some.map(({ key }, i) => SQL.LANES.rows(results[i]).map((row) => pendingLane(key, row))));
      }
      return found;
    },
  };
}

function standingValues({ tenant, stream }: StreamKey, account: Account, now: number) {
  const { destination } = account;
  return { tenant, stream, destination, now, ...streamScopes(account, { tenant, stream }) };
}

function pendingLane({ tenant, stream }: StreamKey, row: SQL.LaneStanding): PendingLane {
  const { context, held, probing, troubled, due, fixed, unpacked, bound } = row;
  const mayPack = unpacked === 1 && (probing === 0 || fixed < SQL.PROBE_CALLS_MAX);
  const nextAt = Math.max(held, mayPack ? 0 : (due ?? 0));
  const lane = { tenant, stream, context };
  return { lane, nextAt, fixed: fixed > 0, troubled: troubled === 1, waits: probing === 1, boundTo: bound };
}
