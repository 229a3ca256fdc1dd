import type { QuarantineReason } from "../../../agent/buffer/tables/quarantine.ts";
import type { InvalidEvents } from "../../../agent/buffer/transactions/append.ts";

/** Events of a body that go to quarantine, all for one reason. */
export function invalidOf(indexes: readonly number[], reason: QuarantineReason): InvalidEvents {
  const sorted = Uint32Array.from(indexes).sort();
  return { indexes: sorted, which: new Uint32Array(sorted.length), reasons: [reason] };
}
