/** What calls of every dialect are made of. */
import { SOLVIMON_VERSION } from "../../shared/wire.ts";
import type { PendingRun } from "../buffer/transactions/operations.ts";

/** A run's events between two texts. */
export function listBody(before: string, run: PendingRun, after: string): Uint8Array {
  return Buffer.concat([Buffer.from(before), run.events.body, Buffer.from(after)]);
}

/** A time as events and lists carry it. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** The path of one of Solvimon's operations. */
export function versioned(operation: string): string {
  return `/v${SOLVIMON_VERSION}${operation}`;
}
