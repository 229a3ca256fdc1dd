/** The ledger on D1. */
import type { ClockAndRandom } from "../../shared/clock.ts";
import type { LedgerSize } from "../database/ledger-size.ts";
import { fileRequest } from "./file-request.ts";
import type { Ledger } from "./ledger.ts";
import { readLedger } from "./ledger-rows.ts";

export function createD1Ledger(db: D1Database, runtime: ClockAndRandom, size: LedgerSize): Ledger {
  return {
    file: (filing) => fileRequest(db, filing, runtime, size),
    rows: (tenant, filter) => readLedger(db, tenant, filter),
  };
}
