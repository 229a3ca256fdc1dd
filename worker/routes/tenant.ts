/** Whose data an admin call is about. */
import { isPermitted } from "../accounts/principal.ts";
import type { WeirContext } from "../context.ts";

/** The key's own tenant, or the one an operator names with ?tenant=; null where the key may not name it. */
export function tenantOf(c: WeirContext): string | null {
  const principal = c.get("principal");
  const named = c.req.query("tenant");
  if (named === undefined || named === principal.tenant) return principal.tenant;
  return isPermitted(principal, "WEIR.OPERATOR") ? named : null;
}
