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
