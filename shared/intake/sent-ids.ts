/** The ids that say where a request's events go. */
import { type ValidationError, validationError } from "../events/validation-error.ts";
import type { SentIds } from "../identity.ts";
import { HEADER } from "../wire.ts";
import type { HeaderOf } from "./request.ts";

export interface SentIdsOutcome {
  readonly ids: SentIds;
  /** Of headers that are there and name nothing. */
  readonly errors: readonly ValidationError[];
}

/** Reads Zuora-Entity-Ids, Zuora-Org-Ids (comma-separated) and X-Platform-Id. An empty platform is none. */
export function sentIdsOf(header: HeaderOf): SentIdsOutcome {
  const entityIds = listIn(header(HEADER.entityIds));
  const orgIds = listIn(header(HEADER.orgIds));
  const empty = [entityIds === "" ? "Zuora-Entity-Ids" : null, orgIds === "" ? "Zuora-Org-Ids" : null];
  return {
    ids: { entityIds, orgIds, platformId: header(HEADER.platformId)?.trim() || null },
    errors: empty.filter((field) => field !== null).map((field) => validationError(`${field} names no id`, { field })),
  };
}

/** Trimmed and joined by commas, as they go on; null where there is no such header. */
function listIn(header: string | null): string | null {
  if (header === null) return null;
  const ids = header.split(",").map((id) => id.trim());
  return ids.filter((id) => id !== "").join(",");
}
