/** Where a request's events go: as it names it, allowed to its key, and never mixed with others on the way up. */
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { type SentIds, sentIdsText } from "../../shared/identity.ts";
import type { HeaderOf } from "../../shared/intake/request.ts";
import { IDS_LENGTH_MAX, sentIdsOf } from "../../shared/intake/sent-ids.ts";
import type { Principal } from "../accounts/principal.ts";
import { ANY } from "../tenants/bounds.ts";

/** What JSON of a context holds. */
export interface UpstreamContext {
  readonly entity?: string;
  readonly org?: string;
  readonly platform?: string;
}

export interface ScopeOutcome {
  /** The ids as the client sent them: part of its events' identity. */
  readonly sentIds: string;
  /** The ids that go upstream: JSON of an UpstreamContext, or "" for none. */
  readonly context: string;
  readonly errors: readonly ValidationError[];
}

/**
 * Reads the ids that a request names and checks them against its key's own lists. A key with entity or org ids that names
 * none sends its own: nothing it may not reach is reached by leaving a header out.
 */
export function scopeOf({ entityIds, orgIds }: Principal, header: HeaderOf): ScopeOutcome {
  const { ids, errors } = sentIdsOf(header);
  const passed: SentIds = {
    entityIds: ids.entityIds ?? ownList(entityIds),
    orgIds: ids.orgIds ?? ownList(orgIds),
    platformId: ids.platformId,
  };
  return {
    sentIds: sentIdsText(ids),
    context: sentIdsText(passed),
    errors: [
      ...errors,
      ...ownListErrors("Zuora-Entity-Ids", passed.entityIds),
      ...ownListErrors("Zuora-Org-Ids", passed.orgIds),
      ...foreign("Zuora-Entity-Ids", ids.entityIds, entityIds),
      ...foreign("Zuora-Org-Ids", ids.orgIds, orgIds),
    ],
  };
}

function ownList(allowed: readonly string[] | null): string | null {
  return allowed === null || allowed.length === 0 || allowed.includes(ANY) ? null : allowed.join(",");
}

/** A key's own list is filled in where a request names none; one longer than a header may be is to be named in part. */
function ownListErrors(field: string, passed: string | null): ValidationError[] {
  if (passed === null || passed.length <= IDS_LENGTH_MAX) return [];
  return [validationError(`${field} names no id, and the key's own list is longer than a header may be`, { field })];
}

function foreign(field: string, sent: string | null, allowed: readonly string[] | null): ValidationError[] {
  if (sent === null || sent === "" || allowed?.includes(ANY)) return [];
  return sent
    .split(",")
    .filter((id) => !(allowed ?? []).includes(id))
    .map((id) => validationError(`the key may not use ${JSON.stringify(id.slice(0, 80))}`, { field }));
}
