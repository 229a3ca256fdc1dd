/** The streams and their ledgers, as the database has them; nothing is cached, so a rollback leaves no trace. */
import type { DatabaseSync } from "node:sqlite";
import type { StreamLedger } from "../transactions/operations.ts";
import { integer, type Row, text } from "./column.ts";

export interface StreamRow {
  readonly id: number;
  readonly nextPosition: number;
}

/** What a transaction adds to a stream's ledger; negative takes away. */
export interface LedgerChange {
  readonly positions?: number;
  readonly accepted?: number;
  readonly delivered?: number;
  readonly pending?: number;
  readonly quarantined?: number;
  readonly discarded?: number;
  readonly pendingBytes?: number;
}

export interface StreamTable {
  /** The stream's row, made when the name is new. */
  open(name: string): StreamRow;
  find(name: string): StreamRow | null;
  add(id: number, change: LedgerChange): void;
  ledger(name: string): StreamLedger | null;
  all(): StreamLedger[];
}

const COLUMNS = "name, next_position, accepted, delivered, pending, quarantined, discarded, pending_bytes";

export function createStreamTable(db: DatabaseSync): StreamTable {
  const select = db.prepare("SELECT id, next_position FROM streams WHERE name = ?");
  const insert = db.prepare("INSERT INTO streams (name) VALUES (?)");
  const one = db.prepare(`SELECT ${COLUMNS} FROM streams WHERE name = ?`);
  const all = db.prepare(`SELECT ${COLUMNS} FROM streams ORDER BY name`);
  const update = db.prepare(
    `UPDATE streams SET next_position = next_position + ?, accepted = accepted + ?, delivered = delivered + ?,
       pending = pending + ?, quarantined = quarantined + ?, discarded = discarded + ?,
       pending_bytes = pending_bytes + ? WHERE id = ?`,
  );
  const find = (name: string): StreamRow | null => {
    const row = select.get(name);
    return row === undefined ? null : { id: integer(row, "id"), nextPosition: integer(row, "next_position") };
  };
  return {
    find,
    open(name) {
      const found = find(name);
      if (found !== null) return found;
      return { id: Number(insert.run(name).lastInsertRowid), nextPosition: 1 };
    },
    add(id, change) {
      update.run(
        change.positions ?? 0,
        change.accepted ?? 0,
        change.delivered ?? 0,
        change.pending ?? 0,
        change.quarantined ?? 0,
        change.discarded ?? 0,
        change.pendingBytes ?? 0,
        id,
      );
    },
    ledger(name) {
      const row = one.get(name);
      return row === undefined ? null : ledgerOf(row);
    },
    all: () => all.all().map(ledgerOf),
  };
}

function ledgerOf(row: Row): StreamLedger {
  return {
    stream: text(row, "name"),
    nextPosition: integer(row, "next_position"),
    accepted: integer(row, "accepted"),
    delivered: integer(row, "delivered"),
    pending: integer(row, "pending"),
    quarantined: integer(row, "quarantined"),
    discarded: integer(row, "discarded"),
    pendingBytes: integer(row, "pending_bytes"),
  };
}
