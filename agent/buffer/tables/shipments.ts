/** Calls to a vendor as they were fixed before their first attempt; settled positions leave them. */
import type { DatabaseSync } from "node:sqlite";
import type { FixedOutcome, FixedShipment, FixOperation } from "../transactions/operations.ts";
import { integer, type Row, text } from "./column.ts";

export interface ShipmentTable {
  /** What a position was fixed in before, it is no longer. */
  fix(stream: number, change: Pick<FixOperation, "replaces" | "shipments">): void;
  mark(stream: number, first: number, attempted: number): void;
  /** Takes positions `first` to `last` out of whatever shipment has them. */
  settle(stream: number, first: number, last: number): void;
  all(): FixedOutcome["shipments"];
}

export function createShipmentTable(db: DatabaseSync): ShipmentTable {
  const insert = db.prepare("INSERT INTO shipments (stream, first, count, key, attempted) VALUES (?, ?, ?, ?, ?)");
  const remove = db.prepare("DELETE FROM shipments WHERE stream = ? AND first = ?");
  const update = db.prepare("UPDATE shipments SET attempted = ? WHERE stream = ? AND first = ?");
  // Shipments never overlap, so those that touch a range are the last to begin before it and those within.
  const touching = db.prepare(
    `SELECT first, count, key, attempted FROM shipments WHERE stream = ?1 AND first <= ?3 AND first >= coalesce(
       (SELECT max(first) FROM shipments WHERE stream = ?1 AND first <= ?2), ?2)`,
  );
  const all = db.prepare(
    `SELECT name, first, count, key, attempted FROM shipments JOIN streams ON streams.id = shipments.stream
     ORDER BY stream, first`,
  );
  const put = (stream: number, { first, count, key, attempted }: FixedShipment) =>
    void insert.run(stream, first, count, key, attempted);
  const overlapping = (stream: number, first: number, last: number) =>
    touching
      .all(stream, first, last)
      .map(shipmentOf)
      .filter((shipment) => shipment.first + shipment.count > first);
  return {
    fix(stream, { replaces, shipments }) {
      if (replaces !== null) remove.run(stream, replaces);
      for (const shipment of shipments) {
        const last = shipment.first + shipment.count - 1;
        for (const stale of overlapping(stream, shipment.first, last)) remove.run(stream, stale.first);
        put(stream, shipment);
      }
    },
    mark: (stream, first, attempted) => void update.run(attempted, stream, first),
    settle(stream, first, last) {
      for (const shipment of overlapping(stream, first, last)) {
        const end = shipment.first + shipment.count;
        remove.run(stream, shipment.first);
        const settled = last + 1 - shipment.first;
        // Calls are settled from the front. What was settled otherwise, by a sender that fixes nothing, is no
        // longer the call that was fixed.
        if (first <= shipment.first && last + 1 < end) {
          const { count, attempted } = shipment;
          const rest = { count: count - settled, attempted: Math.max(0, attempted - settled) };
          put(stream, { ...shipment, ...rest, first: last + 1 });
        }
      }
    },
    all: () => all.all().map((row) => ({ stream: text(row, "name"), ...shipmentOf(row) })),
  };
}

function shipmentOf(row: Row): FixedShipment {
  return {
    first: integer(row, "first"),
    count: integer(row, "count"),
    key: text(row, "key"),
    attempted: integer(row, "attempted"),
  };
}
