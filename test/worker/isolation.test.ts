/** Two tenants on one instance of the Worker: neither reads, changes, learns of or collides with what the other has. */
import { beforeAll, describe, expect, it } from "vitest";
import { bindings, connectEdge, event, setupEdge, type TestEdge } from "./support/edge.ts";

type Json = Record<string, unknown>;

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const LENIENT = { prefer: "handling=lenient, return=representation" };
const CHARGE = {
  product_item_id: "p",
  pricing_id: "p",
  pricing_item_id: "p",
  pricing_item_config_id: "p",
  value: { number: "1" },
};
const PERSIST = {
  customer_id: null,
  pricing_id: "p",
  pricing_item_id: "p",
  pricing_item_config_id: "p",
  pricing_plan_subscription_id: null,
};

let owner: TestEdge;
let stranger: TestEdge;
let operator: string;
/** What the owner has. */
let eventId: string;
let usageId: string;
let heldId: string;
let keyId: string;

interface Call {
  readonly method?: string;
  readonly body?: unknown;
  readonly headers?: Record<string, string>;
  readonly key?: string;
}

/** Every call goes to the owner's instance, so that whatever it remembers is shared; only the key differs. */
function call(path: string, { method = "GET", body, headers = {}, key }: Call = {}): Promise<Response> {
  const all = { "x-api-key": key ?? `key-of-${stranger.tenant}`, ...headers };
  return owner.request(path, { method, headers: all, ...(body === undefined ? {} : { body: encode(body) }) });
}
const asOwner = (path: string, more: Call = {}) => call(path, { ...more, key: `key-of-${owner.tenant}` });
const asOperator = (path: string, more: Call = {}) => call(path, { ...more, key: operator });
const create = async (body: Json, key: string): Promise<{ id: string; key: string }> =>
  (await call("/admin/api-keys", { method: "POST", body, key })).json();

beforeAll(async () => {
  owner = await setupEdge();
  stranger = await setupEdge();
  const permissions = ["METER_DATA.INGEST", "WEIR.ADMIN", "WEIR.OPERATOR"];
  const none = { platformIds: null, entityIds: null, orgIds: null, producers: null, origins: null, expiresAt: null };
  const writer = { apiKeyId: `id-of-${owner.tenant}`, now: 0 };
  operator = (await owner.services.keyStore.create("house", { name: "o", permissions, ...none }, writer)).key;
  await owner.putCatalog({ streams: [{ meter_global_id: meter() }] });
  const usage = await owner.post(meter(), event({ CustomerId: mark() }), {
    "weir-producer": producer(),
    "weir-sequence": "1",
    prefer: "return=representation",
  });
  usageId = (await usage.json<{ results: { id: string }[] }>()).results[0]?.id ?? "";
  const charge = await asOwner("/v1/ingest/charge-data", { method: "POST", body: { ...CHARGE, reference: mark() } });
  eventId = (await charge.json<{ id: string }>()).id;
  await owner.post(meter(), JSON.stringify({ CustomerId: mark() }), LENIENT);
  heldId = (await (await asOwner("/admin/quarantine")).json<{ items: { id: string }[] }>()).items[0]?.id ?? "";
  keyId = (await create({ name: mark(), permissions: ["METER_DATA.INGEST"] }, `key-of-${owner.tenant}`)).id;
});

const mark = () => `secret-${owner.tenant}`;
const meter = () => `meter-${mark()}`;
const producer = () => `producer-${mark()}`;

/** Everything the owner can see of itself, for telling whether anything changed. */
async function ownersView(): Promise<string[]> {
  const paths = ["/admin/ledger", "/admin/catalog", "/admin/quarantine", "/admin/events", "/admin/api-keys"];
  return Promise.all(paths.map(async (path) => (await asOwner(path)).text()));
}

describe("a stranger's key", () => {
  it.each([
    ["/admin/ledger", { items: [], next: null }],
    ["/admin/ledger?producer=PRODUCER&stream=usage/METER", { items: [], next: null }],
    ["/admin/quarantine", { items: [], next: null }],
    ["/admin/quarantine?cursor=0&limit=1000", { items: [], next: null }],
    ["/admin/events", { items: [], next: null }],
    ["/admin/events?stream=charge", { items: [], next: null }],
    ["/admin/events?producer=PRODUCER", { items: [], next: null }],
    ["/v1/events", { items: [], next: null }],
    ["/ledger?producer=PRODUCER", { items: [], next: null }],
    ["/ledger?producer=PRODUCER&tenant=TENANT", { items: [], next: null }],
    ["/schemas", { streams: [] }],
    ["/schemas?tenant=TENANT", { streams: [] }],
  ])("sees nothing of the owner's at %s", async (path, empty) => {
    const filled = path.replace("PRODUCER", producer()).replace("METER", meter()).replace("TENANT", owner.tenant);
    const answer = await call(filled);
    expect([answer.status, await answer.json()]).toEqual([200, empty]);
    const owned = await asOwner(filled);
    expect((await owned.text()).includes(mark()), "the owner does see it").toBe(true);
  });

  it("may not ask Solvimon's list for another tenant: the filter is not known there", async () => {
    expect((await call(`/v1/events?tenant=${owner.tenant}`)).status).toBe(400);
  });

  it("lists only its own keys and its own catalog", async () => {
    const keys = await (await call("/admin/api-keys")).json<{ items: { id: string; tenant: string }[] }>();
    expect(keys.items.map((item) => item.tenant)).toEqual([stranger.tenant]);
    expect(await (await call("/admin/catalog")).text()).not.toContain(mark());
  });

  it.each([
    ["GET", "/admin/events/ID"],
    ["GET", "/v1/events/ID"],
    ["GET", "/v1/events/ID/event_trace"],
    ["GET", "/admin/events/USAGE"],
    ["POST", "/admin/quarantine/HELD/replay"],
    ["POST", "/admin/quarantine/HELD/discard"],
    ["DELETE", "/admin/api-keys/KEY"],
    ["POST", "/admin/api-keys/KEY/rotate"],
  ])("%s %s answers 404, to the letter as if it did not exist", async (method, path) => {
    const before = await ownersView();
    const body = path.endsWith("discard")
      ? { reason: "mine now" }
      : path.endsWith("replay")
        ? { event: JSON.parse(event()) }
        : undefined;
    const send = (named: [string, string, string, string]) => {
      const [id, usage, held, key] = named;
      const filled = path.replace("ID", id).replace("USAGE", usage).replace("HELD", held).replace("KEY", key);
      return call(filled, { method, ...(body === undefined ? {} : { body }) });
    };
    const [foreign, unknown] = [
      await send([eventId, usageId, heldId, keyId]),
      await send(["chda_0", "usev_0", "999999999", "key_0"]),
    ];
    expect([foreign.status, unknown.status]).toEqual([404, 404]);
    expect(await foreign.text()).toBe(await unknown.text());
    expect(await ownersView()).toEqual(before);
  });

  it.each<[string, string, unknown?]>([
    ["GET", "/admin/ledger"],
    ["GET", "/admin/catalog"],
    ["PUT", "/admin/catalog", { streams: [] }],
    ["GET", "/admin/quarantine"],
    ["POST", "/admin/quarantine/HELD/replay", { event: {} }],
    ["POST", "/admin/quarantine/HELD/discard", { reason: "x" }],
    ["GET", "/admin/events"],
    ["GET", "/admin/events/ID"],
    ["GET", "/admin/api-keys"],
    ["POST", "/admin/api-keys", { name: "n", permissions: ["WEIR.ADMIN"] }],
    ["DELETE", "/admin/api-keys/KEY"],
    ["POST", "/admin/api-keys/KEY/rotate", {}],
  ])("%s %s?tenant= of another is 403, whether that tenant exists or not", async (method, path, body) => {
    const before = await ownersView();
    const filled = path.replace("HELD", heldId).replace("ID", eventId).replace("KEY", keyId);
    for (const tenant of [owner.tenant, "nobody-at-all", "", "house"]) {
      const answer = await call(`${filled}?tenant=${tenant}`, { method, ...(body === undefined ? {} : { body }) });
      expect(answer.status, tenant).toBe(403);
    }
    expect(await ownersView()).toEqual(before);
  });

  it("cannot make a key for the owner, nor an operator's, nor turn a key into one", async () => {
    const before = await ownersView();
    const make = (body: Json) => call("/admin/api-keys", { method: "POST", body });
    expect((await make({ name: "n", tenant: owner.tenant, permissions: ["METER_DATA.INGEST"] })).status).toBe(403);
    expect((await make({ name: "n", permissions: ["WEIR.OPERATOR"] })).status).toBe(403);
    expect((await make({ name: "n", permissions: ["METER_DATA.INGEST", "WEIR.OPERATOR"] })).status).toBe(403);
    expect(await ownersView()).toEqual(before);
  });

  it("replaces its own catalog and leaves the owner's alone", async () => {
    const before = await (await asOwner("/admin/catalog")).text();
    const theirs = {
      streams: [{ meter_global_id: meter(), strict: true, fields: [{ name: "a", type: "integer", required: true }] }],
    };
    expect((await call("/admin/catalog", { method: "PUT", body: theirs, headers: { "if-match": "*" } })).status).toBe(
      200,
    );
    expect(await (await asOwner("/admin/catalog")).text()).toBe(before);
    expect((await owner.post(meter(), event({ Quantity: 77 }))).status, "still by the owner's schema").toBe(200);
  });
});

describe("the same name at two tenants", () => {
  const send = (key: string, path: string, body: unknown, headers: Record<string, string> = {}) =>
    call(path, { method: "POST", body, headers, key });
  const both = () => [`key-of-${owner.tenant}`, `key-of-${stranger.tenant}`] as const;

  it("a reference with other content is no conflict, and the id they share leads each to its own", async () => {
    const reference = `shared-${mark()}`;
    const answers = [];
    for (const [n, key] of both().entries()) {
      const answer = await send(key, "/v1/ingest/charge-data", { ...CHARGE, reference, of: n });
      expect([answer.status, answer.headers.get("idempotent-replayed")]).toEqual([201, null]);
      answers.push(await answer.json<{ id: string; of: number }>());
    }
    expect(answers[0]?.id).toBe(answers[1]?.id);
    for (const [n, key] of both().entries()) {
      for (const path of ["/v1/events/", "/admin/events/"]) {
        const read = await (await call(`${path}${answers[0]?.id}`, { key })).text();
        expect(read).toContain(`"of":${n}`);
      }
    }
  });

  it("an Idempotency-Key with another body is no conflict", async () => {
    const headers = { "idempotency-key": `shared-${mark()}` };
    for (const [n, key] of both().entries()) {
      expect((await send(key, "/v1/ingest/charge-data", { ...CHARGE, of: n }, headers)).status).toBe(201);
      expect(
        (await send(key, "/v1/ingest/charge-data", { ...CHARGE, of: n }, headers)).headers.get("idempotent-replayed"),
      ).toBe("true");
    }
  });

  it("a producer's positions are each tenant's own, and so are their gaps", async () => {
    const name = `shared-${mark()}`;
    for (const [n, key] of both().entries()) {
      const headers = { "weir-producer": name, "weir-sequence": "5" };
      const answer = await send(key, "/v1/ingest/charge-datas", { charge_datas: [{ ...CHARGE, of: n }] }, headers);
      expect(await answer.json()).toMatchObject({ accepted: 1, duplicates: 0, conflicts: 0 });
    }
    await send(
      both()[0],
      "/v1/ingest/charge-datas",
      { charge_datas: [CHARGE] },
      { "weir-producer": name, "weir-sequence": "9" },
    );
    const gaps = async (key: string) =>
      (await (await call(`/ledger?producer=${name}`, { key })).json<{ items: { gaps: unknown }[] }>()).items;
    expect(await gaps(both()[0])).toMatchObject([{ accepted: 2, gaps: [[6, 8]] }]);
    expect(await gaps(both()[1])).toMatchObject([{ accepted: 1, gaps: [] }]);
  });

  it("equal content without an id is accepted at each", async () => {
    for (const key of both()) {
      const answer = await send(key, "/v1/ingest/charge-data", { ...CHARGE, description: "equal content" });
      expect([answer.status, answer.headers.get("idempotent-replayed")]).toEqual([201, null]);
    }
  });

  it("a group closed by one is open to the other", async () => {
    const group = { ...PERSIST, reprocess_id: `shared-${mark()}` };
    const [mine, theirs] = both();
    expect((await send(mine, "/v1/ingest/persist-data", { ...group, is_last_reprocess_item: true })).status).toBe(201);
    expect((await send(mine, "/v1/ingest/persist-data", { ...group, n: 1 })).status).toBe(409);
    expect((await send(theirs, "/v1/ingest/persist-data", { ...group, n: 1 })).status).toBe(201);
    expect((await send(theirs, "/v1/ingest/persist-data", { ...group, n: 2 })).status).toBe(201);
  });
});

describe("an operator", () => {
  it("sees and serves a tenant it names, and its own without a name", async () => {
    const of = `?tenant=${owner.tenant}`;
    for (const path of ["/admin/ledger", "/admin/catalog", "/admin/quarantine", "/admin/events", "/admin/api-keys"]) {
      expect(await (await asOperator(path + of)).text(), path).toBe(await (await asOwner(path)).text());
      expect(await (await asOperator(path)).text(), `${path} of its own`).not.toContain(mark());
    }
    expect((await asOperator(`/admin/events/${eventId}${of}`)).status).toBe(200);
    expect((await asOperator(`/admin/events/${eventId}`)).status, "unnamed").toBe(404);
    const made = await asOperator(`/admin/api-keys${of}`, {
      method: "POST",
      body: { name: "n", permissions: ["WEIR.ADMIN"] },
    });
    const { id, tenant } = await made.json<{ id: string; tenant: string }>();
    expect(tenant).toBe(owner.tenant);
    expect((await asOperator(`/admin/api-keys/${id}`, { method: "DELETE" })).status, "unnamed").toBe(404);
    expect((await asOperator(`/admin/api-keys/${id}${of}`, { method: "DELETE" })).status).toBe(204);
    const named = await create({ name: "n", tenant: owner.tenant, permissions: ["WEIR.ADMIN"] }, operator);
    expect(await (await call("/admin/ledger", { key: named.key })).text()).toContain(mark());
  });
});

describe("a key without the permission", () => {
  const INGEST = ["/ledger?producer=p", "/schemas"];
  const ADMIN = [
    "/admin/ledger",
    "/admin/catalog",
    "/admin/quarantine",
    "/admin/events",
    "/admin/events/x",
    "/admin/api-keys",
  ];

  it.each<[string, readonly string[], readonly string[]]>([
    ["METER_DATA.INGEST", [...INGEST, "/v1/events"], ADMIN],
    ["WEIR.ADMIN", [...ADMIN, "/v1/events"], INGEST],
    ["WEIR.OPERATOR", [...ADMIN, "/v1/events"], INGEST],
  ])("with %s alone passes where that suffices and is refused with 403 elsewhere", async (permission, open, shut) => {
    const { key } = await create({ name: "n", tenant: stranger.tenant, permissions: [permission] }, operator);
    for (const path of open) expect([200, 404], path).toContain((await call(path, { key })).status);
    for (const path of shut) expect((await call(path, { key })).status, path).toBe(403);
    const mayIngest = permission === "METER_DATA.INGEST";
    for (const [path, body] of [
      ["/v1/ingest/charge-data", CHARGE],
      ["/v1/ingest/charge-datas", { charge_datas: [CHARGE] }],
    ] as const)
      expect([200, 201].includes((await call(path, { method: "POST", body, key })).status), path).toBe(mayIngest);
    const writes: [string, string, unknown][] = [
      ["PUT", "/admin/catalog", {}],
      ["POST", "/admin/api-keys", { name: "n", permissions: ["WEIR.ADMIN"] }],
      ["DELETE", "/admin/api-keys/x", undefined],
      ["POST", "/admin/api-keys/x/rotate", {}],
      ["POST", "/admin/quarantine/1/replay", {}],
      ["POST", "/admin/quarantine/1/discard", {}],
    ];
    for (const [method, path, body] of writes)
      expect((await call(path, { method, key, ...(body === undefined ? {} : { body }) })).status === 403, path).toBe(
        mayIngest,
      );
  });

  it("no key and an unknown key are 401 everywhere", async () => {
    for (const path of [...INGEST, ...ADMIN, "/v1/events"])
      for (const key of ["nobody", " "]) expect((await call(path, { key })).status, path).toBe(401);
  });
});

describe("the life of a key", () => {
  let now = Date.parse("2026-11-21T00:00:00Z");
  let home: TestEdge;
  let away: TestEdge;
  beforeAll(async () => {
    const runtime = { clock: { now: () => now } };
    home = await setupEdge({ runtime });
    away = connectEdge(home.tenant, { runtime });
    await home.putCatalog({ streams: [{ meter_global_id: "m" }] });
  });

  interface Key {
    readonly id: string;
    readonly key: string;
    readonly name: string;
    readonly expires_at: string | null;
  }
  const admin = (path: string, method: string, body?: unknown) =>
    home.request(path, { method, ...(body === undefined ? {} : { body: encode(body) }) });
  const make = async (more: Json = {}): Promise<Key> =>
    (await admin("/admin/api-keys", "POST", { name: "n", permissions: ["METER_DATA.INGEST"], ...more })).json();
  let count = 0;
  /** Statuses of a usage write, a Solvimon write and a read by a key. */
  async function use(edge: TestEdge, key: string, headers: Record<string, string> = {}): Promise<number[]> {
    const named = { "x-api-key": key, ...headers };
    const usage = await edge.post("m", event({ Quantity: ++count }), named);
    const charge = await edge.request("/v1/ingest/charge-data", {
      method: "POST",
      headers: named,
      body: encode({ ...CHARGE, n: ++count }),
    });
    const read = await edge.request("/v1/events", { headers: named });
    return [usage.status, charge.status, read.status];
  }
  const WORKS = [200, 201, 200];
  const ENDED = [401, 401, 401];

  it("is shown once: neither list, nor database, nor any later answer holds it", async () => {
    const answer = await admin("/admin/api-keys", "POST", {
      name: "shown once",
      permissions: ["METER_DATA.INGEST"],
      platform_ids: ["p"],
    });
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([201, "no-store"]);
    const made = await answer.json<Key>();
    expect(made).toMatchObject({
      name: "shown once",
      tenant: home.tenant,
      permissions: ["METER_DATA.INGEST"],
      platform_ids: ["p"],
      expires_at: null,
      revoked_at: null,
    });
    expect(made.key.length).toBeGreaterThan(30);
    const list = await (await admin("/admin/api-keys", "GET")).text();
    expect(list).toContain(made.id);
    const { results } = await bindings.LEDGER.prepare("SELECT * FROM api_keys").all<{ id: string; hash: string }>();
    const hash = results.find((row) => row.id === made.id)?.hash ?? "";
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(JSON.stringify(results)).not.toContain(made.key);
    for (const secret of [made.key, hash]) expect(list).not.toContain(secret);
    const { key: _key, ...rest } = made;
    expect(JSON.parse(list).items).toContainEqual(rest);
  });

  it("works at once on every instance; revoked it ends for writes at once and for reads within ten seconds", async () => {
    const { id, key } = await make();
    const token = await home.request("/oauth/token", {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", "x-api-key": "none" },
      body: new TextEncoder().encode(
        new URLSearchParams({ grant_type: "client_credentials", client_id: id, client_secret: key }).toString(),
      ),
    });
    const { access_token } = await token.json<{ access_token: string }>();
    const bearers = [key, access_token];
    for (const edge of [home, away]) for (const bearer of bearers) expect(await use(edge, bearer)).toEqual(WORKS);
    const before = await home.ledger();
    expect((await admin(`/admin/api-keys/${id}`, "DELETE")).status).toBe(204);
    for (const edge of [home, away])
      for (const bearer of bearers) expect((await use(edge, bearer)).slice(0, 2)).toEqual([401, 401]);
    now += 10_000;
    for (const edge of [home, away]) for (const bearer of bearers) expect(await use(edge, bearer)).toEqual(ENDED);
    expect(await home.ledger(), "nothing was stored").toEqual(before);
    expect((await admin(`/admin/api-keys/${id}`, "DELETE")).status, "again").toBe(204);
    expect((await admin(`/admin/api-keys/${id}/rotate`, "POST", {})).status).toBe(409);
  });

  it("ends the moment it expires, for writes and reads", async () => {
    const ends = new Date(now + 3_000).toISOString();
    const { key, expires_at } = await make({ expires_at: ends });
    expect(expires_at).toBe(ends);
    expect(await use(home, key)).toEqual(WORKS);
    now += 2_999;
    expect(await use(home, key)).toEqual(WORKS);
    now += 1;
    expect(await use(home, key)).toEqual(ENDED);
    expect(await use(away, key)).toEqual(ENDED);
  });

  it("rotated with an overlap both work, then only the new one; without one the old ends for writes at once", async () => {
    const old = await make({ name: "rotating", platform_ids: ["p"], entity_ids: ["e"] });
    expect(await use(home, old.key)).toEqual(WORKS);
    const answer = await admin(`/admin/api-keys/${old.id}/rotate`, "POST", { overlap_seconds: 60 });
    expect([answer.status, answer.headers.get("cache-control")]).toEqual([201, "no-store"]);
    const next = await answer.json<Key>();
    expect(next).toMatchObject({
      name: "rotating",
      platform_ids: ["p"],
      entity_ids: ["e"],
      permissions: ["METER_DATA.INGEST"],
    });
    expect(next.id).not.toBe(old.id);
    for (const key of [old.key, next.key]) expect(await use(home, key)).toEqual(WORKS);
    now += 59_999;
    for (const key of [old.key, next.key]) expect(await use(home, key)).toEqual(WORKS);
    now += 1;
    expect((await use(home, old.key)).slice(0, 2)).toEqual([401, 401]);
    expect(await use(home, next.key)).toEqual(WORKS);
    expect(await use(away, next.key)).toEqual(WORKS);
    const last = await (await admin(`/admin/api-keys/${next.id}/rotate`, "POST")).json<Key>();
    for (const edge of [home, away]) expect((await use(edge, next.key)).slice(0, 2)).toEqual([401, 401]);
    now += 10_000;
    expect(await use(home, next.key)).toEqual(ENDED);
    expect(await use(home, old.key)).toEqual(ENDED);
    expect(await use(home, last.key)).toEqual(WORKS);
  });

  it("covers the platforms it lists and no others", async () => {
    const { key } = await make({ platform_ids: ["p1", "p2"] });
    expect(await use(home, key, { "x-platform-id": "p2" })).toEqual(WORKS);
    expect(await use(home, key, { "x-platform-id": "p3" })).toEqual([403, 403, 403]);
  });

  it.each<[string, unknown, string]>([
    ["no name", { permissions: ["WEIR.ADMIN"] }, "name"],
    ["no permissions", { name: "n" }, "permissions"],
    ["an empty list of permissions", { name: "n", permissions: [] }, "permissions"],
    ["an unknown permission", { name: "n", permissions: ["WEIR.ADMIN", "ROOT"] }, "permissions.1"],
    ["an expiry that is no date", { name: "n", permissions: ["WEIR.ADMIN"], expires_at: "soon" }, "expires_at"],
    ["an empty platform id", { name: "n", permissions: ["WEIR.ADMIN"], platform_ids: [""] }, "platform_ids.0"],
  ])("%s is a 400 that names the field", async (_what, body, field) => {
    const answer = await admin("/admin/api-keys", "POST", body);
    expect([answer.status, (await answer.json<{ reasons: { field: string }[] }>()).reasons[0]?.field]).toEqual([
      400,
      field,
    ]);
  });

  it("an unknown key is 404, an overlap that is none 400, and the list joins its pages without hole or repeat", async () => {
    expect((await admin("/admin/api-keys/key_unknown", "DELETE")).status).toBe(404);
    expect((await admin("/admin/api-keys/key_unknown/rotate", "POST", {})).status).toBe(404);
    const { id } = await make();
    for (const overlap_seconds of [-1, 1.5, "60", 1e9])
      expect(
        (await admin(`/admin/api-keys/${id}/rotate`, "POST", { overlap_seconds })).status,
        String(overlap_seconds),
      ).toBe(400);
    const whole = await (await admin("/admin/api-keys?limit=1000", "GET")).json<{ items: Key[] }>();
    const paged: Key[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const page: { items: Key[]; next: string | null } = await (
        await admin(`/admin/api-keys?limit=2&cursor=${cursor}`, "GET")
      ).json();
      paged.push(...page.items);
      cursor = page.next;
    }
    expect(paged).toEqual(whole.items);
  });
});
