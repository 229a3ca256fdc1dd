/** What an operator lets a tenant name: its keys and catalog stay within it, whenever they were made. */

/** Null: not restricted. */
export interface Bounds {
  readonly meters: readonly string[] | null;
  readonly entityIds: readonly string[] | null;
  readonly orgIds: readonly string[] | null;
  readonly platformIds: readonly string[] | null;
}

export const UNBOUNDED: Bounds = { meters: null, entityIds: null, orgIds: null, platformIds: null };

/** In a key's list: any id there is. */
export const ANY = "*";

/** Whether a list lets an id be named; a list that is none (null) lets none. */
export function mayName(list: readonly string[] | null, id: string): boolean {
  return list !== null && (list.includes(ANY) || list.includes(id));
}

/** Whether a bound lets an id pass; one that is not set lets any. */
export function isWithin(bound: readonly string[] | null, id: string): boolean {
  return bound === null || bound.includes(id);
}

/** What is left of a key's list within a bound. Null stays null: a key without a list names none. */
export function narrowed(list: readonly string[] | null, bound: readonly string[] | null): readonly string[] | null {
  if (list === null || bound === null) return list;
  return list.includes(ANY) ? bound : list.filter((id) => bound.includes(id));
}

/** The lists by which ids are named. */
export interface IdLists {
  readonly platformIds: readonly string[] | null;
  readonly entityIds: readonly string[] | null;
  readonly orgIds: readonly string[] | null;
}

/**
 * The ids that stand in where a request names none, so that nothing a key or its tenant may not reach is reached by
 * leaving a header out: the key's own list within the tenant's, else the tenant's. Null: nothing needs to stand in. An
 * empty list: something must, and there is nothing that may.
 * @param lists of the key. A platform is sent for a tenant that is held to platforms, never for a key alone.
 */
export function standInOf(lists: IdLists, bounds: Bounds): IdLists {
  const { platformIds } = bounds;
  return {
    entityIds: standIn(lists.entityIds, bounds.entityIds),
    orgIds: standIn(lists.orgIds, bounds.orgIds),
    platformIds: platformIds === null ? null : standIn(lists.platformIds, platformIds),
  };
}

function standIn(list: readonly string[] | null, bound: readonly string[] | null): readonly string[] | null {
  // A tenant that may name no id sends none: where the account then files its events is what its operator chose.
  if (bound?.length === 0) return null;
  if (list === null || list.length === 0 || list.includes(ANY)) return bound;
  return bound === null ? list : list.filter((id) => bound.includes(id));
}

/** The ids of a wanted list, by their places, that another list does not cover. */
export function beyond(wanted: readonly string[], list: readonly string[]): readonly (readonly [number, string])[] {
  if (list.includes(ANY)) return [];
  return wanted.flatMap((id, i) => (list.includes(id) ? [] : [[i, id] as const]));
}

/** As `tenants.allowed` holds them. */
export function boundsText({ meters, entityIds, orgIds, platformIds }: Bounds): string {
  return JSON.stringify({ meters, entityIds, orgIds, platformIds });
}

/** @param text as `boundsText` writes it; null for a tenant of which nothing is said. */
export function boundsOf(text: string | null): Bounds {
  return text === null ? UNBOUNDED : { ...UNBOUNDED, ...JSON.parse(text) };
}
