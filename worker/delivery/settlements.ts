/**
 * Writes down what came of an attempt: one transaction whose statements look for the attempt's own lease, so that no
 * sender that came late counts it twice.
 */
import { type HoldChange, holdStatements } from "./holds.ts";
import * as SQL from "./outbox-sql.ts";
import type { Part } from "./pack.ts";
import { type AttemptRecord, partsJson, type QuarantinedEvent, type Settlement, type Shipment } from "./shipment.ts";

/** @returns what the attempt changed of who waits. */
export async function settle(
  db: D1Database,
  shipment: Shipment,
  record: AttemptRecord,
  settlement: Settlement,
  now: number,
): Promise<HoldChange[]> {
  const lease = { shipment: shipment.id, attempt: shipment.attempt };
  const holds = holdStatements(db, lease, shipment, settlement, now);
  // The one that ends the call stands last, since the others look for the lease.
  const results = await db.batch([
    ...holds.statements,
    SQL.RECORD_ATTEMPT.bind(db, { ...lease, ...record }),
    ...settlementStatements(db, lease, shipment, settlement, now),
  ]);
  return holds.changesOf(results);
}

function settlementStatements(
  db: D1Database,
  lease: SQL.Lease,
  shipment: Shipment,
  settlement: Settlement,
  now: number,
): D1PreparedStatement[] {
  switch (settlement.kind) {
    case "delivered":
      return delivered(db, lease, shipment, settlement.perProducer);
    case "split":
      return split(db, lease, shipment, settlement.halves, now);
    case "quarantined":
      return quarantined(db, lease, shipment, settlement.event, now);
    case "postponed": {
      const { nextAt, outcomeUnknown } = settlement;
      return [SQL.POSTPONE.bind(db, { ...lease, nextAt, outcomeUnknown: outcomeUnknown ? 1 : 0 })];
    }
  }
}

function delivered(
  db: D1Database,
  lease: SQL.Lease,
  { tenant, stream }: Shipment,
  perProducer: ReadonlyMap<string, number>,
): D1PreparedStatement[] {
  return [
    SQL.COUNT_DELIVERED.bind(db, { ...lease, tenant, stream, perProducer: JSON.stringify([...perProducer]) }),
    ...groupStatements(db, lease, tenant, stream),
    SQL.CLOSE.bind(db, { ...lease, state: "delivered" }),
  ];
}

function split(
  db: D1Database,
  lease: SQL.Lease,
  { tenant, stream, context, bytes }: Shipment,
  halves: readonly (readonly Part[])[],
  now: number,
): D1PreparedStatement[] {
  const children = halves.map((parts) => ({ parts, callKey: crypto.randomUUID() }));
  const values = children.map(({ parts, callKey }) => {
    return [
      tenant,
      stream,
      context,
      callKey,
      partsJson(parts),
      parts.reduce((sum, part) => sum + part.events, 0),
      bytes,
    ];
  });
  return [
    SQL.ADD_CHILDREN.bind(db, { ...lease, now, children: JSON.stringify(values) }),
    SQL.LIST_PARTS.bind(db, { count: children.length, lastKey: children.at(-1)?.callKey ?? "" }),
    SQL.CLOSE.bind(db, { ...lease, state: "split" }),
  ];
}

function quarantined(
  db: D1Database,
  lease: SQL.Lease,
  { tenant, stream, context }: Shipment,
  event: QuarantinedEvent,
  now: number,
): D1PreparedStatement[] {
  const of = { ...lease, tenant, stream, producer: event.producer };
  const { origin, ...fresh } = event;
  const { reasons, upstream } = event;
  return [
    origin === null
      ? SQL.ADD_QUARANTINED.bind(db, { ...lease, ...fresh, tenant, stream, context, now })
      : SQL.REOPEN_QUARANTINED.bind(db, { ...lease, origin, context, reasons, upstream }),
    SQL.COUNT_QUARANTINED.bind(db, of),
    ...groupStatements(db, lease, tenant, stream),
    SQL.CLOSE.bind(db, { ...lease, state: "quarantined" }),
  ];
}

function groupStatements(db: D1Database, lease: SQL.Lease, tenant: string, stream: string): D1PreparedStatement[] {
  return stream === "persist" ? [SQL.SETTLE_GROUP.bind(db, { ...lease, tenant })] : [];
}
