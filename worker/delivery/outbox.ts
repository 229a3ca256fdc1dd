/** The D1 side of delivery: which batches wait, which calls are fixed, who is sending them, what came of it. */

import type { CallLimits } from "../../shared/vendors/vendor.ts";
import { type LeaseRequest, lease } from "./leases.ts";
import * as SQL from "./outbox-sql.ts";
import { settle } from "./settlements.ts";
import {
  type AttemptRecord,
  type Cargo,
  partsJson,
  type Settlement,
  type Shipment,
  type StreamKey,
} from "./shipment.ts";

export type SentBatch = SQL.SentBatch;

export interface Outbox {
  /** Takes up to `count` due calls, packing new ones where too few are fixed. */
  lease(request: LeaseRequest, limits: CallLimits): Promise<Shipment[]>;
  /** @param withEntries also where a part is a whole batch. */
  cargo(shipment: Shipment, withEntries: boolean): Promise<Cargo[]>;
  batch(id: number): Promise<SentBatch>;
  settle(shipment: Shipment, record: AttemptRecord, settlement: Settlement, now: number): Promise<void>;
  /** Streams with pending work. */
  pending(countMax: number): Promise<StreamKey[]>;
  /** When something of the stream is due next; null where nothing is fixed. */
  nextDue(stream: StreamKey, scopes: LeaseRequest["scopes"]): Promise<number | null>;
}

export function createOutbox(db: D1Database): Outbox {
  return {
    lease: (request, limits) => lease(db, request, limits),
    cargo: (shipment, withEntries) => loadCargo(db, shipment, withEntries),
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
      const found = [...SQL.STREAMS_UNPACKED.rows(unpacked), ...SQL.STREAMS_OPEN.rows(open)];
      return [...new Map(found.map((row) => [`${row.tenant}\n${row.stream}`, row])).values()];
    },
    async nextDue({ tenant, stream }, [destinationScope, streamScope]) {
      const next = await SQL.NEXT_DUE.first(db, { tenant, stream, destinationScope, streamScope });
      return next === null || next.due === null ? null : Math.max(next.due, next.held ?? 0);
    },
  };
}

async function loadCargo(db: D1Database, { id, parts }: Shipment, withEntries: boolean): Promise<Cargo[]> {
  const rows = await SQL.CARGO.all(db, { parts: partsJson(parts), withEntries: withEntries ? 1 : 0 });
  return parts.map((part, i) => {
    const row = rows[i];
    if (row === undefined || rows.length !== parts.length)
      throw new Error(`shipment ${id} lacks a batch in the ledger`);
    const { producer, payload, entries, times } = row;
    return { part, producer, payload, entries, receivedAt: row.received_at, times };
  });
}
