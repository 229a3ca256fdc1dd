/** Whose data an admin's request is about: the key's own tenant, or the one an operator names with `?tenant=`. */
import { createMiddleware } from "hono/factory";
import { mayActFor } from "../accounts/principal.ts";
import { refuse, type WeirEnv } from "../context.ts";

/** The query parameter that names it. */
export const TENANT_PARAMETER = "tenant";

export const nameTenant = createMiddleware<WeirEnv>(async function nameTenant(c, next) {
  const own = c.get("tenant");
  const named = c.req.query(TENANT_PARAMETER) ?? own;
  if (!mayActFor(c.get("principal"), named)) return refuse(c, 403, "the key may not name another tenant");
  if (named !== own && (await c.get("services").tenants.find(named)) === null) {
    return refuse(c, 404, `there is no tenant ${JSON.stringify(named.slice(0, 128))}`);
  }
  c.set("tenant", named);
  return next();
});
