/** Where a request's events go: as it names it, allowed to its key, and never mixed with others on the way up. */
import type { Kind } from "../../shared/events/kind.ts";
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { type SentIds, sentIdsText } from "../../shared/identity.ts";
import type { HeaderOf } from "../../shared/intake/request.ts";
import { IDS_LENGTH_MAX, sentIdsOf } from "../../shared/intake/sent-ids.ts";
import type { Principal } from "../accounts/principal.ts";
import { ANY, type IdLists } from "../tenants/bounds.ts";

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
 * Reads the ids that a request names and checks them against its key's own lists. What a request leaves out its key's
 * or its tenant's own ids stand in for.
 */
export function scopeOf({ entityIds, orgIds, standIn }: Principal, header: HeaderOf, kind: Kind): ScopeOutcome {
  const { ids, errors } = sentIdsOf(header);
  const passed = withStandIn(ids, standIn, kind);
  return {
    sentIds: sentIdsText(ids),
    context: sentIdsText(passed.ids),
    errors: [
      ...errors,
      ...foreign(FIELD.entityIds, ids.entityIds, entityIds),
      ...foreign(FIELD.orgIds, ids.orgIds, orgIds),
      ...passed.errors,
    ],
  };
}

const FIELD = { entityIds: "Zuora-Entity-Ids", orgIds: "Zuora-Org-Ids", platformId: "x-platform-id" } as const;

/** Ids with those that stand in for what they leave out. A platform is Solvimon's: one can stand in, of several one must be named. */
export function withStandIn(
  ids: SentIds,
  standIn: IdLists,
  kind: Kind,
): { readonly ids: SentIds; readonly errors: readonly ValidationError[] } {
  const errors: ValidationError[] = [];
  const filled = (field: string, named: string | null, list: readonly string[] | null, countMax: number) => {
    if (named !== null || list === null) return named;
    const joined = list.join(",");
    const problem = standInProblem(list.length, joined.length, countMax);
    if (problem !== null) errors.push(validationError(problem, { field }));
    return joined;
  };
  const withAll = {
    entityIds: filled(FIELD.entityIds, ids.entityIds, standIn.entityIds, Number.POSITIVE_INFINITY),
    orgIds: filled(FIELD.orgIds, ids.orgIds, standIn.orgIds, Number.POSITIVE_INFINITY),
    platformId: kind === "usage" ? ids.platformId : filled(FIELD.platformId, ids.platformId, standIn.platformIds, 1),
  };
  return { ids: withAll, errors };
}

function standInProblem(count: number, chars: number, countMax: number): string | null {
  if (count === 0) return "nothing of the key's own list is left within what the tenant may use";
  if (count > countMax) return "name one: the tenant is held to several";
  return chars > IDS_LENGTH_MAX ? "name some: the list that would stand in is too long for a header" : null;
}

function foreign(field: string, sent: string | null, allowed: readonly string[] | null): ValidationError[] {
  if (sent === null || sent === "" || allowed?.includes(ANY)) return [];
  return sent
    .split(",")
    .filter((id) => !(allowed ?? []).includes(id))
    .map((id) => validationError(`the key may not use ${JSON.stringify(id.slice(0, 80))}`, { field }));
}
