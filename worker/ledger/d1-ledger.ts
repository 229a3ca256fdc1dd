/** The ledger on D1. */
import type { ClockAndRandom } from "../../shared/clock.ts";
import { fileRequest } from "./file-request.ts";
import type { Ledger } from "./ledger.ts";
import { readLedger } from "./ledger-rows.ts";

export function createD1Ledger(db: D1Database, runtime: ClockAndRandom): Ledger {
  return {
    file: (filing) => fileRequest(db, filing, runtime),
    rows: (tenant, filter) => readLedger(db, tenant, filter),
  };
}
