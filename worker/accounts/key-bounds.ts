/** No key reaches further than the one that made it, nor than its tenant: decided by their lists alone. */
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { coversProducer } from "../../shared/intake/producer-names.ts";
import { ANY, type Bounds, beyond } from "../tenants/bounds.ts";
import type { KeyReach, Principal } from "./principal.ts";

/** The lists of a key by their names on the wire. */
const LISTS = { platform_ids: "platformIds", entity_ids: "entityIds", org_ids: "orgIds" } as const;

/** Characters of an id that are repeated to whoever sent it. */
const ID_SHOWN = 80;
/** Ids that are named one by one. */
const IDS_TOLD_MAX = 100;

/**
 * What a new or rotated key asks for beyond its maker and its tenant. Where the maker has a list the key needs one
 * too, since a key without a list sends on whatever the upstream takes it for; where the maker ends, so does the key.
 */
export function reachErrors(wanted: KeyReach, maker: Principal, allowed: Bounds): ValidationError[] {
  const listErrors = Object.entries(LISTS).flatMap(([field, of]) => [
    ...listError(field, wanted[of], maker[of], "the key that makes it has a list here, and this goes beyond it"),
    ...(wanted[of] === null ? [] : listError(field, wanted[of], allowed[of], "the tenant may not use it")),
  ]);
  return [
    ...listErrors,
    ...producerErrors(wanted.producers, maker.producers),
    // No list is less here than any: a key without one is used from no page.
    ...(wanted.origins === null
      ? []
      : listError(
          "origins",
          wanted.origins,
          maker.origins,
          "the key that makes it has a list here, and this goes beyond it",
        )),
    ...expiryError(wanted.expiresAt, maker.expiresAt),
  ];
}

function listError(
  field: string,
  wanted: readonly string[] | null,
  list: readonly string[] | null,
  why: string,
): ValidationError[] {
  if (list === null) return [];
  if (wanted === null) return list.includes(ANY) ? [] : [validationError(`is required: ${why}`, { field })];
  return beyond(wanted, list)
    .slice(0, IDS_TOLD_MAX)
    .map(([i, id]) => validationError(`${JSON.stringify(id.slice(0, ID_SHOWN))}: ${why}`, { field: `${field}.${i}` }));
}

function producerErrors(wanted: readonly string[] | null, makers: readonly string[] | null): ValidationError[] {
  if (makers === null) return [];
  const why = "the key that makes it has a list here, and this goes beyond it";
  if (wanted === null) return [validationError(`is required: ${why}`, { field: "producers" })];
  return wanted
    .flatMap((entry, i) => (coversProducer(makers, entry) ? [] : [[i, entry] as const]))
    .slice(0, IDS_TOLD_MAX)
    .map(([i, entry]) => validationError(`${JSON.stringify(entry)}: ${why}`, { field: `producers.${i}` }));
}

function expiryError(wanted: number | null, makers: number | null): ValidationError[] {
  if (makers === null || (wanted !== null && wanted <= makers)) return [];
  const ends = new Date(makers).toISOString();
  return [validationError(`may be at most ${ends}, when the key that makes it ends`, { field: "expires_at" })];
}
