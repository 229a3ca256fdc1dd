import { HEADER } from "../../shared/wire.ts";
import type { Scope } from "../buffer/tables/scope.ts";

/** The vendors' scoping headers of a request; an empty one names nothing. */
export function scopeOf(header: (name: string) => string | null): Scope {
  return {
    entityIds: header(HEADER.entityIds),
    orgIds: header(HEADER.orgIds),
    platformId: header(HEADER.platformId) || null,
  };
}
