/** The streams and their ledgers, as the database has them; nothing is cached, so a rollback leaves no trace. */
import type { DatabaseSync } from "node:sqlite";
import { EMPTY_DIGEST, type LedgerDigest } from "../../../shared/ledger-digest.ts";
import { query, type Row, statement } from "./rows.ts";

/** accepted = delivered + pending + quarantined + discarded, at any moment. */
export interface LedgerCounts {
  readonly accepted: number;
  readonly delivered: number;
  readonly pending: number;
  readonly quarantined: number;
  readonly discarded: number;
}

export interface StreamLedger extends LedgerCounts {
  readonly stream: string;
  /** The position the next event gets; positions start at 1. */
  readonly nextPosition: number;
  /** Bytes of pending event text. */
  readonly pendingBytes: number;
}

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
  /** Of the positions that are new. */
  readonly digest?: LedgerDigest;
}

export interface StreamTable {
  /** The stream's row, made when the name is new. */
  open(name: string): StreamRow;
  find(name: string): StreamRow | null;
  add(id: number, change: LedgerChange): void;
  ledger(name: string): StreamLedger | null;
  /** Over position and bytes of each event that was accepted, as it came. */
  digest(id: number): LedgerDigest;
  all(): StreamLedger[];
}

const LEDGER = [
  "name",
  "next_position",
  "accepted",
  "delivered",
  "pending",
  "quarantined",
  "discarded",
  "pending_bytes",
] as const;
const COLUMNS = LEDGER.join(", ");

const NO_CHANGE = {
  positions: 0,
  accepted: 0,
  delivered: 0,
  pending: 0,
  quarantined: 0,
  discarded: 0,
  pendingBytes: 0,
} satisfies Required<Omit<LedgerChange, "digest">>;

export function createStreamTable(db: DatabaseSync): StreamTable {
  const byName = query(db, ["id", "next_position"], "SELECT id, next_position FROM streams WHERE name = :name");
  const insert = statement(db, "INSERT INTO streams (name) VALUES (:name)");
  const one = query(db, LEDGER, `SELECT ${COLUMNS} FROM streams WHERE name = :name`);
  const all = query(db, LEDGER, `SELECT ${COLUMNS} FROM streams ORDER BY name`);
  const update = statement(
    db,
    `UPDATE streams SET next_position = next_position + :positions, accepted = accepted + :accepted,
       delivered = delivered + :delivered, pending = pending + :pending, quarantined = quarantined + :quarantined,
       discarded = discarded + :discarded, pending_bytes = pending_bytes + :pendingBytes,
       digest_low = (digest_low + :low) & 4294967295,
       digest_high = (digest_high + :high + ((digest_low + :low) >> 32)) & 4294967295, digested = digested + :count
     WHERE id = :id`,
  );
  const digest = query(
    db,
    ["digest_high", "digest_low", "digested"],
    "SELECT digest_high, digest_low, digested FROM streams WHERE id = :id",
  );
  const find = (name: string): StreamRow | null => {
    const row = byName.get({ name });
    return row === null ? null : { id: row.id, nextPosition: row.next_position };
  };
  return {
    find,
    open: (name) => find(name) ?? { id: Number(insert.run({ name }).lastInsertRowid), nextPosition: 1 },
    add: (id, { digest: added = EMPTY_DIGEST, ...change }) =>
      void update.run({ ...NO_CHANGE, ...change, ...added, id }),
    digest(id) {
      const row = digest.get({ id });
      return row === null ? EMPTY_DIGEST : { high: row.digest_high, low: row.digest_low, count: row.digested };
    },
    ledger(name) {
      const row = one.get({ name });
      return row === null ? null : ledgerOf(row);
    },
    all: () => all.all().map(ledgerOf),
  };
}

function ledgerOf(row: Row<(typeof LEDGER)[number]>): StreamLedger {
  const { name: stream, next_position: nextPosition, pending_bytes: pendingBytes } = row;
  const { accepted, delivered, pending, quarantined, discarded } = row;
  return { stream, nextPosition, accepted, delivered, pending, quarantined, discarded, pendingBytes };
}
