/** `/admin/tenants`: where each tenant's events go, and what its keys and catalog may name. */
import type { z } from "zod";
import { validationError } from "../../shared/events/validation-error.ts";
import { UPSTREAM_NAMES } from "../../shared/vendors/vendors.ts";
import { refuse, type WeirContext, writerOf } from "../context.ts";
import { DEFAULT_DESTINATION } from "../destinations/destination-requests.ts";
import { checkedBy, jsonBody } from "../http/body.ts";
import { cursor, LIMIT, pageOf } from "../http/page.ts";
import { segment } from "../http/parameters.ts";
import { OPERATOR, route } from "../http/route.ts";
import { answer } from "../openapi/answers.ts";
import { lateSchema, schema } from "../openapi/component.ts";
import { described, list, nullable, object, TEXT } from "../openapi/json-schema.ts";
import { zodSchema } from "../openapi/zod-schema.ts";
import { TENANT_ID, tenantSchema } from "../tenants/tenant-requests.ts";
import type { Tenant } from "../tenants/tenants.ts";

/** Room for four lists of ids as long as they may be; one D1 value holds at most 2 MB. */
const BODY_BYTES_MAX = 1_900_000;

const TENANT = schema(
  "Tenant",
  object({
    id: TEXT,
    name: nullable(TEXT),
    destinations: described(
      object({}, Object.fromEntries(UPSTREAM_NAMES.map((name) => [name, TEXT]))),
      "Names of destinations; what is absent goes to the one that the Worker's settings describe.",
    ),
    allowed: described(
      object({}, { meters: list(TEXT), entity_ids: list(TEXT), org_ids: list(TEXT), platform_ids: list(TEXT) }),
      "What its keys and catalog may name; what is absent is not restricted.",
    ),
  }),
);
const EXAMPLE = {
  id: "acme",
  name: "Acme",
  destinations: {},
  allowed: { meters: ["web-egress"], entity_ids: ["entity-1"] },
};

const WANTED = jsonBody({
  schema: lateSchema("TenantRequest", () => zodSchema(tenantSchema)),
  example: { name: EXAMPLE.name, destinations: EXAMPLE.destinations, allowed: EXAMPLE.allowed },
  bytesMax: () => BODY_BYTES_MAX,
  read: checkedBy(tenantSchema, "the tenant is not valid"),
});

async function listTenants(c: WeirContext, after: string, limit: number): Promise<Response> {
  const tenants = await c.get("services").tenants.list(after, limit + 1);
  const items = tenants.slice(0, limit).map(shown);
  return c.json({ items, next: tenants.length > limit ? (items.at(-1)?.id ?? null) : null });
}

function shown({ id, name, destinations: { zuora, solvimon }, allowed }: Tenant) {
  return {
    id,
    name,
    destinations: { ...(zuora === null ? {} : { zuora }), ...(solvimon === null ? {} : { solvimon }) },
    allowed: {
      ...(allowed.meters === null ? {} : { meters: allowed.meters }),
      ...(allowed.entityIds === null ? {} : { entity_ids: allowed.entityIds }),
      ...(allowed.orgIds === null ? {} : { org_ids: allowed.orgIds }),
      ...(allowed.platformIds === null ? {} : { platform_ids: allowed.platformIds }),
    },
  };
}

async function putTenant(c: WeirContext, id: string, wanted: z.infer<typeof tenantSchema>): Promise<Response> {
  if (!TENANT_ID.test(id)) {
    const error = validationError("has 1 to 128 characters, none of them a control character", { field: "id" });
    return refuse(c, 400, "the tenant is not valid", [error]);
  }
  const tenant = tenantOf(id, wanted);
  const { tenants, keys, directory } = c.get("services");
  const outcome = await tenants.put(tenant, writerOf(c));
  if (outcome.kind === "unknown-destination") {
    const errors = outcome.dialects.map((dialect) =>
      validationError(`there is no ${dialect} destination of this name`, { field: `destinations.${dialect}` }),
    );
    return refuse(c, 400, "the tenant names a destination that is not there", errors);
  }
  keys.forget();
  directory.forget();
  return c.json(shown(tenant));
}

function tenantOf(id: string, { name, destinations, allowed }: z.infer<typeof tenantSchema>): Tenant {
  const named = (destination: string | undefined) =>
    destination === undefined || destination === DEFAULT_DESTINATION ? null : destination;
  return {
    id,
    name: name ?? null,
    destinations: { zuora: named(destinations?.zuora), solvimon: named(destinations?.solvimon) },
    allowed: {
      meters: allowed?.meters ?? null,
      entityIds: allowed?.entity_ids ?? null,
      orgIds: allowed?.org_ids ?? null,
      platformIds: allowed?.platform_ids ?? null,
    },
  };
}

export const tenantRoutes = [
  route(
    {
      method: "get",
      path: "/admin/tenants",
      permission: OPERATOR,
      query: { limit: LIMIT, cursor: cursor("", (text) => text) },
      id: "listTenants",
      tag: "Tenants",
      summary: "List tenants",
      answers: { 200: answer("A page of tenants.", pageOf(TENANT), { items: [EXAMPLE], next: null }) },
    },
    (c, { query }) => listTenants(c, query.cursor, query.limit),
  ),
  route(
    {
      method: "put",
      path: "/admin/tenants/:id",
      permission: OPERATOR,
      params: { id: segment("A tenant's id, as its keys name it.", EXAMPLE.id) },
      body: WANTED,
      id: "putTenant",
      tag: "Tenants",
      summary: "Say where a tenant's events go and what it may name",
      description:
        "Replaces all that was said of it before. Keys and a catalog that are wider stay, and are held to it at use.",
      answers: { 200: answer("The tenant as it stands now.", TENANT, EXAMPLE) },
    },
    (c, { path, body }) => putTenant(c, path.id, body),
  ),
];
