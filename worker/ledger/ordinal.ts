/**
 * What of an event's identity is kept with its entry, in 32 bits: its index where that is by idempotency key, its number
 * among the equal ones of its request where it is by content, its index with the highest bit set where it is like no
 * other. Of a position nothing is kept; it has 1. So has an own id in rows from before and in replays, since then 2^30.
 */
import type { Identity } from "../../shared/identity.ts";

const IS_NEW = 2 ** 31;
const OWN_ID = 2 ** 30;

export function ordinalOf(identity: Identity): number {
  switch (identity.by) {
    case "key":
      return identity.index;
    case "content":
      return identity.number;
    case "new":
      return IS_NEW + identity.index;
    case "id":
      return OWN_ID;
    case "position":
      return 1;
  }
}

export type ReadOrdinal =
  | { readonly by: "content"; readonly number: number }
  | { readonly by: "new"; readonly index: number };

/** What an ordinal says of an event that has neither own id, key nor position. */
export function readOrdinal(ordinal: number): ReadOrdinal {
  if (ordinal >= IS_NEW) return { by: "new", index: ordinal - IS_NEW };
  return { by: "content", number: ordinal === OWN_ID ? 1 : ordinal };
}

/** Whether an event of a producer's stream with own ids may be known by its position alone. */
export function mayLackOwnId(ordinal: number): boolean {
  return ordinal !== OWN_ID;
}
