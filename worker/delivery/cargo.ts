/** Reads what a call carries out of its batches. */
import * as SQL from "./outbox-sql.ts";
import type { Part } from "./pack.ts";
import { type Cargo, partsJson, type Shipment } from "./shipment.ts";

export interface CargoReading {
  readonly statement: D1PreparedStatement;
  /** @throws Error where a batch is not in the ledger. */
  of(result: D1Result | undefined): Cargo[];
}

/** @param withEntries also where a part is a whole batch. */
export function cargoOf(db: D1Database, parts: readonly Part[], withEntries: boolean): CargoReading {
  return {
    statement: SQL.CARGO.bind(db, { parts: partsJson(parts), withEntries: withEntries ? 1 : 0 }),
    of(result) {
      const rows = SQL.CARGO.rows(result);
      return parts.map((part, i) => {
        const row = rows[i];
        if (row === undefined || rows.length !== parts.length) throw new Error("a call lacks a batch in the ledger");
        const { producer, payload, entries, times } = row;
        return { part, producer, payload, entries, receivedAt: row.received_at, times };
      });
    },
  };
}

/** What a call carries. */
export async function readCargo(
  db: D1Database,
  { id, parts }: Pick<Shipment, "id" | "parts">,
  withEntries: boolean,
): Promise<Cargo[]> {
  const { statement, of } = cargoOf(db, parts, withEntries);
  try {
    return of(await statement.all());
  } catch (cause) {
    throw new Error(`shipment ${id} could not be read`, { cause });
  }
}
