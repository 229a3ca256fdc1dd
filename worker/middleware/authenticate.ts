/** Who calls, and may they: 401 for no or bad credentials, 429 for too many of them, 403 for a permission or platform they lack. */
import { createMiddleware } from "hono/factory";
import { HEADER } from "../../shared/wire.ts";
import { ADDRESS_HEADER } from "../accounts/guesses.ts";
import { isPermitted, type Permission } from "../accounts/principal.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { mayName } from "../tenants/bounds.ts";

/** Lets a request pass whose key has at least one of the permissions and covers the platform it names. */
export function requirePermission(...anyOf: Permission[]) {
  return createMiddleware<WeirEnv>(async function authenticate(c, next) {
    const credential = credentialOf(c);
    if (credential === null) return refuse(c, 401, "no credentials: send X-API-KEY or Authorization: Bearer");
    const { keys, guesses, clock } = c.get("services");
    const address = c.req.header(ADDRESS_HEADER);
    const waitSeconds = guesses.refusedFor(address, clock.now());
    if (waitSeconds !== null && !keys.wasKnown(credential, clock.now())) {
      c.header("Retry-After", String(waitSeconds));
      return refuse(c, 429, "too many requests with unknown credentials came from this address");
    }
    const principal = await keys.find(credential, clock.now());
    if (principal === null) {
      await guesses.note(address, clock.now());
      return refuse(c, 401, "the credentials are unknown, revoked or expired");
    }
    if (!anyOf.some((permission) => isPermitted(principal, permission))) {
      return refuse(c, 403, `the key lacks the permission ${anyOf.join(" or ")}`);
    }
    const platform = c.req.header(HEADER.platformId);
    if (platform !== undefined && !mayName(principal.platformIds, platform)) {
      return refuse(c, 403, "the key does not cover the platform named in x-platform-id");
    }
    c.set("principal", principal);
    c.set("tenant", principal.tenant);
    return next();
  });
}

function credentialOf(c: WeirContext): string | null {
  const key = c.req.header(HEADER.apiKey)?.trim();
  if (key) return key;
  const bearer = /^Bearer\s+(\S+)\s*$/i.exec(c.req.header(HEADER.authorization) ?? "");
  return bearer?.[1] ?? null;
}
