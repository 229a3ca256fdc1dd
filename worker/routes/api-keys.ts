/** `/admin/api-keys`: made (and shown once), listed without secrets, revoked, rotated with an overlap. */
import type { z } from "zod";
import { validationError } from "../../shared/events/validation-error.ts";
import { reachErrors } from "../accounts/key-bounds.ts";
import { newKeySchema, rotationSchema } from "../accounts/key-requests.ts";
import type { KeyRecord, NewKey } from "../accounts/key-store.ts";
import { isPermitted, type KeyReach, mayActFor, PERMISSIONS } from "../accounts/principal.ts";
import { refuse, type WeirContext, writerOf } from "../context.ts";
import { checkedBy, jsonBody } from "../http/body.ts";
import { cursor, LIMIT, pageOf } from "../http/page.ts";
import { segment } from "../http/parameters.ts";
import { ADMIN, type FindOutcome, route } from "../http/route.ts";
import { answer, emptyAnswer } from "../openapi/answers.ts";
import { lateSchema, schema } from "../openapi/component.ts";
import { choice, described, list, nullable, object, TEXT, TIME } from "../openapi/json-schema.ts";
import { zodSchema } from "../openapi/zod-schema.ts";
import { UNBOUNDED } from "../tenants/bounds.ts";

const OVERLAP_SECONDS_DEFAULT = 0;
/** Room for three lists of ids as long as they may be. */
const BODY_BYTES_MAX = 4_000_000;

const IDS = nullable(list(TEXT));
const LIST_MEANING = "The ids it may name, * for any; null: none.";
const KEY = schema(
  "Key",
  object({
    id: TEXT,
    tenant: TEXT,
    name: TEXT,
    permissions: list(choice(PERMISSIONS)),
    platform_ids: described(IDS, LIST_MEANING),
    entity_ids: described(IDS, LIST_MEANING),
    org_ids: described(IDS, LIST_MEANING),
    producers: described(
      IDS,
      "The producers it may send under, by name or prefix (plant-7.*); null: any name that no other key used first.",
    ),
    origins: described(
      IDS,
      "The web origins it may be used from, * for any: it may then add events and nothing else; null: from no page.",
    ),
    created_at: TIME,
    expires_at: nullable(TIME),
    revoked_at: nullable(TIME),
  }),
);
const NEW_KEY_ANSWER = schema("NewKeyAnswer", {
  allOf: [KEY, object({ key: described(TEXT, "The key itself, shown this once.") })],
});
const EXAMPLE = {
  id: "key_4fTz0Qb7Xn2LrWq9Ks1V",
  tenant: "acme",
  name: "plant 7",
  permissions: ["METER_DATA.INGEST"],
  platform_ids: null,
  entity_ids: ["entity-1"],
  org_ids: null,
  producers: null,
  origins: null,
  created_at: "2026-11-01T10:05:03.551Z",
  expires_at: "2100-01-01T00:00:00.000Z",
  revoked_at: null,
};
const SHOWN_ONCE = answer("The key, shown this once.", NEW_KEY_ANSWER, {
  ...EXAMPLE,
  key: "weir_key_00000000000000000000000000000000_000000",
});

const NEW_KEY = jsonBody({
  schema: lateSchema("NewKey", () => zodSchema(newKeySchema)),
  example: {
    name: EXAMPLE.name,
    permissions: EXAMPLE.permissions,
    entity_ids: EXAMPLE.entity_ids,
    expires_at: EXAMPLE.expires_at,
  },
  bytesMax: () => BODY_BYTES_MAX,
  read: checkedBy(newKeySchema, "the key is not valid"),
});
const ROTATION = jsonBody({
  schema: lateSchema("Rotation", () => zodSchema(rotationSchema)),
  example: { overlap_seconds: 3600 },
  required: false,
  bytesMax: () => BODY_BYTES_MAX,
  read: checkedBy(rotationSchema, "the rotation is not valid"),
});

const KEY_ID = segment("An API key's id.", "key_0000000000000000000");

async function createKey(
  c: WeirContext,
  { tenant: named, ...wanted }: z.infer<typeof newKeySchema>,
): Promise<Response> {
  const principal = c.get("principal");
  const tenant = named ?? c.get("tenant");
  if (!mayActFor(principal, tenant)) return refuse(c, 403, "the key may not name another tenant");
  // Nobody hands out more than they hold.
  if (wanted.permissions.includes("WEIR.OPERATOR") && !isPermitted(principal, "WEIR.OPERATOR"))
    return refuse(c, 403, "only an operator may make one");
  const key = newKeyOf(wanted);
  if (opensTooMuch(key)) return refuse(c, 400, FOR_PAGES.message, [FOR_PAGES]);
  if (hasEnded(c, key)) return refuse(c, 400, ENDED_AT_BIRTH.message, [ENDED_AT_BIRTH]);
  const errors = await beyondReach(c, tenant, key);
  if (errors.length > 0) return refuse(c, 400, "the key would reach further than its maker or its tenant", errors);
  const made = await c.get("services").keyStore.create(tenant, key, writerOf(c));
  return c.json({ ...shown(made), key: made.key }, 201);
}

const FOR_PAGES = validationError("a key with origins lies open in web pages and may hold METER_DATA.INGEST alone", {
  field: "permissions",
});

const opensTooMuch = ({ origins, permissions }: NewKey): boolean =>
  origins !== null && permissions.some((permission) => permission !== "METER_DATA.INGEST");

const ENDED_AT_BIRTH = validationError("the key would have ended before it was made", { field: "expires_at" });

const hasEnded = (c: WeirContext, { expiresAt }: KeyReach): boolean =>
  expiresAt !== null && expiresAt <= c.get("services").clock.now();

async function beyondReach(c: WeirContext, tenant: string, key: KeyReach) {
  const found = await c.get("services").tenants.find(tenant);
  return reachErrors(key, c.get("principal"), found?.allowed ?? UNBOUNDED);
}

function newKeyOf(wanted: Omit<z.infer<typeof newKeySchema>, "tenant">): NewKey {
  return {
    name: wanted.name,
    permissions: wanted.permissions,
    platformIds: wanted.platform_ids ?? null,
    entityIds: wanted.entity_ids ?? null,
    orgIds: wanted.org_ids ?? null,
    producers: wanted.producers ?? null,
    origins: wanted.origins ?? null,
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
    producers: record.producers,
    origins: record.origins,
    created_at: iso(record.createdAt),
    expires_at: iso(record.expiresAt),
    revoked_at: iso(record.revokedAt),
  };
}

async function listKeys(c: WeirContext, after: string, limit: number): Promise<Response> {
  const records = await c.get("services").keyStore.list(c.get("tenant"), after, limit + 1);
  const items = records.slice(0, limit).map(shown);
  return c.json({ items, next: records.length > limit ? (items.at(-1)?.id ?? null) : null });
}

async function revokeKey(c: WeirContext, key: KeyRecord): Promise<Response> {
  if (!mayEnd(c, key)) return refuse(c, 403, "only an operator may revoke an operator's key");
  const { keyStore, keys } = c.get("services");
  await keyStore.revoke(key.tenant, key.id, writerOf(c));
  keys.forget();
  return c.body(null, 204);
}

/** A tenant's admin does not take an operator's key away. */
function mayEnd(c: WeirContext, key: KeyRecord): boolean {
  return !key.permissions.includes("WEIR.OPERATOR") || isPermitted(c.get("principal"), "WEIR.OPERATOR");
}

async function findKey(c: WeirContext, { id }: { readonly id: string }): Promise<FindOutcome<KeyRecord>> {
  const found = await c.get("services").keyStore.find(c.get("tenant"), id);
  return found === null ? { kind: "missing", message: "there is no such key" } : { kind: "found", found };
}

async function rotateKey(c: WeirContext, old: KeyRecord, overlapSeconds: number): Promise<Response> {
  if (!mayEnd(c, old)) return refuse(c, 403, "only an operator may rotate an operator's key");
  if (old.revokedAt !== null) return refuse(c, 409, "the key was revoked");
  if (hasEnded(c, old)) return refuse(c, 409, "the key has ended, and one like it would have too; make a new one");
  const errors = await beyondReach(c, old.tenant, old);
  if (errors.length > 0) return refuse(c, 400, "the key reaches further than the one that would rotate it", errors);
  const writer = writerOf(c);
  const { keyStore, keys } = c.get("services");
  const made = await keyStore.rotate(old, writer.now + overlapSeconds * 1000, writer);
  keys.forget();
  return c.json({ ...shown(made), key: made.key }, 201);
}

export const apiKeyRoutes = [
  route(
    {
      method: "post",
      path: "/admin/api-keys",
      permission: ADMIN,
      body: NEW_KEY,
      id: "createKey",
      tag: "Keys",
      summary: "Make an API key",
      description:
        "Another tenant's, or one with WEIR.OPERATOR, only with WEIR.OPERATOR. Its lists and its end lie within those of " +
        "the key that makes it, where that has any, and within what the tenant is allowed.",
      answers: { 201: SHOWN_ONCE },
    },
    (c, { body }) => createKey(c, body),
  ),
  route(
    {
      method: "get",
      path: "/admin/api-keys",
      permission: ADMIN,
      query: { limit: LIMIT, cursor: cursor("", (text) => text) },
      id: "listKeys",
      tag: "Keys",
      summary: "List API keys, without their secrets",
      answers: { 200: answer("A page of keys.", pageOf(KEY), { items: [EXAMPLE], next: null }) },
    },
    (c, { query }) => listKeys(c, query.cursor, query.limit),
  ),
  route(
    {
      method: "delete",
      path: "/admin/api-keys/:id",
      permission: ADMIN,
      params: { id: KEY_ID },
      find: findKey,
      id: "revokeKey",
      tag: "Keys",
      summary: "Revoke an API key and its tokens, for writes at once",
      answers: { 204: emptyAnswer("It is revoked.") },
    },
    (c, { found }) => revokeKey(c, found),
  ),
  route(
    {
      method: "post",
      path: "/admin/api-keys/:id/rotate",
      permission: ADMIN,
      params: { id: KEY_ID },
      find: findKey,
      body: ROTATION,
      id: "rotateKey",
      tag: "Keys",
      summary: "Make a key like this one, which ends after an overlap",
      answers: { 201: SHOWN_ONCE },
      refusals: [409],
    },
    (c, { found, body }) => rotateKey(c, found, body.overlap_seconds ?? OVERLAP_SECONDS_DEFAULT),
  ),
];
