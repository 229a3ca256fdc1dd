/** Who is calling: a key's tenant and what it may do. */

export const PERMISSIONS = ["METER_DATA.INGEST", "WEIR.ADMIN", "WEIR.OPERATOR"] as const;
export type Permission = (typeof PERMISSIONS)[number];

export interface Principal {
  readonly keyId: string;
  readonly tenant: string;
  readonly permissions: readonly string[];
  /** Null: any platform. */
  readonly platformIds: readonly string[] | null;
  /** Null: none may be named. */
  readonly entityIds: readonly string[] | null;
  readonly orgIds: readonly string[] | null;
}

export function isPermitted(principal: Principal, permission: Permission): boolean {
  return principal.permissions.includes(permission);
}

/** Whether a key may see and change what is a tenant's: its own, any where it is an operator's. */
export function mayActFor(principal: Principal, tenant: string): boolean {
  return tenant === principal.tenant || isPermitted(principal, "WEIR.OPERATOR");
}
