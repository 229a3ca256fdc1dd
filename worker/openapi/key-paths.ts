/** API keys and the tokens made of them. */
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { pageOf } from "./admin-schemas.ts";
import { answer, emptyAnswer } from "./answers.ts";
import { type JsonSchema, object, schemaRef, TEXT } from "./json-schema.ts";
import { jsonBody, operation, type Paths } from "./operation.ts";

const ADMIN = { tag: "Keys", permissions: ["WEIR.ADMIN", "WEIR.OPERATOR"] } as const;
const KEY = {
  id: "key_4fTz0Qb7Xn2LrWq9Ks1V",
  tenant: "acme",
  name: "plant 7",
  permissions: ["METER_DATA.INGEST"],
  platform_ids: null,
  entity_ids: ["entity-1"],
  org_ids: null,
  created_at: "2026-11-01T10:05:03.551Z",
  expires_at: "2100-01-01T00:00:00.000Z",
  revoked_at: null,
};
const TOLD = answer(
  "The key, told this once.",
  schemaRef("NewKeyAnswer"),
  { ...KEY, key: "weir_key_0000000000000000000000000000" },
  ["Cache-Control"],
);

export function keyPaths(): Paths {
  return {
    "/admin/api-keys": { post: create(), get: listKeys() },
    "/admin/api-keys/{id}": { delete: revoke() },
    "/admin/api-keys/{id}/rotate": { post: rotate() },
    "/oauth/token": { post: token() },
  };
}

function create(): JsonSchema {
  const { name, permissions, entity_ids, expires_at } = KEY;
  return operation({
    ...ADMIN,
    id: "createKey",
    summary: "Make an API key",
    description: "Another tenant's, or one with WEIR.OPERATOR, only with WEIR.OPERATOR.",
    parameters: ["Tenant", "PlatformId"],
    body: jsonBody(schemaRef("NewKey"), { name, permissions, entity_ids, expires_at }),
    answers: { 201: TOLD },
    refusals: [400, 401, 403, 503],
  });
}

function listKeys(): JsonSchema {
  const page = { items: [KEY], next: null };
  return operation({
    ...ADMIN,
    id: "listKeys",
    summary: "List API keys, without their secrets",
    parameters: ["Limit", "Cursor", "Tenant", "PlatformId"],
    answers: { 200: answer("A page of keys.", pageOf(schemaRef("Key")), page) },
    refusals: [400, 401, 403, 503],
  });
}

function revoke(): JsonSchema {
  return operation({
    ...ADMIN,
    id: "revokeKey",
    summary: "Revoke an API key and its tokens, for writes at once",
    parameters: ["KeyId", "Tenant", "PlatformId"],
    answers: { 204: emptyAnswer("It is revoked.") },
    refusals: [401, 403, 404, 503],
  });
}

function rotate(): JsonSchema {
  return operation({
    ...ADMIN,
    id: "rotateKey",
    summary: "Make a key like this one, which ends after an overlap",
    parameters: ["KeyId", "Tenant", "PlatformId"],
    body: jsonBody(schemaRef("Rotation"), { overlap_seconds: 3600 }, false),
    answers: { 201: TOLD },
    refusals: [400, 401, 403, 404, 409, 503],
  });
}

function denied(description: string, error: string, message: string): JsonSchema {
  const code: JsonSchema = { type: "string", description: "OAuth's own code (RFC 6749, section 5.2)." };
  const schema = { allOf: [schemaRef("Refusal"), object({ error: code })] };
  return answer(description, schema, { ...usageRefusal(message), error });
}

function token(): JsonSchema {
  const form = object({
    grant_type: { type: "string", const: "client_credentials" },
    client_id: { ...TEXT, description: "An API key's id." },
    client_secret: { ...TEXT, description: "The key." },
  });
  const granted = object({
    access_token: TEXT,
    token_type: { type: "string", const: "bearer" },
    expires_in: { type: "integer", description: "Seconds it lasts." },
  });
  const example = { grant_type: "client_credentials", client_id: KEY.id, client_secret: "weir_key_0000" };
  const access = { access_token: `weir_token_${KEY.id}.1793531103551.${"0".repeat(64)}`, token_type: "bearer" };
  return operation({
    id: "grantToken",
    tag: "Keys",
    summary: "Get an hour's bearer token for a key",
    permissions: [],
    body: { required: true, content: { "application/x-www-form-urlencoded": { schema: form, example } } },
    answers: {
      200: answer("The token.", granted, { ...access, expires_in: 3600 }, ["Cache-Control"]),
      400: denied("Another grant, or no form.", "unsupported_grant_type", "grant_type must be client_credentials"),
      401: denied("Key and id do not belong together.", "invalid_client", "the client is unknown, revoked or expired"),
      413: denied("The form is too long.", "invalid_request", "a grant has at most 16384 bytes"),
      415: denied("No form.", "invalid_request", "send a form"),
    },
    refusals: [503],
  });
}
