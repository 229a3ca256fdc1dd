/** How delivery stands, as `/readyz`, `/metrics` and `/delivery` tell it: since when, why, and nothing that is nobody's business. */
import { beforeEach, expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
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
    ["shipments", "shipment_parts", "attempts", "outbox", "holds"].map((t) =>
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
  expect(await operatorMetrics(edge)).toContain(`weir_lanes_waiting{tenant="${edge.tenant}",stream="usage/a"} 1\n`);
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
