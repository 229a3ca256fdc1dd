/**
 * Every route that the OpenAPI document has, called by one tenant's admin with all that is another's: ids, names, cursors,
 * keys. What the other has does not change by a byte, and nothing of it is answered. A new route is walked by itself.
 */
import { beforeAll, expect, it } from "vitest";
import { createOpenApiDocument } from "../../worker/routes.ts";
import { bindings, event, setupEdge, type TestEdge } from "./support/edge.ts";

type Json = Record<string, unknown>;
interface Schema {
  readonly $ref?: string;
  readonly properties?: Record<string, Schema>;
}
interface Media {
  readonly schema: Schema;
  readonly example?: unknown;
  readonly examples?: Record<string, { readonly value: unknown }>;
}
interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly example?: unknown;
}
interface Operation {
  readonly parameters?: readonly unknown[];
  readonly requestBody?: { readonly content: Record<string, Media> };
}

const document = createOpenApiDocument();
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => {
    return [method.toUpperCase(), path, operation as unknown as Operation] as const;
  }),
);

function resolved<T>(value: unknown): T {
  const reference = (value as Schema).$ref;
  if (reference === undefined) return value as T;
  const parts = reference.slice(2).split("/");
  return parts.reduce<unknown>((at, name) => (at as Json)[name], document) as T;
}

const encode = (value: unknown) => new TextEncoder().encode(typeof value === "string" ? value : JSON.stringify(value));

let owner: TestEdge;
let stranger: TestEdge;
/** What the owner has, by what a request may call it. */
let foreign: {
  readonly events: readonly string[];
  readonly held: readonly string[];
  readonly keys: readonly string[];
  readonly cursors: Readonly<Record<string, string>>;
};

/** Stands in all that the owner stored and in no request of the stranger's. */
const inner = () => `inner-${owner.tenant}`;
const meter = () => `meter-of-${owner.tenant}`;
const producer = () => `producer-of-${owner.tenant}`;
const reference = () => `reference-of-${owner.tenant}`;
const idempotencyKey = () => `key-sent-by-${owner.tenant}`;
const customer = () => `customer-of-${owner.tenant}`;
const destination = () => `destination-of-${owner.tenant}`;

const asOwner = async <T>(path: string, method = "GET", body?: unknown, headers: Record<string, string> = {}) => {
  const answer = await owner.request(path, { method, headers, ...(body === undefined ? {} : { body: encode(body) }) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return answer.json<T>();
};

/** Zuora takes what it is sent, but for events that say that they wait. */
const upstream: typeof fetch = async (input, init) => {
  if (String(input).endsWith("/oauth/token")) return Response.json({ access_token: "t", expires_in: 3600 });
  const body = new Response(init?.body).body?.pipeThrough(new DecompressionStream("gzip"));
  const status = (await new Response(body).text()).includes("waits") ? 403 : 200;
  return Response.json({ success: status === 200 }, { status });
};

beforeAll(async () => {
  owner = await setupEdge({ runtime: { fetch: upstream }, vars: { ZUORA_BASE_URL: "http://upstream.invalid" } });
  stranger = await setupEdge();
  for (const { tenant } of [owner, stranger])
    await bindings.LEDGER.prepare(`UPDATE api_keys SET entity_ids = '["*"]', org_ids = '["*"]' WHERE tenant = ?1`)
      .bind(tenant)
      .run();
  await owner.putCatalog({ streams: [{ meter_global_id: meter() }], customers: [{ id: "c", reference: inner() }] });
  await giveDestination();
  await sendEvents();
  await owner.services.delivery.sweep();
  foreign = await readForeign();
  // The stranger has a meter of the same name, so that its requests get past the catalog.
  await stranger.putCatalog({ streams: [{ meter_global_id: meter() }] });
});

async function giveDestination() {
  await bindings.LEDGER.batch([
    bindings.LEDGER.prepare(
      "INSERT INTO destinations (name, dialect, base_url, revision) VALUES (?1, 'zuora', ?2, 'r')",
    ).bind(destination(), `https://${inner()}.example`),
    bindings.LEDGER.prepare("INSERT INTO tenants (id, name, zuora, allowed) VALUES (?1, ?2, ?3, '{}')").bind(
      ...[owner.tenant, inner(), destination()],
    ),
  ]);
}

async function sendEvents() {
  const ids = { product_item_id: "p", pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" };
  const numbered = { "weir-producer": producer(), "weir-sequence": "1" };
  const send = (body: string, headers: Record<string, string>) => owner.post(meter(), body, headers);
  await send(event({ CustomerId: customer(), note: inner() }), numbered);
  await send(event({ CustomerId: inner(), note: "waits" }), { "zuora-entity-ids": "e1" });
  await send(event({ CustomerId: inner() }), { "idempotency-key": idempotencyKey() });
  for (let n = 0; n < 4; n++) await send(JSON.stringify({ CustomerId: inner(), n }), { prefer: "handling=lenient" });
  const charge = { ...ids, value: { number: "1" }, reference: reference(), description: inner() };
  await asOwner("/v1/ingest/charge-data", "POST", charge);
  const persist = { customer_id: null, pricing_plan_subscription_id: null, ...ids, reprocess_id: reference() };
  await asOwner("/v1/ingest/persist-data", "POST", { ...persist, note: inner(), is_last_reprocess_item: true });
  await asOwner("/admin/api-keys", "POST", { name: inner(), permissions: ["METER_DATA.INGEST"] });
}

async function readForeign() {
  interface Page {
    readonly items: readonly { readonly id: string }[];
    readonly next: string | null;
  }
  const idsOf = async (path: string) => (await asOwner<Page>(path)).items.map(({ id }) => id);
  const held = await idsOf("/admin/quarantine");
  await asOwner(`/admin/quarantine/${held[0]}/discard`, "POST", { reason: inner() });
  const paths = ["/admin/events", "/v1/events", "/admin/quarantine", "/admin/api-keys"];
  const cursors: Record<string, string> = {};
  for (const path of paths) {
    const { next } = await asOwner<Page>(`${path}?limit=1`);
    if (next === null) throw new Error(`${path} has no second page`);
    cursors[path.replace("/v1/", "/v{version}/")] = next;
  }
  return { events: await idsOf("/admin/events"), held, keys: await idsOf("/admin/api-keys"), cursors };
}

/** How each table's rows are the owner's. */
const OF_BATCH = "batch IN (SELECT id FROM batches WHERE tenant = ?1)";
const OF_SHIPMENT = "shipment IN (SELECT id FROM shipments WHERE tenant = ?1)";
const OWNED: Record<string, string> = {
  tenants: "id = ?1",
  destinations: "name = 'destination-of-' || ?1",
  keys: OF_BATCH,
  corrections: OF_BATCH,
  shipment_parts: OF_SHIPMENT,
  attempts: OF_SHIPMENT,
  retention_late: OF_BATCH,
  // How far retention has come through everybody's.
  retention: "length(?1) = 0",
};

/** All that the database holds of the owner. */
async function everythingOwned(): Promise<Record<string, unknown>> {
  const db = bindings.LEDGER;
  const tables = await db
    .prepare(
      `SELECT name, EXISTS (SELECT 1 FROM pragma_table_info(sqlite_schema.name) WHERE name = 'tenant') AS of_tenant
      FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '\\_cf%' ESCAPE '\\'
        AND name <> 'd1_migrations'`,
    )
    .all<{ name: string; of_tenant: 0 | 1 }>();
  const names = tables.results.map(({ name }) => name);
  const rows = await db.batch(
    tables.results.map(({ name, of_tenant }) => {
      const owned = OWNED[name] ?? (of_tenant === 1 ? "tenant = ?1" : null);
      if (owned === null) throw new Error(`whose are the rows of ${name}? say it in OWNED`);
      return db.prepare(`SELECT * FROM ${name} WHERE ${owned} ORDER BY 1, 2`).bind(owner.tenant);
    }),
  );
  return Object.fromEntries(names.map((name, i) => [name, JSON.stringify(rows[i]?.results)]));
}

/** What of the owner's a path's parameter can name. */
function pathValues(path: string, name: string): readonly string[] {
  if (name === "version") return ["1"];
  if (name === "meterGlobalId") return [meter()];
  if (name === "producer") return [producer()];
  if (name === "name" && path.startsWith("/admin/destinations/")) return [destination()];
  if (name === "id" && path.includes("/events/")) return foreign.events;
  if (name === "id" && path.startsWith("/admin/quarantine/")) return foreign.held;
  if (name === "id" && path.startsWith("/admin/api-keys/")) return foreign.keys;
  if (name === "id" && path.startsWith("/admin/tenants/")) return [owner.tenant];
  throw new Error(`what of another tenant can {${name}} of ${path} be? say it in pathValues`);
}

function queryValue(path: string, { name, example }: Parameter): string {
  const known: Record<string, string | undefined> = {
    tenant: owner.tenant,
    stream: `usage/${meter()}`,
    producer: producer(),
    own_id: reference(),
    key: idempotencyKey(),
    customer: customer(),
    cursor: foreign.cursors[path] ?? owner.tenant,
  };
  return known[name] ?? String(example ?? "1");
}

/** Members of bodies that can name what is another's. */
function bodyValues(): Json {
  return {
    tenant: owner.tenant,
    stream: `usage/${meter()}`,
    ids: foreign.held,
    api_key_id: foreign.keys[0],
    client_id: foreign.keys[0],
    client_secret: `key-of-${stranger.tenant}`,
    reference: reference(),
    reprocess_id: reference(),
    destinations: { zuora: destination() },
  };
}

interface Sent {
  readonly url: string;
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: Uint8Array;
}

function* bodiesOf({ requestBody }: Operation): Generator<Pick<Sent, "body"> & { type: string }> {
  for (const [type, media] of Object.entries(requestBody?.content ?? {})) {
    const { properties = {} } = resolved<Schema>(media.schema);
    const examples = "example" in media ? [media.example] : Object.values(media.examples ?? {}).map((one) => one.value);
    for (const example of examples) {
      yield { type, body: bodyOf(type, example) };
      if (typeof example !== "object" || example === null || Array.isArray(example)) continue;
      for (const [name, value] of Object.entries(bodyValues())) {
        if (name in properties) yield { type, body: bodyOf(type, { ...example, [name]: value }) };
      }
    }
  }
}

function bodyOf(type: string, value: unknown): Uint8Array {
  if (type !== "application/x-www-form-urlencoded") return encode(value);
  return encode(new URLSearchParams(value as Record<string, string>).toString());
}

/** Without headers of its own, and with each that can repeat what the owner sent. */
const HEADERS = (): Record<string, string>[] => [
  {},
  { "idempotency-key": idempotencyKey() },
  { "weir-producer": producer(), "weir-sequence": "1" },
  { "weir-producer": producer(), "weir-sequence": "2", prefer: "handling=lenient" },
  { "zuora-entity-ids": "e1" },
];

function* requestsOf(method: string, path: string, operation: Operation): Generator<Sent> {
  const parameters = (operation.parameters ?? []).map((one) => resolved<Parameter>(one));
  let urls = [path];
  for (const { name } of parameters.filter((one) => one.in === "path"))
    urls = urls.flatMap((url) =>
      pathValues(path, name).map((value) => url.replace(`{${name}}`, encodeURIComponent(value))),
    );
  const query = parameters.filter((one) => one.in === "query");
  const required = query.filter((one) => one.required);
  const searches = [required, ...query.map((one) => [...new Set([...required, one])])].map((several) =>
    new URLSearchParams(several.map((one): [string, string] => [one.name, queryValue(path, one)])).toString(),
  );
  const bodies = [...bodiesOf(operation)];
  const isIngest = parameters.some((one) => one.in === "header" && one.name === "Weir-Producer");
  for (const url of urls)
    for (const search of new Set(searches))
      for (const { type, ...body } of bodies.length === 0 ? [{ type: "" }] : bodies)
        for (const own of isIngest ? HEADERS() : [{}]) {
          const headers = { "if-match": "*", ...(type === "" ? {} : { "content-type": type }), ...own };
          yield { url: search === "" ? url : `${url}?${search}`, method, headers, ...body };
        }
}

it.each(operations)("%s %s neither tells nor changes anything of another tenant", async (method, path, operation) => {
  const before = await everythingOwned();
  // An event's id follows from what the event says: what the stranger sent itself may have the same one.
  // And a producer's name is each tenant's own: here it is the key it is to be given to that is another's.
  const refusals = path.includes("/events/") ? [200, 404] : path.includes("/producers/") ? [400, 404] : [404];
  const namesForeign = /\{(id|name|producer)\}/.test(path);
  let sent = 0;
  for (const { url, ...init } of requestsOf(method, path, operation)) {
    // On the owner's own instance, so that what it remembers is shared.
    const headers = { "x-api-key": `key-of-${stranger.tenant}`, ...init.headers };
    const answer = await owner.request(url, { ...init, headers });
    const text = await answer.text();
    expect(text, `${method} ${url}`).not.toContain(inner());
    expect(answer.status, `${method} ${url} ${text}`).toBeLessThan(500);
    if (path.startsWith("/admin/") && url.includes(`tenant=${owner.tenant}`)) expect(answer.status, url).toBe(403);
    if (namesForeign) expect([403, ...refusals], `${method} ${url} ${answer.status}`).toContain(answer.status);
    sent++;
  }
  expect(sent).toBeGreaterThan(0);
  expect(await everythingOwned()).toEqual(before);
});

it("the walk would notice: the owner's own key is answered with what the stranger's is not", async () => {
  const paths = ["/admin/events", "/admin/quarantine", "/admin/api-keys", "/admin/catalog", "/v1/events"];
  for (const path of paths) {
    expect(JSON.stringify(await asOwner(path)), path).toContain(inner());
  }
  const before = await everythingOwned();
  await asOwner(`/admin/quarantine/${foreign.held[1]}/discard`, "POST", { reason: "the owner's own" });
  expect(await everythingOwned()).not.toEqual(before);
});
