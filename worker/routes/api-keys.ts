/** `/admin/api-keys`: made (and shown once), listed without secrets, revoked, rotated with an overlap. */
import type { Hono } from "hono";
import type { z } from "zod";
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { newKeySchema, rotationSchema } from "../accounts/key-requests.ts";
import type { KeyRecord, NewKey } from "../accounts/key-store.ts";
import { isPermitted } from "../accounts/principal.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { pageLimitOf } from "./page.ts";
import { tenantOf } from "./tenant.ts";

const OVERLAP_SECONDS_DEFAULT = 0;

export function registerApiKeys(app: Hono<WeirEnv>): void {
  const admin = requirePermission("WEIR.ADMIN", "WEIR.OPERATOR");
  app.post("/admin/api-keys", admin, createKey);
  app.get("/admin/api-keys", admin, listKeys);
  app.delete("/admin/api-keys/:id", admin, revokeKey);
  app.post("/admin/api-keys/:id/rotate", admin, rotateKey);
}

async function createKey(c: WeirContext): Promise<Response> {
  const body = await bodyOf(c, newKeySchema);
  if (body.kind === "faults") return refuse(c, 400, "the key is not valid", body.faults);
  const { tenant: named, ...wanted } = body.value;
  const tenant = named ?? tenantOf(c);
  const principal = c.get("principal");
  const isOperator = isPermitted(principal, "WEIR.OPERATOR");
  if (tenant === null || (tenant !== principal.tenant && !isOperator))
    return refuse(c, 403, "the key may not name another tenant");
  // Nobody hands out more than they hold.
  if (wanted.permissions.includes("WEIR.OPERATOR") && !isOperator)
    return refuse(c, 403, "only an operator may make one");
  const { keyStore, clock } = c.get("services");
  const made = await keyStore.create(tenant, newKeyOf(wanted), clock.now());
  c.header("Cache-Control", "no-store");
  return c.json({ ...shown(made), key: made.key }, 201);
}

function newKeyOf(wanted: Omit<z.infer<typeof newKeySchema>, "tenant">): NewKey {
  return {
    name: wanted.name,
    permissions: wanted.permissions,
    platformIds: wanted.platform_ids ?? null,
    entityIds: wanted.entity_ids ?? null,
    orgIds: wanted.org_ids ?? null,
    expiresAt: wanted.expires_at ? Date.parse(wanted.expires_at) : null,
  };
}

function shown(record: KeyRecord) {
  const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());
  return {
    id: record.id,
    tenant: record.tenant,
    name: record.name,
    permissions: record.permissions,
    platform_ids: record.platformIds,
    entity_ids: record.entityIds,
    org_ids: record.orgIds,
    created_at: iso(record.createdAt),
    expires_at: iso(record.expiresAt),
    revoked_at: iso(record.revokedAt),
  };
}

async function listKeys(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const limit = pageLimitOf(c);
  if (limit === null) return refuse(c, 400, "limit is a whole number from 1 to 1000");
  const records = await c.get("services").keyStore.list(tenant, c.req.query("cursor") ?? "", limit + 1);
  const items = records.slice(0, limit).map(shown);
  return c.json({ items, next: records.length > limit ? (items.at(-1)?.id ?? null) : null });
}

async function revokeKey(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const { keyStore, clock } = c.get("services");
  const isKnown = await keyStore.revoke(tenant, c.req.param("id") ?? "", clock.now());
  return isKnown ? c.body(null, 204) : refuse(c, 404, "there is no such key");
}

async function rotateKey(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const body = await bodyOf(c, rotationSchema);
  if (body.kind === "faults") return refuse(c, 400, "the rotation is not valid", body.faults);
  const { keyStore, clock } = c.get("services");
  const old = await keyStore.find(tenant, c.req.param("id") ?? "");
  if (old === null) return refuse(c, 404, "there is no such key");
  if (old.revokedAt !== null) return refuse(c, 409, "the key was revoked");
  if (old.permissions.includes("WEIR.OPERATOR") && !isPermitted(c.get("principal"), "WEIR.OPERATOR")) {
    return refuse(c, 403, "only an operator may rotate an operator's key");
  }
  const now = clock.now();
  const made = await keyStore.create(tenant, old, now);
  await keyStore.endAt(tenant, old.id, now + (body.value.overlap_seconds ?? OVERLAP_SECONDS_DEFAULT) * 1000);
  c.header("Cache-Control", "no-store");
  return c.json({ ...shown(made), key: made.key }, 201);
}

type BodyOf<T> =
  | { readonly kind: "value"; readonly value: T }
  | { readonly kind: "faults"; readonly faults: ValidationError[] };

/** A small JSON body checked by a schema; an absent one counts as an empty object. */
async function bodyOf<T>(c: WeirContext, schema: z.ZodType<T>): Promise<BodyOf<T>> {
  const text = await c.req.text();
  let value: unknown = {};
  try {
    if (text.trim() !== "") value = JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return { kind: "faults", faults: [validationError("the body is not JSON")] };
    throw error;
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return { kind: "value", value: parsed.data };
  return {
    kind: "faults",
    faults: parsed.error.issues.map(({ path, message }) =>
      validationError(message, path.length === 0 ? {} : { field: path.join(".") }),
    ),
  };
}
