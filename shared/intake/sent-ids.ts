/** The ids that say where a request's events go. */
import { type ValidationError, validationError } from "../events/validation-error.ts";
import type { SentIds } from "../identity.ts";
import { HEADER } from "../wire.ts";
import type { HeaderOf } from "./request.ts";

export interface SentIdsOutcome {
  /** Of headers that are not valid nothing is read. */
  readonly ids: SentIds;
  /** Of headers that name nothing, or more than is kept and sent on. */
  readonly errors: readonly ValidationError[];
}

/** Ids of one header, and its characters: it is kept with each batch, and a server's bound is 8 KB for all headers. */
const IDS_MAX = 50;
export const IDS_LENGTH_MAX = 2_000;
const PLATFORM_LENGTH_MAX = 256;
/** What any server reads as it was sent. */
const PLAIN = /^[\x20-\x7e]*$/;

/** Reads Zuora-Entity-Ids, Zuora-Org-Ids (comma-separated) and X-Platform-Id. An empty platform is none. */
export function sentIdsOf(header: HeaderOf): SentIdsOutcome {
  const [entityIds, orgIds, platformId] = [header(HEADER.entityIds), header(HEADER.orgIds), header(HEADER.platformId)];
  if (entityIds === null && orgIds === null && platformId === null) return NO_IDS;
  const entities = listIn("Zuora-Entity-Ids", entityIds);
  const orgs = listIn("Zuora-Org-Ids", orgIds);
  const platform = platformIn(platformId);
  return {
    ids: { entityIds: entities.value, orgIds: orgs.value, platformId: platform.value },
    errors: [entities, orgs, platform].flatMap(({ error }) => (error === null ? [] : [error])),
  };
}

/** Of most requests. */
const NO_IDS: SentIdsOutcome = { ids: { entityIds: null, orgIds: null, platformId: null }, errors: [] };

interface HeaderRead {
  readonly value: string | null;
  readonly error: ValidationError | null;
}

const ABSENT: HeaderRead = { value: null, error: null };

/** Trimmed and joined by commas, as they go on. */
function listIn(field: string, header: string | null): HeaderRead {
  if (header === null) return ABSENT;
  if (header.length > IDS_LENGTH_MAX || !PLAIN.test(header)) {
    return invalid(field, `takes at most ${IDS_LENGTH_MAX} characters of US-ASCII`);
  }
  const ids = header
    .split(",")
    .map((id) => id.trim())
    .filter((id) => id !== "");
  if (ids.length === 0) return { ...invalid(field, "names no id"), value: "" };
  if (ids.length > IDS_MAX) return invalid(field, `takes at most ${IDS_MAX} ids`);
  return { value: ids.join(","), error: null };
}

function platformIn(header: string | null): HeaderRead {
  const value = header?.trim() || null;
  if (value === null) return ABSENT;
  if (value.length <= PLATFORM_LENGTH_MAX && PLAIN.test(value)) return { value, error: null };
  return invalid("x-platform-id", `takes at most ${PLATFORM_LENGTH_MAX} characters of US-ASCII`);
}

function invalid(field: string, message: string): HeaderRead {
  return { value: null, error: validationError(`${field} ${message}`, { field }) };
}
