/** Whose data an admin's request is about: the key's own tenant, or the one an operator names with `?tenant=`. */
import { createMiddleware } from "hono/factory";
import { mayActFor } from "../accounts/principal.ts";
import { refuse, type WeirEnv } from "../context.ts";

/** The query parameter that names it. */
export const TENANT_PARAMETER = "tenant";

export const nameTenant = createMiddleware<WeirEnv>(async function nameTenant(c, next) {
  const named = c.req.query(TENANT_PARAMETER) ?? c.get("tenant");
  if (!mayActFor(c.get("principal"), named)) return refuse(c, 403, "the key may not name another tenant");
  c.set("tenant", named);
  return next();
});
