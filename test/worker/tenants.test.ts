/** Whose account: an operator says where a tenant's events go and what it may name; no key reaches further. */
import { beforeAll, describe, expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { createOpenApiDocument } from "../../worker/routes.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge } from "./support/edge.ts";

type Json = Record<string, unknown>;
interface Key {
  readonly id: string;
  readonly key: string;
}
interface Refusal {
  readonly message: string;
  readonly reasons: readonly { readonly field?: string; readonly message: string }[];
}

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

let edge: TestEdge;
let operator: string;
let unique = 0;
const fresh = (word: string) => `${word}-${++unique}-${crypto.randomUUID().slice(0, 8)}`;

const call = (path: string, method = "GET", body?: unknown, key = operator, of = edge) =>
  of.request(path, {
    method,
    headers: { "x-api-key": key, "if-match": "*" },
    ...(body === undefined ? {} : { body: encode(body) }),
  });
async function refusalOf(answer: Promise<Response>): Promise<[number, string[]]> {
  const got = await answer;
  const text = await got.text();
  if (got.status < 400) return [got.status, []];
  const reasons = (JSON.parse(text) as Refusal).reasons;
  return [got.status, reasons.map(({ field }) => field ?? "")];
}

async function addKey(tenant: string, permissions: readonly string[], columns: Record<string, unknown> = {}) {
  const key = fresh("key");
  const all = { platform_ids: null, entity_ids: null, org_ids: null, expires_at: null, ...columns };
  await bindings.LEDGER.prepare(
    `INSERT INTO api_keys (id, hash, tenant, name, permissions, platform_ids, entity_ids, org_ids, expires_at, created_at)
    VALUES (?1, ?2, ?3, 'n', ?4, ?5, ?6, ?7, ?8, 0)`,
  )
    .bind(
      `id-${key}`,
      hashApiKey(key),
      tenant,
      JSON.stringify(permissions),
      ...[all.platform_ids, all.entity_ids, all.org_ids].map((ids) => (ids === null ? null : JSON.stringify(ids))),
      all.expires_at,
    )
    .run();
  return { id: `id-${key}`, key };
}

const makeKey = (body: Json, key: string) =>
  call("/admin/api-keys", "POST", { name: "n", permissions: ["METER_DATA.INGEST"], ...body }, key);

beforeAll(async () => {
  edge = await setupEdge();
  operator = (await addKey("house", ["WEIR.OPERATOR", "WEIR.ADMIN"])).key;
});

describe("/admin/tenants", () => {
  it("gives what was put, and knows tenants by their keys as well", async () => {
    const id = fresh("tenant");
    const body = { name: "One", allowed: { meters: ["m"], entity_ids: [], org_ids: ["o"], platform_ids: ["p"] } };
    const put = await call(`/admin/tenants/${id}`, "PUT", body);
    expect([put.status, await put.json()]).toEqual([200, { id, ...body, destinations: {} }]);
    const other = await setupEdge();
    const found = new Map<string, unknown>();
    for (let cursor = ""; ; ) {
      const page = await (await call(`/admin/tenants?limit=7&cursor=${encodeURIComponent(cursor)}`)).json<{
        items: { id: string }[];
        next: string | null;
      }>();
      for (const item of page.items) found.set(item.id, item);
      if (page.next === null) break;
      cursor = page.next;
    }
    expect(found.get(id)).toEqual({ id, ...body, destinations: {} });
    expect(found.get(other.tenant)).toEqual({ id: other.tenant, name: null, destinations: {}, allowed: {} });
    expect((await call(`/admin/ledger?tenant=${id}`)).status, "it exists").toBe(200);
    expect((await call(`/admin/tenants/${id}`, "PUT", {})).status).toBe(200);
    expect(await (await call(`/admin/tenants/${id}`, "PUT", {})).json(), "a PUT replaces all").toEqual({
      ...{ id, name: null, destinations: {}, allowed: {} },
    });
  });

  it.each<[title: string, body: unknown, fields: string[]]>([
    [
      "an unknown destination",
      { destinations: { zuora: "nowhere", solvimon: "nowhere" } },
      ["destinations.zuora", "destinations.solvimon"],
    ],
    ["an unknown dialect", { destinations: { stripe: "x" } }, ["destinations.stripe"]],
    ["an unknown bound", { allowed: { meter_ids: ["x"] } }, ["allowed.meter_ids"]],
    ["a bound that is no list", { allowed: { meters: "x" } }, ["allowed.meters"]],
    ["an unknown field", { typo: 1 }, ["typo"]],
  ])("%s is a 400 that names it, and nothing is put", async (_title, body, fields) => {
    const id = fresh("tenant");
    const answer = await call(`/admin/tenants/${id}`, "PUT", body);
    const { reasons, message } = await answer.json<Refusal>();
    expect(answer.status).toBe(400);
    expect(JSON.stringify([message, reasons])).toContain(fields[0]?.split(".").at(-1));
    expect((await call(`/admin/ledger?tenant=${id}`)).status, "it was not made").toBe(404);
  });

  it("and /admin/destinations are an operator's alone", async () => {
    const { key } = await addKey(edge.tenant, ["WEIR.ADMIN", "METER_DATA.INGEST"]);
    for (const [method, path, body] of [
      ["GET", "/admin/tenants"],
      ["PUT", `/admin/tenants/${edge.tenant}`, {}],
      ["GET", "/admin/destinations"],
      ["PUT", "/admin/destinations/x", { dialect: "zuora", base_url: "https://a.example" }],
      ["DELETE", "/admin/destinations/x"],
    ] as const) {
      expect((await call(path, method, body, key)).status, `${method} ${path}`).toBe(403);
    }
  });
});

const ZUORA = { dialect: "zuora", base_url: "https://zuora.example", client_id: "c", client_secret: "never-shown-1" };
const rowOf = (name: string) =>
  bindings.LEDGER.prepare("SELECT client_secret, api_key FROM destinations WHERE name = ?1")
    .bind(name)
    .first<{ client_secret: string | null; api_key: string | null }>();

describe("/admin/destinations", () => {
  it("shows what was put but for its secrets, which are sealed and kept where none is sent", async () => {
    const name = fresh("dest");
    const put = await call(`/admin/destinations/${name}`, "PUT", { ...ZUORA, max_events: 7, calls_per_minute: 60 });
    const shown = {
      ...{ name, dialect: "zuora", base_url: "https://zuora.example", client_id: "c", client_secret_set: true },
      ...{
        api_key_set: false,
        ingest_path: null,
        token_url: null,
        max_bytes: null,
        max_events: 7,
        calls_per_minute: 60,
      },
    };
    expect([put.status, put.headers.get("cache-control"), await put.json()]).toEqual([200, "no-store", shown]);
    const { items } = await (await call("/admin/destinations?limit=1000")).json<{ items: Json[] }>();
    const standing = { state: "ok", since: null, why: [], lanes_waiting: 0 };
    expect(items.find((item) => item["name"] === name)).toEqual({ ...shown, ...standing });
    expect(JSON.stringify(items)).not.toContain("never-shown");
    const first = await rowOf(name);
    expect(first?.client_secret).toMatch(/^v1\.[A-Za-z0-9+/]+=*$/);
    expect(JSON.stringify(first)).not.toContain("never-shown");
    const { client_secret: _, ...without } = ZUORA;
    const again = await call(`/admin/destinations/${name}`, "PUT", { ...without, base_url: "https://b.example/" });
    expect(await again.json()).toMatchObject({
      base_url: "https://b.example",
      client_secret_set: true,
      max_events: null,
    });
    expect(await rowOf(name)).toEqual(first);
    await call(`/admin/destinations/${name}`, "PUT", ZUORA);
    expect((await rowOf(name))?.client_secret, "sealed with another nonce").not.toBe(first?.client_secret);
  });

  it.each<[title: string, body: Json, field: string]>([
    ["an unknown dialect", { ...ZUORA, dialect: "edge" }, "dialect"],
    ["plain http", { ...ZUORA, base_url: "http://zuora.example" }, "base_url"],
    ["another scheme", { ...ZUORA, base_url: "ftp://zuora.example" }, "base_url"],
    ["no URL", { ...ZUORA, base_url: "zuora" }, "base_url"],
    ["credentials in the URL", { ...ZUORA, base_url: "https://u:p@zuora.example" }, "base_url"],
    ["a query", { ...ZUORA, base_url: "https://zuora.example?x=1" }, "base_url"],
    ["a token URL over plain http", { ...ZUORA, token_url: "http://zuora.example/oauth/token" }, "token_url"],
    ["a path that is none", { ...ZUORA, ingest_path: "@evil.example/" }, "ingest_path"],
    ["a secret with a line break", { ...ZUORA, client_secret: "a\nb" }, "client_secret"],
    ["a key for a vendor of tokens", { ...ZUORA, api_key: "k" }, "api_key"],
    [
      "a client for a vendor of keys",
      { dialect: "solvimon", base_url: "https://s.example", client_id: "c" },
      "client_id",
    ],
    ["no calls", { ...ZUORA, calls_per_minute: 0 }, "calls_per_minute"],
  ])("%s is a 400 that names the field", async (_title, body, field) => {
    const name = fresh("dest");
    expect(await refusalOf(call(`/admin/destinations/${name}`, "PUT", body))).toEqual([400, [field]]);
    expect(await rowOf(name)).toBeNull();
  });

  it("plain http to this machine is accepted on a local edge alone", async () => {
    const deployed = connectEdge(edge.tenant, { vars: { LOOPBACK_DESTINATIONS: "" } });
    for (const host of ["127.0.0.1:8789", "localhost:1", "[::1]:1"]) {
      const body = { ...ZUORA, base_url: `http://${host}` };
      expect((await call(`/admin/destinations/${fresh("dest")}`, "PUT", body)).status, host).toBe(200);
      const refused = call(`/admin/destinations/${fresh("dest")}`, "PUT", body, operator, deployed);
      expect(await refusalOf(refused), host).toEqual([400, ["base_url"]]);
    }
    const far = { ...ZUORA, base_url: "http://127.0.0.1.evil.example" };
    expect((await call(`/admin/destinations/${fresh("dest")}`, "PUT", far)).status).toBe(400);
  });

  it("without a key to seal with a secret is refused, saying how to set one; without a secret none is needed", async () => {
    const bare = connectEdge(edge.tenant, { vars: { DESTINATION_KEY: "" } });
    const name = fresh("dest");
    const refused = await call(`/admin/destinations/${name}`, "PUT", ZUORA, operator, bare);
    expect([refused.status, (await refused.json<Refusal>()).message]).toEqual([
      503,
      expect.stringContaining("DESTINATION_KEY"),
    ]);
    expect(await rowOf(name)).toBeNull();
    const { client_secret: _, ...without } = ZUORA;
    expect((await call(`/admin/destinations/${name}`, "PUT", without, operator, bare)).status).toBe(200);
  });

  it("is deleted once nothing goes to it; default is none that can be put or deleted", async () => {
    const name = fresh("dest");
    const tenant = fresh("tenant");
    await call(`/admin/destinations/${name}`, "PUT", ZUORA);
    const wrong = await refusalOf(call(`/admin/tenants/${tenant}`, "PUT", { destinations: { solvimon: name } }));
    expect(wrong, "of another dialect").toEqual([400, ["destinations.solvimon"]]);
    expect((await call(`/admin/tenants/${tenant}`, "PUT", { destinations: { zuora: name } })).status).toBe(200);
    expect((await call(`/admin/destinations/${name}`, "DELETE")).status).toBe(409);
    const other = { dialect: "solvimon", base_url: "https://s.example" };
    expect((await call(`/admin/destinations/${name}`, "PUT", other)).status, "another dialect").toBe(409);
    expect((await call(`/admin/tenants/${tenant}`, "PUT", { destinations: { zuora: "default" } })).status).toBe(200);
    expect((await call(`/admin/destinations/${name}`, "DELETE")).status).toBe(204);
    expect((await call(`/admin/destinations/${name}`, "DELETE")).status).toBe(404);
    expect(await refusalOf(call("/admin/destinations/default", "PUT", ZUORA))).toEqual([400, ["name"]]);
    expect((await call("/admin/destinations/default", "DELETE")).status).toBe(404);
    expect(await refusalOf(call("/admin/destinations/a%20b", "PUT", ZUORA))).toEqual([400, ["name"]]);
  });
});

describe("a key reaches no further than its maker", () => {
  const ends = Date.parse("2100-01-01T00:00:00Z");
  const bounded = { platform_ids: ["p1"], entity_ids: ["e1", "e2"], org_ids: ["o1"], expires_at: ends };
  const within = { platform_ids: ["p1"], entity_ids: ["e2"], org_ids: ["o1"], expires_at: "2099-01-01T00:00:00Z" };

  it.each<[title: string, body: Json, fields: string[]]>([
    ["within every list", {}, []],
    ["another platform", { platform_ids: ["p1", "p2"] }, ["platform_ids.1"]],
    ["another entity", { entity_ids: ["e3"] }, ["entity_ids.0"]],
    ["another org", { org_ids: ["o2"] }, ["org_ids.0"]],
    ["any entity", { entity_ids: ["*"] }, ["entity_ids.0"]],
    ["no list where its maker has one", { entity_ids: null }, ["entity_ids"]],
    ["a later end", { expires_at: "2101-01-01T00:00:00Z" }, ["expires_at"]],
    ["no end", { expires_at: null }, ["expires_at"]],
  ])("%s", async (_title, body, fields) => {
    const maker = await addKey(edge.tenant, ["WEIR.ADMIN"], bounded);
    const status = fields.length === 0 ? 201 : 400;
    expect(await refusalOf(makeKey({ ...within, ...body }, maker.key))).toEqual([status, fields]);
  });

  it("nor does one it rotates; a maker without lists makes any", async () => {
    const maker = await addKey(edge.tenant, ["WEIR.ADMIN"], bounded);
    const free = await addKey(edge.tenant, ["WEIR.ADMIN"]);
    const wide = await (await makeKey({ entity_ids: ["e9"], platform_ids: ["*"] }, free.key)).json<Key>();
    const rotate = (id: string, key: string) => call(`/admin/api-keys/${id}/rotate`, "POST", {}, key);
    expect(await refusalOf(rotate(wide.id, maker.key))).toEqual([
      400,
      ["platform_ids.0", "entity_ids.0", "org_ids", "expires_at"],
    ]);
    expect((await rotate(wide.id, free.key)).status).toBe(201);
    const narrow = await (await makeKey(within, maker.key)).json<Key>();
    expect((await rotate(narrow.id, maker.key)).status).toBe(201);
  });

  it("a tenant's admin neither revokes nor rotates an operator's key, nor makes one", async () => {
    const admin = await addKey(edge.tenant, ["WEIR.ADMIN"]);
    const house = await addKey(edge.tenant, ["WEIR.OPERATOR"]);
    expect((await call(`/admin/api-keys/${house.id}`, "DELETE", undefined, admin.key)).status).toBe(403);
    expect((await call(`/admin/api-keys/${house.id}/rotate`, "POST", {}, admin.key)).status).toBe(403);
    expect((await makeKey({ permissions: ["WEIR.OPERATOR"] }, admin.key)).status).toBe(403);
    expect((await call("/admin/tenants", "GET", undefined, house.key)).status, "it still works").toBe(200);
    expect((await call(`/admin/api-keys/${house.id}?tenant=${edge.tenant}`, "DELETE")).status, "an operator may").toBe(
      204,
    );
  });
});

describe("a key that has ended changes nothing, though an instance remembers it", () => {
  const FILTER = { stream: "usage/m" };
  const WRITES: readonly [method: string, path: string, body?: unknown][] = [
    ["POST", "/admin/api-keys", { name: "n", permissions: ["METER_DATA.INGEST"] }],
    ["DELETE", "/admin/api-keys/{id}"],
    ["POST", "/admin/api-keys/{id}/rotate", {}],
    ["PUT", "/admin/catalog", { streams: [] }],
    ["PUT", "/admin/tenants/{id}", { name: "changed" }],
    ["PUT", "/admin/destinations/{name}", ZUORA],
    ["DELETE", "/admin/destinations/{name}"],
    ["POST", "/admin/producers/{producer}/owner", { api_key_id: "ANOTHER" }],
    ["POST", "/admin/quarantine/{id}/replay", { event: JSON.parse(event({ Quantity: 3 })) }],
    ["POST", "/admin/quarantine/{id}/discard", { reason: "r" }],
    ["POST", "/admin/quarantine/replay", FILTER],
    ["POST", "/admin/quarantine/discard", { ...FILTER, reason: "r" }],
    ["POST", "/admin/quarantine/withdraw", FILTER],
  ];

  it("these are all the writes there are below /admin", () => {
    const documented = Object.entries(createOpenApiDocument().paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    const writes = documented.filter((one) => one.includes(" /admin/") && !one.startsWith("GET "));
    expect(WRITES.map(([method, path]) => `${method} ${path}`).sort()).toEqual(writes.sort());
  });

  it.each(WRITES)("%s %s", async (method, path, body) => {
    const refusing: typeof fetch = async (input) =>
      String(input).endsWith("/oauth/token")
        ? Response.json({ access_token: "t", expires_in: 3600 })
        : Response.json({ success: false }, { status: 403 });
    const mine = await setupEdge({ runtime: { fetch: refusing } });
    const key = await addKey(mine.tenant, ["WEIR.ADMIN", "WEIR.OPERATOR"]);
    const destination = fresh("dest");
    expect((await call(`/admin/destinations/${destination}`, "PUT", ZUORA, key.key, mine)).status).toBe(200);
    const catalog = { streams: [{ meter_global_id: "m" }] };
    expect((await call("/admin/catalog", "PUT", catalog, key.key, mine)).status).toBe(200);
    // One event in quarantine that the stream takes now, one that waits at the upstream.
    await mine.post("m", event(), { "weir-producer": "p", "weir-sequence": "1" });
    const another = await addKey(mine.tenant, ["METER_DATA.INGEST"]);
    await mine.services.delivery.sweep();
    await mine.post("m", JSON.stringify({ CustomerId: "c" }), { prefer: "handling=lenient" });
    await bindings.LEDGER.prepare("UPDATE quarantine SET event = ?2 WHERE tenant = ?1")
      .bind(mine.tenant, event({ Quantity: 2 }))
      .run();
    const held = await bindings.LEDGER.prepare("SELECT number AS id FROM quarantine WHERE tenant = ?1")
      .bind(mine.tenant)
      .first<{ id: number }>();
    const id = path.startsWith("/admin/tenants")
      ? mine.tenant
      : path.startsWith("/admin/quarantine")
        ? String(held?.id)
        : `id-of-${mine.tenant}`;
    const filled = path.replace("{id}", id).replace("{name}", destination).replace("{producer}", "p");
    const sent = body === undefined ? undefined : JSON.parse(JSON.stringify(body).replace("ANOTHER", another.id));
    const view = async () => {
      const tables = ["api_keys", "catalogs", "quarantine", "counters", "outbox", "shipments", "holds", "batches"];
      const rows = await bindings.LEDGER.batch([
        ...tables.map((table) => bindings.LEDGER.prepare(`SELECT * FROM ${table} WHERE tenant = ?1`).bind(mine.tenant)),
        bindings.LEDGER.prepare("SELECT * FROM tenants"),
        bindings.LEDGER.prepare("SELECT * FROM destinations"),
      ]);
      return JSON.stringify(rows.map(({ results }) => results));
    };
    await bindings.LEDGER.prepare("UPDATE api_keys SET revoked_at = 1 WHERE id = ?1").bind(key.id).run();
    const before = await view();
    const read = await call("/admin/catalog", "GET", undefined, key.key, mine);
    expect(read.status, "remembered, for reads").toBe(200);
    expect((await call(filled, method, sent, key.key, mine)).status).toBe(401);
    expect(await view()).toBe(before);
    await bindings.LEDGER.prepare("UPDATE api_keys SET revoked_at = NULL WHERE id = ?1").bind(key.id).run();
    expect((await call(filled, method, sent, key.key, mine)).status, "with a key that stands").toBeLessThan(300);
    expect(await view()).not.toBe(before);
  });
});

const ENTITY = '{"entity":"e1"}';
const GIVEN = '{"entity":"e1,e2","org":"o1"}';

describe("what a tenant is allowed", () => {
  const ALLOWED = { meters: ["m1", "metr_1", "ref-1"], entity_ids: ["e1"], org_ids: ["o1"], platform_ids: ["p1"] };
  const meterData = (names: Json) => ({
    ...names,
    reference: fresh("reference-of-an-event"),
    customer_reference: "acme",
    timestamp: "2026-03-10T12:00:00Z",
    meter_values: [{ reference: "v", number: "1" }],
  });

  async function tenantWithin(allowed: Json = ALLOWED) {
    const mine = await setupEdge();
    const wide = await addKey(mine.tenant, ["METER_DATA.INGEST", "WEIR.ADMIN"], {
      ...{ platform_ids: ["p1", "p2"], entity_ids: ["e1", "e2"], org_ids: ["*"] },
    });
    const catalog = { streams: [{ meter_global_id: "m1" }, { meter_global_id: "m2" }] };
    expect((await mine.putCatalog(catalog)).status, "before anything was said").toBe(200);
    expect((await call(`/admin/tenants/${mine.tenant}`, "PUT", { allowed }, operator, mine)).status).toBe(200);
    return { mine, wide };
  }

  it("its catalog stays within", async () => {
    const { mine } = await tenantWithin();
    const meter = (id: string, reference: string) => ({
      ...{ id, reference, status: "ACTIVE", meter_properties: [] },
      meter_values: [{ reference: "v", type: "NUMBER", calculation: "SUM", required: true }],
    });
    const document = {
      streams: [{ meter_global_id: "m1" }, { meter_global_id: "theirs" }],
      meters: [meter("metr_1", "ref-1"), meter("metr_2", "ref-2")],
    };
    expect(await refusalOf(mine.putCatalog(document))).toEqual([400, ["streams.1.meter_global_id", "meters.1.id"]]);
    const asOperator = call(`/admin/catalog?tenant=${mine.tenant}`, "PUT", document);
    expect(await refusalOf(asOperator), "put by an operator too").toEqual([
      400,
      ["streams.1.meter_global_id", "meters.1.id"],
    ]);
    const kept = { streams: document.streams.slice(0, 1), meters: document.meters.slice(0, 1) };
    expect((await mine.putCatalog(kept)).status).toBe(200);
  });

  it("its new and rotated keys stay within", async () => {
    const { mine, wide } = await tenantWithin();
    const admin = await addKey(mine.tenant, ["WEIR.ADMIN"]);
    const lists = { platform_ids: ["p2"], entity_ids: ["e1", "e2"], org_ids: ["*"] };
    const fields = ["platform_ids.0", "entity_ids.1", "org_ids.0"];
    for (const key of [admin.key, operator]) {
      expect(await refusalOf(makeKey({ ...lists, tenant: mine.tenant }, key))).toEqual([400, fields]);
    }
    expect((await makeKey({ platform_ids: ["p1"], entity_ids: ["e1"], org_ids: ["o1"] }, admin.key)).status).toBe(201);
    const rotated = await refusalOf(call(`/admin/api-keys/${wide.id}/rotate`, "POST", {}, admin.key));
    expect(rotated).toEqual([400, ["platform_ids.1", "entity_ids.1", "org_ids.0"]]);
  });

  it("a key and a catalog that are wider are held to it at use", async () => {
    const { mine, wide } = await tenantWithin();
    const send = async (meter: string, headers: Record<string, string>) =>
      (await mine.post(meter, event({ n: fresh("n") }), { "x-api-key": wide.key, ...headers })).status;
    expect(await send("m1", {})).toBe(200);
    expect(await send("m1", { "x-platform-id": "p1", "zuora-entity-ids": "e1", "zuora-org-ids": "o1" })).toBe(200);
    expect(await send("m2", {}), "a meter").toBe(403);
    expect(await send("m1", { "zuora-entity-ids": "e2" }), "an entity").toBe(400);
    expect(await send("m1", { "zuora-org-ids": "o2" }), "an org").toBe(400);
    expect(await send("m1", { "x-platform-id": "p2" }), "a platform").toBe(403);
  });

  const CHARGE = {
    ...{ product_item_id: "p", pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" },
    value: { number: "1" },
  };
  const lastContext = async (tenant: string) =>
    (
      await bindings.LEDGER.prepare("SELECT context FROM batches WHERE tenant = ?1 ORDER BY id DESC LIMIT 1")
        .bind(tenant)
        .first<{ context: string }>()
    )?.context;

  it.each<[title: string, columns: Json, allowed: Json, usage: unknown, charge: unknown]>([
    ["no list, no bounds: nothing", {}, {}, "", ""],
    ["no list, bounds: the tenant's", {}, { entity_ids: ["e1", "e2"], org_ids: ["o1"] }, GIVEN, GIVEN],
    ["an empty list, bounds: the tenant's", { entity_ids: [] }, { entity_ids: ["e1"] }, ENTITY, ENTITY],
    ["any, bounds: the tenant's", { entity_ids: ["*"] }, { entity_ids: ["e1"] }, ENTITY, ENTITY],
    ["a list within wider bounds: its own", { entity_ids: ["e1"] }, { entity_ids: ["e0", "e1"] }, ENTITY, ENTITY],
    [
      "a list that reaches beyond: what is left of it",
      { entity_ids: ["e1", "e9"] },
      { entity_ids: ["e1"] },
      ENTITY,
      ENTITY,
    ],
    ["a list with nothing left within", { entity_ids: ["e9"] }, { entity_ids: ["e1"] }, 400, 400],
    ["a tenant that may name no entity", {}, { entity_ids: [] }, "", ""],
    ["one platform, where platforms matter: that one", {}, { platform_ids: ["p1"] }, "", '{"platform":"p1"}'],
    ["several platforms, where they matter: one is to be named", {}, { platform_ids: ["p1", "p2"] }, "", 400],
    [
      "a list too long for a header",
      {},
      { entity_ids: Array.from({ length: 900 }, (_, i) => `entity-${i}`) },
      400,
      400,
    ],
  ])("a request that names no ids, by a key with %s", async (_title, columns, allowed, usage, charge) => {
    const mine = await setupEdge();
    await mine.putCatalog({ streams: [{ meter_global_id: "m1" }] });
    expect((await call(`/admin/tenants/${mine.tenant}`, "PUT", { allowed }, operator, mine)).status).toBe(200);
    const { key } = await addKey(mine.tenant, ["METER_DATA.INGEST"], columns);
    const sent = async (answer: Promise<Response>) => {
      const { status } = await answer;
      return status < 300 ? lastContext(mine.tenant) : status;
    };
    expect(await sent(mine.post("m1", event(), { "x-api-key": key }))).toBe(usage);
    expect(await sent(call("/v1/ingest/charge-data", "POST", CHARGE, key, mine))).toBe(charge);
  });

  it("a replay, single or bulk, goes no further than its tenant and its key reach now", async () => {
    const mine = await setupEdge();
    await mine.putCatalog({ streams: [{ meter_global_id: "m1" }, { meter_global_id: "m2" }] });
    const sender = await addKey(mine.tenant, ["METER_DATA.INGEST"], { entity_ids: ["*"], org_ids: ["*"] });
    const hold = (meter: string, headers: Record<string, string>) =>
      mine.post(meter, '{"CustomerId":"c"}', { "x-api-key": sender.key, prefer: "handling=lenient", ...headers });
    for (const [meter, headers] of [
      ["m1", { "zuora-entity-ids": "e1" }],
      ["m1", { "zuora-entity-ids": "e2" }],
      ["m1", {}],
      ["m2", { "zuora-entity-ids": "e1" }],
      ["m1", { "zuora-entity-ids": "e2", "zuora-org-ids": "o1" }],
    ] as const)
      expect((await hold(meter, headers)).status).toBe(200);
    // Each is an event that its stream takes by now.
    await bindings.LEDGER.prepare("UPDATE quarantine SET event = json_set(?2, '$.n', id) WHERE tenant = ?1")
      .bind(mine.tenant, event())
      .run();
    const allowed = { meters: ["m1"], entity_ids: ["e1"] };
    expect((await call(`/admin/tenants/${mine.tenant}`, "PUT", { allowed }, operator, mine)).status).toBe(200);
    const { items } = await (await mine.request("/admin/quarantine")).json<{ items: { id: string }[] }>();
    const [within, beyond, unnamed, otherMeter, otherOrg] = items.map(({ id }) => id);
    const replay = (id: string | undefined, key = `key-of-${mine.tenant}`) =>
      call(`/admin/quarantine/${id}/replay`, "POST", undefined, key, mine);
    expect(await refusalOf(replay(beyond))).toEqual([400, ["headers.entity_ids"]]);
    expect((await replay(otherMeter)).status).toBe(403);
    const narrow = await addKey(mine.tenant, ["WEIR.ADMIN"], { entity_ids: ["e1"], org_ids: ["o2"] });
    const corrected = { ids: [otherOrg], headers: { entity_ids: ["e1"] } };
    const bulk = (body: Json, key: string) => call("/admin/quarantine/replay", "POST", body, key, mine);
    expect(await (await bulk(corrected, narrow.key)).json(), "an org that the key may not name").toMatchObject({
      replayed: 0,
      refused: [{ reasons: [{ field: "headers.org_ids" }] }],
    });
    expect((await bulk({ ids: [within], headers: { entity_ids: ["e2"] } }, narrow.key)).status).toBe(400);
    expect((await replay(within)).status).toBe(202);
    expect(await lastContext(mine.tenant)).toBe(ENTITY);
    expect((await replay(unnamed)).status).toBe(202);
    expect(await lastContext(mine.tenant), "the tenant's own entity stands in").toBe(ENTITY);
    expect(await (await bulk(corrected, `key-of-${mine.tenant}`)).json()).toMatchObject({ replayed: 1, refused: [] });
    expect(await lastContext(mine.tenant)).toBe('{"entity":"e1","org":"o1"}');
    const left = await (await mine.request("/admin/quarantine")).json<{ items: { id: string }[] }>();
    expect(
      left.items.map(({ id }) => id),
      "what was refused stays",
    ).toEqual([beyond, otherMeter]);
  });

  it("a corrected replay names the tenant's meters and no others, by id or reference, and stays where it does not", async () => {
    const { mine, wide } = await tenantWithin();
    const body = { meter_datas: [{ ...meterData({ meter_id: "metr_1" }), meter_values: "none" }] };
    const sent = await mine.request("/v1/ingest/meter-datas", {
      method: "POST",
      headers: { "x-api-key": wide.key, prefer: "handling=lenient" },
      body: new TextEncoder().encode(JSON.stringify(body)),
    });
    expect(sent.status).toBe(200);
    const held = async () => {
      const { items } = await (await mine.request("/admin/quarantine")).json<{ items: { id: string }[] }>();
      return items.map(({ id }) => id);
    };
    const [id] = await held();
    const replay = (names: Json) =>
      call(`/admin/quarantine/${id}/replay`, "POST", { event: meterData(names) }, `key-of-${mine.tenant}`, mine);
    for (const names of [
      { meter_id: "metr_2" },
      { meter_reference: "ref-2" },
      { meter_id: "metr_1", meter_reference: "ref-2" },
    ])
      expect((await replay(names)).status, JSON.stringify(names)).toBe(400);
    expect(await held()).toEqual([id]);
    expect((await replay({ meter_id: "metr_1" })).status).toBe(202);
    expect(await held()).toEqual([]);
  });

  it.each([
    ["/v1/ingest/meter-data", (data: Json) => data, 201],
    ["/v1/ingest/meter-datas", (data: Json) => ({ meter_datas: [data] }), 200],
    ["/v1/events/calculate", (data: Json) => data, 201],
  ])("%s names the tenant's meters and no others, by id or reference", async (path, bodyOf, taken) => {
    const { mine, wide } = await tenantWithin();
    const document = {
      meters: ["1", "2"].map((n) => ({
        ...{ id: `metr_${n}`, reference: `ref-${n}`, status: "ACTIVE", meter_properties: [] },
        meter_values: [{ reference: "v", type: "NUMBER", calculation: "SUM", required: true }],
      })),
    };
    // As it stood before anything was said of the tenant.
    await bindings.LEDGER.prepare("UPDATE catalogs SET document = ?2, version = version + 1 WHERE tenant = ?1")
      .bind(mine.tenant, JSON.stringify(document))
      .run();
    const later = connectEdge(mine.tenant, { vars: { SOLVIMON_BASE_URL: "" } });
    const statusOf = async (names: Json) =>
      (await call(path, "POST", bodyOf(meterData(names)), wide.key, later)).status;
    expect(await statusOf({ meter_id: "metr_1" })).toBe(taken);
    expect(await statusOf({ meter_reference: "ref-1" })).toBe(taken);
    expect(await statusOf({ meter_id: "metr_2" })).toBe(400);
    expect(await statusOf({ meter_reference: "ref-2" })).toBe(400);
    expect(await statusOf({ meter_id: "metr_1", meter_reference: "ref-2" })).toBe(400);
  });
});

it("an unknown query parameter is a 400 below /admin", async () => {
  for (const path of [
    "/admin/api-keys",
    "/admin/tenants",
    "/admin/destinations",
    "/admin/catalog",
    "/admin/quarantine",
  ])
    expect(await refusalOf(call(`${path}?typo=1`)), path).toEqual([400, ["typo"]]);
});
