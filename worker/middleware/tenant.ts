/**
 * Whose data an admin's request is about: the key's own tenant, or the one an operator names with `?tenant=`. In two
 * steps, since a key beyond its rate is refused between them, before the database is asked.
 */
import { createMiddleware } from "hono/factory";
import { mayActFor } from "../accounts/principal.ts";
import { refuse, type WeirEnv } from "../context.ts";

/** The query parameter that names it. */
export const TENANT_PARAMETER = "tenant";

/** Refuses with 403 who may not name it. */
export const nameTenant = createMiddleware<WeirEnv>(async function nameTenant(c, next) {
  const named = c.req.query(TENANT_PARAMETER) ?? c.get("tenant");
  if (!mayActFor(c.get("principal"), named)) return refuse(c, 403, "the key may not name another tenant");
  c.set("tenant", named);
  return next();
});

/** Refuses with 404 a tenant that does not exist. */
export const findTenant = createMiddleware<WeirEnv>(async function findTenant(c, next) {
  const named = c.get("tenant");
  if (named !== c.get("principal").tenant && (await c.get("services").tenants.find(named)) === null) {
    return refuse(c, 404, `there is no tenant ${JSON.stringify(named.slice(0, 128))}`);
  }
  return next();
});
