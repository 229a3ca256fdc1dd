/** Decides what of some batches leaves in one slice. Pure. */
import type { Looked } from "./retention-sql.ts";

/** Bytes of payload, which are in memory on their way to the archive; and tenants, each an object of its own. */
const SLICE_BYTES = 2_000_000;
const SLICE_TENANTS = 16;

export interface Slice {
  /** Ids of batches that may leave. */
  readonly leaving: readonly number[];
  /** Those that may not yet, with when to look again. */
  readonly late: readonly (readonly [number, number])[];
  /** Of payload that leaves. */
  readonly bytes: number;
  /** The last batch of them all. */
  readonly mark: number;
}

/**
 * The first batches, as many as one slice takes; null for none.
 * @param cutoff what was settled up to then may leave. @param lookAgainAt when to look at those that wait, at the latest.
 */
export function cutSlice(looked: readonly Looked[], cutoff: number, lookAgainAt: number): Slice | null {
  const leaving: number[] = [];
  const late: [number, number][] = [];
  const tenants = new Set<string>();
  let bytes = 0;
  let mark: number | null = null;
  for (const { id, tenant, octets, settled } of looked) {
    if (settled === null || settled > cutoff) {
      late.push([id, lookAgainAt]);
    } else {
      if (leaving.length > 0 && bytes + octets > SLICE_BYTES) break;
      if (tenants.size === SLICE_TENANTS && !tenants.has(tenant)) break;
      tenants.add(tenant);
      bytes += octets;
      leaving.push(id);
    }
    mark = id;
  }
  return mark === null ? null : { leaving, late, bytes, mark };
}
