/** Events nobody takes as they are: kept whole, with the reason in the refuser's own words. */
import type { DatabaseSync } from "node:sqlite";
import type { QuarantineReason } from "./operations.ts";

export interface QuarantineEntry {
  readonly stream: number;
  readonly position: number;
  readonly scope: string;
  readonly receivedAt: number;
  readonly event: Uint8Array;
  readonly reason: QuarantineReason;
  readonly at: number;
}

export interface QuarantineTable {
  insert(entry: QuarantineEntry): void;
}

export function createQuarantineTable(db: DatabaseSync): QuarantineTable {
  const insert = db.prepare(
    `INSERT INTO quarantine (stream, position, scope, received_at, event, reason, state, quarantined_at)
     VALUES (?, ?, ?, ?, ?, ?, 'held', ?)`,
  );
  return {
    insert({ stream, position, scope, receivedAt, event, reason, at }) {
      insert.run(stream, position, scope, receivedAt, event, JSON.stringify(reason), at);
    },
  };
}
