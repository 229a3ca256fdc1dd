/** What a tenant is answered does not count its neighbours: no number in it moves with what they send, or what is refused of it. */
import { applyD1Migrations } from "cloudflare:test";
import { expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { createRowId } from "../../worker/ledger/row-id.ts";
import { createOpenApiDocument } from "../../worker/routes.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge } from "./support/edge.ts";

const STREAM = "usage/m";
const CHARGE = { product_item_id: "p", pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" };
const LENIENT = { prefer: "handling=lenient" };
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

/** Rounds in which the neighbour has calls made too: as long as the tenant itself has. */
const BUSY_ROUNDS = 12;

/** Refuses what says so, takes all else. */
const upstream: typeof fetch = async (input, init) => {
  if (String(input).endsWith("/oauth/token")) return Response.json({ access_token: "t", expires_in: 3600 });
  const body = init?.body;
  const text = await new Response(
    typeof body === "string" ? body : new Response(body).body?.pipeThrough(new DecompressionStream("gzip")),
  ).text();
  return Response.json({ success: true }, { status: text.includes("cus_refused") ? 400 : 200 });
};

/** A tenant whose clock goes by hand, from a time of its own: row ids are times. */
async function tenantAt(start: number) {
  const { tenant } = await setupEdge();
  const clock = { ms: start };
  let draws = 0;
  const edge = connectEdge(tenant, {
    vars: { ZUORA_BASE_URL: "http://upstream.invalid", SOLVIMON_BASE_URL: "http://upstream.invalid" },
    runtime: { clock: { now: () => clock.ms }, random: () => (draws++ % 97) / 100, fetch: upstream },
  });
  await edge.putCatalog({ streams: [{ meter_global_id: "m" }] });
  return { edge, clock };
}

async function deliver({ edge, clock }: Awaited<ReturnType<typeof tenantAt>>): Promise<void> {
  for (const stream of [STREAM, "charge"]) await edge.services.delivery.deliver({ tenant: edge.tenant, stream });
  clock.ms += 1000;
}

/** Every number in an answer, and every text that is one, by where it stands; what is a row's time as time since `start`. */
function numbersIn(value: unknown, path: string, start: number): [string, number][] {
  if (typeof value === "number") return [[path, value]];
  if (typeof value === "string" && /^\d+$/.test(value)) {
    const number = Number(value);
    return [[path, number > 1e14 ? number - createRowId(start, 0) : number]];
  }
  if (value === null || typeof value !== "object") return [];
  return Object.entries(value).flatMap(([name, inner]) => numbersIn(inner, `${path}.${name}`, start));
}

const readable = Object.entries(createOpenApiDocument().paths).flatMap(([path, methods]) =>
  "get" in methods && !path.includes("{") && path !== "/openapi.json" ? [path] : [],
);

/** All that a tenant does and asks, and the numbers in what it is answered. */
async function story(start: number, between: () => Promise<void>): Promise<[string, number][]> {
  const own = await tenantAt(start);
  const { edge, clock } = own;
  const numbers: [string, number][] = [];
  const ask = async (path: string, body?: unknown, headers: Record<string, string> = {}) => {
    await between();
    const init = body === undefined ? {} : { method: "POST", body: encode(body), headers };
    const response = await edge.request(path, init);
    clock.ms += 1000;
    const text = await response.text();
    if (!(response.headers.get("content-type") ?? "").includes("json")) return {};
    const answer = JSON.parse(text) as Record<string, unknown>;
    numbers.push(...numbersIn({ status: response.status, answer }, path.replace(/_[0-9A-Za-z]{20}/g, "_ID"), start));
    return answer;
  };
  const post = "/meters/streaming/ingestion/m";
  await ask(post, [{ CustomerId: 1 }, { CustomerId: 2 }], LENIENT);
  await ask(post, JSON.parse(event()), { "weir-producer": "p", "weir-sequence": "1" });
  await ask("/v1/ingest/charge-data", { ...CHARGE, reference: "r", value: { number: "1" } });
  await deliver(own);
  for (const n of [1, 2, 3]) await ask(post, JSON.parse(event({ CustomerId: "cus_refused", n })));
  await between();
  await deliver(own);
  await ask(post, JSON.parse(event({ CustomerId: "last" })));
  await deliver(own);
  const first = await ask("/admin/quarantine?limit=2");
  await ask(`/admin/quarantine?limit=2&cursor=${String(first["next"])}`);
  const held = first["items"] as { id: string }[];
  expect(held).toHaveLength(2);
  const { items } = (await ask("/admin/events")) as { items: { id: string }[] };
  expect(items.length).toBeGreaterThan(5);
  for (const { id } of items) await ask(`/admin/events/${id}`);
  const charge = items.find(({ id }) => id.startsWith("chda_"))?.id;
  await ask(`/v1/events/${charge}/event_trace`);
  await ask(`/v1/events/${charge}`);
  await ask(`/admin/quarantine/${held[0]?.id}/replay`, { event: JSON.parse(event({ corrected: true })) });
  await ask(`/admin/quarantine/${held[1]?.id}/discard`, { reason: "a test" });
  await ask("/admin/quarantine/replay", { stream: STREAM });
  await deliver(own);
  await ask("/admin/quarantine/discard", { stream: STREAM, reason: "a test" });
  for (const state of ["open", "replayed", "discarded"]) await ask(`/admin/quarantine?state=${state}`);
  for (const path of readable) await ask(path.includes("/ledger") ? `${path}?producer=p` : path);
  return numbers;
}

it("no number that a tenant is answered moves with what a neighbour sends, is refused and has delivered", async () => {
  const DAY = 86_400_000;
  const start = Date.parse("2026-11-01T00:00:00Z");
  const busy = await tenantAt(start + 20 * DAY);
  const alone = await story(start, async () => undefined);
  let round = 0;
  const beside = await story(start + DAY, async () => {
    round++;
    const fine = JSON.parse(event({ round }));
    await busy.edge.post("m", JSON.stringify([{ round }, { round, n: 2 }, fine]), LENIENT);
    if (round < BUSY_ROUNDS) await deliver(busy);
  });
  expect(alone.length).toBeGreaterThan(100);
  expect(beside).toEqual(alone);
});

it("entries from before they were numbered keep the id they were shown by, and older code's are numbered too", async () => {
  const at = bindings.TEST_MIGRATIONS.findIndex(({ name }) => name.includes("numbers"));
  expect(at).toBeGreaterThan(0);
  await applyD1Migrations(bindings.LEDGER, bindings.TEST_MIGRATIONS);
  const tenant = "from-before-numbers";
  const key = hashApiKey(`key-of-${tenant}`);
  const old = (id: number) =>
    bindings.LEDGER.prepare(
      `INSERT INTO quarantine (id, tenant, stream, producer, batch, entry, event_id, event, context, reasons, created_at, state)
      VALUES (?1, ?2, ?3, '', 1, ?1, 'usev_' || ?1, '{}', '', '[]', 0, 'open')`,
    ).bind(id, tenant, STREAM);
  await bindings.LEDGER.batch([
    bindings.LEDGER.prepare(
      "INSERT INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES ('old', ?1, ?2, 'old', ?3, 0)",
    ).bind(key, tenant, JSON.stringify(["METER_DATA.INGEST", "WEIR.ADMIN"])),
    bindings.LEDGER.prepare(
      "INSERT INTO counters (tenant, stream, producer, accepted, quarantined) VALUES (?1, ?2, '', 4, 4)",
    ).bind(tenant, STREAM),
    // The table as it was.
    bindings.LEDGER.prepare("DROP TRIGGER quarantine_numbered"),
    bindings.LEDGER.prepare("DROP INDEX quarantine_tenant"),
    bindings.LEDGER.prepare("DROP INDEX quarantine_number"),
    bindings.LEDGER.prepare("ALTER TABLE quarantine DROP COLUMN number"),
    bindings.LEDGER.prepare("CREATE INDEX quarantine_tenant ON quarantine (tenant, state, id)"),
    old(900_007),
    old(900_019),
    bindings.LEDGER.prepare(
      `INSERT INTO batches (id, nonce, tenant, stream, context, received_at, entries, payload)
      VALUES (1, 'nonce', ?1, ?2, '', 0, zeroblob(0), '')`,
    ).bind(tenant, STREAM),
    ...(bindings.TEST_MIGRATIONS[at]?.queries ?? []).map((query) => bindings.LEDGER.prepare(query)),
    old(900_100),
  ]);
  const edge: TestEdge = connectEdge(tenant);
  const ids = async () => {
    const { items } = await (await edge.request("/admin/quarantine")).json<{ items: { id: string }[] }>();
    return items.map(({ id }) => id);
  };
  expect(await ids()).toEqual(["900007", "900019", "900020"]);
  await edge.putCatalog({ streams: [{ meter_global_id: "m" }] });
  expect((await edge.post("m", JSON.stringify([{ bad: 1 }, { bad: 2 }]), LENIENT)).status).toBe(200);
  expect(await ids()).toEqual(["900007", "900019", "900020", "900021", "900022"]);
  const init = { method: "POST", body: encode({ reason: "of old" }) };
  expect((await edge.request("/admin/quarantine/900019/discard", init)).status).toBe(200);
  expect(await ids()).toEqual(["900007", "900020", "900021", "900022"]);
});
