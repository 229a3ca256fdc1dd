/** The entity and org ids a request names: allowed to its key, and never mixed with others on the way up. */
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import type { Principal } from "../accounts/principal.ts";

export interface UpstreamContext {
  readonly entity?: string;
  readonly org?: string;
  readonly platform?: string;
}

export interface ScopeOutcome {
  /** JSON of an UpstreamContext, or "" where no ids were named. */
  readonly context: string;
  readonly errors: readonly ValidationError[];
}

/** Checks Zuora-Entity-Ids and Zuora-Org-Ids (comma separated) against the key's own lists. */
export function contextOf(
  principal: Principal,
  entityIds: string | null,
  orgIds: string | null,
  platformId: string | null = null,
): ScopeOutcome {
  const errors = [
    ...foreign("Zuora-Entity-Ids", entityIds, principal.entityIds),
    ...foreign("Zuora-Org-Ids", orgIds, principal.orgIds),
  ];
  return { context: contextJson(entityIds, orgIds, platformId), errors };
}

/** JSON of an UpstreamContext, or "" where no ids are named. */
export function contextJson(entityIds: string | null, orgIds: string | null, platformId: string | null): string {
  const named: UpstreamContext = {
    ...(entityIds === null ? {} : { entity: idsOf(entityIds).join(",") }),
    ...(orgIds === null ? {} : { org: idsOf(orgIds).join(",") }),
    ...(platformId === null ? {} : { platform: platformId }),
  };
  return Object.keys(named).length === 0 ? "" : JSON.stringify(named);
}

function idsOf(header: string): string[] {
  return header
    .split(",")
    .map((id) => id.trim())
    .filter((id) => id !== "");
}

function foreign(field: string, header: string | null, allowed: readonly string[] | null): ValidationError[] {
  if (header === null) return [];
  const ids = idsOf(header);
  if (ids.length === 0) return [validationError(`${field} names no id`, { field })];
  return ids
    .filter((id) => !(allowed ?? []).includes(id))
    .map((id) => validationError(`the key may not use ${JSON.stringify(id.slice(0, 80))}`, { field }));
}
