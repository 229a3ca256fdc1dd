/** Who is calling: a key's tenant and what it may do. */
import type { Bounds, IdLists } from "../tenants/bounds.ts";

export const PERMISSIONS = ["METER_DATA.INGEST", "WEIR.ADMIN", "WEIR.OPERATOR"] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** How far a key reaches. */
export interface KeyReach {
  /** The ids that may be named, `*` for any; null: none. */
  readonly platformIds: readonly string[] | null;
  readonly entityIds: readonly string[] | null;
  readonly orgIds: readonly string[] | null;
  /** Names or prefixes of producers it may send under; null: those that it was the first to use. */
  readonly producers: readonly string[] | null;
  /** The web origins it may be used from, `*` for any: it may then add events and nothing else. Null: from no page. */
  readonly origins: readonly string[] | null;
  /** Milliseconds since 1970; null: it does not end by itself. */
  readonly expiresAt: number | null;
}

/** Its lists are what is left of the key's within the tenant's bounds. */
export interface Principal extends KeyReach {
  readonly keyId: string;
  /** The first key of those that it was rotated from: what that one owns it owns. */
  readonly lineage: string;
  readonly tenant: string;
  readonly permissions: readonly string[];
  /** What the tenant may name. */
  readonly bounds: Bounds;
  /** What goes up where a request names no ids: see `standInOf`. */
  readonly standIn: IdLists;
}

export function isPermitted(principal: Principal, permission: Permission): boolean {
  return principal.permissions.includes(permission);
}

/** Whether a key may see and change what is a tenant's: its own, any where it is an operator's. */
export function mayActFor(principal: Principal, tenant: string): boolean {
  return tenant === principal.tenant || isPermitted(principal, "WEIR.OPERATOR");
}
