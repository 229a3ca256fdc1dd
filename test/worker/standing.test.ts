/** How delivery stands, as `/readyz`, `/metrics` and `/delivery` tell it: since when, why, and nothing that is nobody's business. */
import { beforeEach, expect, it, onTestFinished, vi } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { HELD, HELD_OF_TENANT, LANES_HELD } from "../../worker/delivery/standing-sql.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge } from "./support/edge.ts";

const NOW = Date.parse("2026-11-01T10:05:30Z");
const UPSTREAM = { ZUORA_BASE_URL: "http://upstream.invalid", BACKOFF_BASE_MS: "1000", BACKOFF_MAX_MS: "1000" };
const SECRET = "the-upstream's-own-words";

interface Ready {
  readonly status: string;
  readonly destinations: {
    vendor: string;
    state: string;
    since: string | null;
    why: string[];
    lanes_waiting: number;
  }[];
}

// All tenants of this file share a ledger, and what waits of one is seen in `/readyz` of all.
beforeEach(async () => {
  await setupEdge();
  await bindings.LEDGER.batch(
    ["shipments", "shipment_parts", "attempts", "outbox", "holds", "destinations", "tenants"].map((t) =>
      bindings.LEDGER.prepare(`DELETE FROM ${t}`),
    ),
  );
});

/** An edge whose upstream answers ingest by what its body holds, and says nothing else. */
async function edgeBefore(answers: (body: string, isToken: boolean) => number | null) {
  const now = { ms: NOW };
  const edge = await setupEdge({
    vars: UPSTREAM,
    runtime: {
      clock: { now: () => now.ms },
      fetch: async (input, init) => {
        const isToken = String(input).endsWith("/oauth/token");
        const status = answers(await textOf(init?.body), isToken);
        if (status === null) throw new TypeError("connection refused");
        const body = isToken ? { access_token: "t", expires_in: 3600 } : { success: true };
        return Response.json(status === 200 ? body : { success: false, message: SECRET }, { status });
      },
    },
  });
  await edge.putCatalog({ streams: ["a", "b"].map((meter_global_id) => ({ meter_global_id })) });
  return { edge, now };
}

async function textOf(body: BodyInit | null | undefined): Promise<string> {
  if (body === null || body === undefined || typeof body === "string") return body ?? "";
  return new Response(new Response(body).body?.pipeThrough(new DecompressionStream("gzip"))).text();
}

async function ready(edge: TestEdge): Promise<Ready> {
  const response = await edge.request("/readyz", { headers: { "x-api-key": "" } });
  expect(response.status).toBe(200);
  const text = await response.text();
  expect(text).not.toContain(edge.tenant);
  expect(text).not.toContain(SECRET);
  return JSON.parse(text) as Ready;
}

async function operatorMetrics(edge: TestEdge): Promise<string> {
  const key = `operator-of-${edge.tenant}`;
  await bindings.LEDGER.prepare(
    "INSERT OR IGNORE INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES (?1, ?2, ?3, 'test', ?4, 0)",
  )
    .bind(`operator-id-${edge.tenant}`, hashApiKey(key), edge.tenant, JSON.stringify(["WEIR.OPERATOR"]))
    .run();
  return (await edge.request("/metrics", { headers: { "x-api-key": key } })).text();
}

async function delivery(edge: TestEdge, producer: string) {
  const response = await edge.request(`/delivery?producer=${producer}`);
  expect(response.status).toBe(200);
  const text = await response.text();
  expect(text).not.toContain(SECRET);
  return (JSON.parse(text) as { items: unknown[] }).items;
}

it("refused credentials are named at once, by a 200, until they are mended", async () => {
  let status = 401;
  const { edge, now } = await edgeBefore((_, isToken) => (isToken ? status : 200));
  expect(await ready(edge)).toMatchObject({ status: "ok", destinations: [{ state: "ok" }, { state: "not_set" }] });
  await edge.post("a", event(), { "weir-producer": "plant-7", "weir-sequence": "1" });
  await edge.services.delivery.sweep();
  const since = new Date(NOW).toISOString();
  now.ms += 600_000;
  await edge.services.delivery.sweep();
  const why = ["credentials refused (answered 401)"];
  const waits = { state: "waiting", since, why, lanes_waiting: 0 };
  expect(await ready(edge)).toEqual({
    status: "waiting",
    database: "ok",
    ledger: { state: "ok", bytes: expect.any(Number), bytes_max: 9_000_000_000 },
    tokens: "ok",
    destinations: [
      { vendor: "zuora", destination: "default", ...waits },
      { vendor: "solvimon", destination: "default", state: "not_set", since: null, why: [], lanes_waiting: 0 },
    ],
  });
  expect(await delivery(edge, "plant-7")).toEqual([
    { stream: "usage/a", pending: 1, oldest_pending_at: since, ...waits },
  ]);
  expect(await delivery(edge, "another")).toEqual([]);
  const metrics = await operatorMetrics(edge);
  expect(metrics).toContain(`weir_destination_state{vendor="zuora",destination="default",state="waiting"} 1\n`);
  expect(metrics).toContain(`weir_destination_state{vendor="zuora",destination="default",state="ok"} 0\n`);
  expect(metrics).toContain(
    `weir_destination_waiting_since_timestamp_seconds{vendor="zuora",destination="default"} ${NOW / 1000}\n`,
  );
  expect(metrics).toContain(`weir_oldest_pending_age_seconds{tenant="${edge.tenant}",stream="usage/a"} 600\n`);

  status = 200;
  now.ms += 600_000;
  await edge.services.delivery.sweep();
  expect(await ready(edge)).toMatchObject({ status: "ok", destinations: [{ state: "ok", since: null, why: [] }, {}] });
  expect(await delivery(edge, "plant-7")).toMatchObject([{ pending: 0, oldest_pending_at: null, state: "ok" }]);
  expect(await operatorMetrics(edge)).not.toMatch(
    /^weir_(lanes_waiting|destination_waiting_since_timestamp_seconds)\{/m,
  );
});

it("a lane that is refused alone waits alone; the good one is ok to its sender", async () => {
  const { edge, now } = await edgeBefore((body) => (body.includes("cus_bad") ? 404 : 200));
  await edge.post("a", event({ CustomerId: "cus_bad" }), { "weir-producer": "p", "weir-sequence": "1" });
  await edge.post("b", event(), { "weir-producer": "p", "weir-sequence": "1" });
  await edge.services.delivery.sweep();
  await edge.post("b", event(), { "weir-producer": "p", "weir-sequence": "2" });
  now.ms += 60_000;
  expect(await ready(edge)).toMatchObject({
    status: "waiting",
    destinations: [{ state: "lanes_waiting", why: ["answered 404"], lanes_waiting: 1 }, {}],
  });
  expect(await delivery(edge, "p")).toMatchObject([
    { stream: "usage/a", pending: 1, state: "lanes_waiting", why: ["answered 404"] },
    { stream: "usage/b", pending: 1, state: "ok", why: [] },
  ]);
});

it("lanes of an upstream that answers nobody wait each for itself, and are counted", async () => {
  const { edge, now } = await edgeBefore(() => null);
  await edge.post("a", event(), { "weir-producer": "p", "weir-sequence": "1" });
  await edge.post("b", event(), { "weir-producer": "p", "weir-sequence": "1" });
  await edge.services.delivery.sweep();
  now.ms += 60_000;
  expect(await ready(edge)).toMatchObject({
    destinations: [{ state: "lanes_waiting", why: ["no token (no response)"], lanes_waiting: 2 }, {}],
  });
  expect(await operatorMetrics(edge)).toContain(
    `weir_lanes_waiting{vendor="zuora",destination="default",tenant="${edge.tenant}",stream="usage/a"} 1\n`,
  );
});

it("a producer learns that its stream has no destination, and nothing of another tenant", async () => {
  const edge = await setupEdge({ vars: { ZUORA_BASE_URL: "" } });
  await edge.putCatalog({ streams: [{ meter_global_id: "a" }] });
  await edge.post("a", event(), { "weir-producer": "p", "weir-sequence": "1" });
  expect(await delivery(edge, "p")).toMatchObject([{ stream: "usage/a", pending: 1, state: "not_set" }]);
  const other = await setupEdge();
  expect(await delivery(other, "p")).toEqual([]);
  expect((await edge.request("/delivery")).status).toBe(400);
});

it("a ledger that cannot be read is the one reason for a 503", async () => {
  const broken = { prepare: () => ({ first: () => Promise.reject(new Error(SECRET)) }) } as unknown as D1Database;
  const edge = connectEdge("tenant", { bindings: { LEDGER: broken } });
  const response = await edge.request("/readyz");
  expect(response.status).toBe(503);
  expect(await response.json()).toEqual({ status: "unavailable", database: "unavailable", destinations: [] });
});

const OK = { state: "ok", since: null, why: [], lanes_waiting: 0 };
const REFUSED = ["credentials refused (answered 401)"];

/** An operator's key, and destinations of its making that refuse their credentials, each a tenant's own. */
async function tenantsWithOwnAccounts() {
  const operator = `operator-${crypto.randomUUID()}`;
  const base = await setupEdge();
  await bindings.LEDGER.prepare(
    "INSERT INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES (?1, ?2, 'house', 'o', ?3, 0)",
  )
    .bind(`id-${operator}`, hashApiKey(operator), JSON.stringify(["WEIR.OPERATOR"]))
    .run();
  const asOperator = (path: string, method = "GET", body?: unknown) =>
    base.request(path, {
      method,
      headers: { "x-api-key": operator },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  const giveOwn = async (tenant: string) => {
    const name = `of-${tenant}`;
    const client = { client_id: "c", client_secret: "own-secret" };
    const wanted = { dialect: "zuora", base_url: "https://own.invalid", ...client };
    expect((await asOperator(`/admin/destinations/${name}`, "PUT", wanted)).status).toBe(200);
    expect((await asOperator(`/admin/tenants/${tenant}`, "PUT", { destinations: { zuora: name } })).status).toBe(200);
    return name;
  };
  return { asOperator, giveOwn };
}

async function namedStandings(asOperator: (path: string) => Promise<Response>) {
  const { items } = await (await asOperator("/admin/destinations?limit=1000")).json<{ items: { name: string }[] }>();
  return new Map(items.map((item) => [item.name, item]));
}

/** The log's lines about what waits at a destination, from here on. */
function linesAbout(destination: string): string[] {
  const messages: string[] = [];
  for (const level of ["warn", "info"] as const) {
    vi.spyOn(console, level).mockImplementation((line: string) => {
      const told = JSON.parse(line) as { message: string; destination?: string };
      if (told.destination === destination) messages.push(told.message);
    });
  }
  onTestFinished(() => void vi.restoreAllMocks());
  return messages;
}

it("a tenant's own destination that refuses is seen by its name to operators, without it to anybody, and not as another's", async () => {
  let status = 401;
  const { edge, now } = await edgeBefore((_, isToken) => (isToken ? status : 200));
  const { asOperator, giveOwn } = await tenantsWithOwnAccounts();
  const name = await giveOwn(edge.tenant);
  const neighbour = await setupEdge({
    vars: UPSTREAM,
    runtime: {
      clock: { now: () => now.ms },
      fetch: async () => Response.json({ success: true, access_token: "t", expires_in: 3600 }),
    },
  });
  await neighbour.putCatalog({ streams: [{ meter_global_id: "a" }] });
  await neighbour.post("a", event(), { "weir-producer": "plant-7", "weir-sequence": "1" });
  await edge.post("a", event(), { "weir-producer": "plant-7", "weir-sequence": "1" });
  const messages = linesAbout(name);
  await edge.services.delivery.deliver({ tenant: edge.tenant, stream: "usage/a" });
  const since = new Date(NOW).toISOString();
  const waits = { state: "waiting", since, why: REFUSED, lanes_waiting: 0 };

  const answer = await ready(edge);
  expect(answer.status).toBe("waiting");
  expect(answer.destinations).toEqual([
    { vendor: "zuora", destination: "default", ...OK },
    { vendor: "solvimon", destination: "default", ...OK, state: "not_set" },
    { vendor: "zuora", destination: null, ...waits },
  ]);
  expect((await namedStandings(asOperator)).get(name)).toMatchObject(waits);
  const metrics = await operatorMetrics(edge);
  expect(metrics).toContain(`weir_destination_state{vendor="zuora",destination="${name}",state="waiting"} 1\n`);
  expect(metrics).toContain(`weir_destination_state{vendor="zuora",destination="default",state="ok"} 1\n`);
  expect(await delivery(edge, "plant-7")).toEqual([
    { stream: "usage/a", pending: 1, oldest_pending_at: since, ...waits },
  ]);
  const [others] = await delivery(neighbour, "plant-7");
  expect(others).toEqual({ stream: "usage/a", pending: 1, oldest_pending_at: since, ...OK });

  now.ms += 60_000;
  await edge.services.delivery.sweep();
  status = 200;
  now.ms += 60_000;
  await edge.services.delivery.sweep();
  expect(messages).toEqual([
    "delivery waits",
    "delivery still waits",
    "delivery still waits",
    "delivery waits no longer",
  ]);
  expect((await namedStandings(asOperator)).get(name)).toMatchObject(OK);
  expect(await delivery(edge, "plant-7")).toMatchObject([{ pending: 0, ...OK }]);
});

it("lanes that wait at a tenant's own destination are counted there, and at no other", async () => {
  const { edge, now } = await edgeBefore((body) => (body.includes("cus_bad") ? 404 : 200));
  const { asOperator, giveOwn } = await tenantsWithOwnAccounts();
  const name = await giveOwn(edge.tenant);
  await edge.post("a", event({ CustomerId: "cus_bad" }), { "weir-producer": "p", "weir-sequence": "1" });
  await edge.services.delivery.sweep();
  const lanes = { state: "lanes_waiting", since: new Date(NOW).toISOString(), why: ["answered 404"], lanes_waiting: 1 };
  expect((await ready(edge)).destinations).toEqual([
    { vendor: "zuora", destination: "default", ...OK },
    { vendor: "solvimon", destination: "default", ...OK, state: "not_set" },
    { vendor: "zuora", destination: null, ...lanes },
  ]);
  expect((await namedStandings(asOperator)).get(name)).toMatchObject(lanes);
  expect(await operatorMetrics(edge)).toContain(
    `weir_lanes_waiting{vendor="zuora",destination="${name}",tenant="${edge.tenant}",stream="usage/a"} 1\n`,
  );
  // Moved to another account it is tried there: what the first one answered holds nothing any more.
  expect((await asOperator(`/admin/tenants/${edge.tenant}`, "PUT", {})).status).toBe(200);
  now.ms += 10_000;
  expect(await delivery(connectEdge(edge.tenant, { vars: UPSTREAM }), "p")).toMatchObject([{ pending: 1, ...OK }]);
});

it("a destination whose secret does not open is said to wait, and so are its tenant's events", async () => {
  const { edge } = await edgeBefore(() => 200);
  const { giveOwn, asOperator } = await tenantsWithOwnAccounts();
  const name = await giveOwn(edge.tenant);
  await bindings.LEDGER.prepare(
    "UPDATE destinations SET client_secret = 'v1.AAAA', revision = 'spoilt' WHERE name = ?1",
  )
    .bind(name)
    .run();
  await edge.post("a", event(), { "weir-producer": "p", "weir-sequence": "1" });
  await edge.services.delivery.sweep();
  const why = ["its secret does not open"];
  expect((await namedStandings(asOperator)).get(name)).toMatchObject({ state: "waiting", why });
  expect(await delivery(edge, "p")).toMatchObject([{ pending: 1, state: "waiting", why }]);
  expect((await ready(edge)).destinations.at(-1)).toMatchObject({ destination: null, state: "waiting", why });
});

it("thousands of waiting lanes of one tenant hide nothing of another's, and each question reads by seeks", async () => {
  const { edge } = await edgeBefore((body) => (body.includes("cus_bad") ? 404 : 200));
  await bindings.LEDGER.prepare(
    `INSERT INTO holds (scope, kind, vendor, destination, tenant, stream, context, verdict, status, reason, since, until,
      attempts, tell_at, told)
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
    SELECT json_array('lane', 'zuora', 'default', 'a-first', 'usage/a') || ' ' || i, 'lane', 'zuora', 'default',
      'a-first', 'usage/a', i, 'pause', 403, 'no', 1, 2, 1, 9e15, 1 FROM n`,
  ).run();
  await edge.post("a", event({ CustomerId: "cus_bad" }), { "weir-producer": "p", "weir-sequence": "1" });
  await edge.services.delivery.deliver({ tenant: edge.tenant, stream: "usage/a" });
  expect(await delivery(edge, "p")).toMatchObject([
    { state: "lanes_waiting", why: ["answered 404"], lanes_waiting: 1 },
  ]);
  expect((await ready(edge)).destinations[0]).toMatchObject({ why: ["answered 403"], lanes_waiting: 1000 });
  expect(await operatorMetrics(edge)).toContain(
    `weir_lanes_waiting{vendor="zuora",destination="default",tenant="${edge.tenant}",stream="usage/a"} 1\n`,
  );
  for (const { sql, names } of [HELD, HELD_OF_TENANT, LANES_HELD]) {
    const plan = await bindings.LEDGER.prepare(`EXPLAIN QUERY PLAN ${sql}`)
      .bind(...names.map(() => "[]"))
      .all<{ detail: string }>();
    const details = plan.results.map(({ detail }) => detail);
    expect(details.filter((detail) => /^(SEARCH|SCAN) holds/.test(detail))).not.toEqual([]);
    expect(details.filter((detail) => detail.startsWith("SCAN holds"))).toEqual([]);
  }
});
