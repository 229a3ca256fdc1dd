/**
 * What of an event's identity is kept with its entry, in 32 bits: its index where that is by idempotency key, its number
 * among the equal ones of its request where it is by content, its index with the highest bit set where it is like no
 * other. Of events known by an own id or a position nothing is kept; they have 1.
 */
import type { Identity } from "../../shared/identity.ts";

const IS_NEW = 2 ** 31;

export function ordinalOf(identity: Identity): number {
  switch (identity.by) {
    case "key":
      return identity.index;
    case "content":
      return identity.number;
    case "new":
      return IS_NEW + identity.index;
    case "id":
    case "position":
      return 1;
  }
}

export type ReadOrdinal =
  | { readonly by: "content"; readonly number: number }
  | { readonly by: "new"; readonly index: number };

/** What an ordinal says of an event that has neither own id, key nor position. */
export function readOrdinal(ordinal: number): ReadOrdinal {
  return ordinal >= IS_NEW ? { by: "new", index: ordinal - IS_NEW } : { by: "content", number: ordinal };
}
