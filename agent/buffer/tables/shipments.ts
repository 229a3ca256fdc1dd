/** Calls to a vendor as they were fixed before their first attempt; settled positions leave them. */
import type { DatabaseSync } from "node:sqlite";
import { query, type Row, statement } from "./rows.ts";

/** A shipment whose members and key are on disk, so that its repeat after a crash is the very same call. */
export interface FixedShipment {
  readonly first: number;
  readonly count: number;
  /** What its calls' idempotency keys are made of. */
  readonly key: string;
  /** So many of its first events went out in a call whose outcome was not written down. */
  readonly attempted: number;
}

export interface StreamShipment extends FixedShipment {
  readonly stream: string;
}

export interface ShipmentTable {
  /** What a position was fixed in before, it is no longer. */
  fix(stream: number, replaces: number | null, shipments: readonly FixedShipment[]): void;
  mark(stream: number, first: number, attempted: number): void;
  /** Takes positions `first` to `last` out of whatever shipment has them. */
  settle(stream: number, first: number, last: number): void;
  all(): StreamShipment[];
}

export function createShipmentTable(db: DatabaseSync): ShipmentTable {
  const insert = statement(
    db,
    "INSERT INTO shipments (stream, first, count, key, attempted) VALUES (:stream, :first, :count, :key, :attempted)",
  );
  const remove = statement(db, "DELETE FROM shipments WHERE stream = :stream AND first = :first");
  const update = statement(db, "UPDATE shipments SET attempted = :attempted WHERE stream = :stream AND first = :first");
  // Shipments never overlap, so those that touch a range are the last to begin before it and those within.
  const touching = query(
    db,
    SHIPMENT,
    `SELECT first, count, key, attempted FROM shipments
     WHERE stream = :stream AND first <= :last AND first >= coalesce(
       (SELECT max(first) FROM shipments WHERE stream = :stream AND first <= :first), :first)`,
  );
  const all = query(
    db,
    ["name", ...SHIPMENT],
    `SELECT name, first, count, key, attempted FROM shipments JOIN streams ON streams.id = shipments.stream
     ORDER BY stream, first`,
  );
  const put = (stream: number, { first, count, key, attempted }: FixedShipment) =>
    void insert.run({ stream, first, count, key, attempted });
  const overlapping = (stream: number, first: number, last: number) =>
    touching
      .all({ stream, first, last })
      .map(shipmentOf)
      .filter((shipment) => shipment.first + shipment.count > first);
  return {
    fix(stream, replaces, shipments) {
      if (replaces !== null) remove.run({ stream, first: replaces });
      for (const shipment of shipments) {
        const last = shipment.first + shipment.count - 1;
        for (const stale of overlapping(stream, shipment.first, last)) remove.run({ stream, first: stale.first });
        put(stream, shipment);
      }
    },
    mark: (stream, first, attempted) => void update.run({ attempted, stream, first }),
    settle(stream, first, last) {
      for (const shipment of overlapping(stream, first, last)) {
        const end = shipment.first + shipment.count;
        remove.run({ stream, first: shipment.first });
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
    all: () => all.all().map((row) => ({ stream: row.name, ...shipmentOf(row) })),
  };
}

const SHIPMENT = ["first", "count", "key", "attempted"] as const;

function shipmentOf({ first, count, key, attempted }: Row<(typeof SHIPMENT)[number]>): FixedShipment {
  return { first, count, key, attempted };
}
