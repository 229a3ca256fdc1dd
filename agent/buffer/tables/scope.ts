import type { SentIds } from "../../../shared/identity.ts";

/** The vendors' scoping headers: kept with an event and sent on with it, never mixed in one call. */
export type Scope = SentIds;

export const NO_SCOPE: Scope = { entityIds: null, orgIds: null, platformId: null };

/** A scope as the text its column holds. */
export function scopeText(scope: Scope): string {
  const { entityIds, orgIds, platformId } = scope;
  if (platformId !== null) return JSON.stringify([entityIds, orgIds, platformId]);
  return entityIds === null && orgIds === null ? "" : JSON.stringify([entityIds, orgIds]);
}

export function parseScope(column: string): Scope {
  if (column === "") return NO_SCOPE;
  const [entityIds, orgIds, platformId = null] = JSON.parse(column) as [string | null, string | null, string?];
  return { entityIds, orgIds, platformId };
}
