/** Quarantine worked by filter, with other ids in the headers, and replays that fail again. */
import { expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { bindings, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

const LENIENT = { prefer: "handling=lenient, return=representation" };
const VARS = { SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key", BACKOFF_BASE_MS: "1000" };

interface Bulk {
  readonly message: string;
  readonly replayed?: number;
  readonly discarded?: number;
  readonly refused?: readonly { readonly id: string; readonly reasons: readonly { readonly field?: string }[] }[];
  readonly remaining: number;
  readonly next: string | null;
}
interface Item {
  readonly id: string;
  readonly event_id: string;
  readonly state: string;
  readonly attempts: number;
  readonly event: Record<string, unknown>;
  readonly headers?: Record<string, unknown>;
  readonly upstream?: string;
  readonly reasons: readonly { readonly code: unknown }[];
}

const bulk = (edge: TestEdge, what: string, body: unknown) =>
  edge.request(`/admin/quarantine/${what}`, { method: "POST", body: JSON.stringify(body) });
const held = async (edge: TestEdge, state = "open") =>
  (await (await edge.request(`/admin/quarantine?state=${state}&limit=1000`)).json<{ items: Item[] }>()).items;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

let now = Date.parse("2026-11-21T12:00:00Z");
const sweeps = async (edge: TestEdge, count: number) => {
  for (let i = 0; i < count; i++) {
    await edge.services.delivery.sweep();
    now += 3_600_000;
  }
};

/** An edge whose key may name orgs, with a meter whose events need a field A. */
async function setup(): Promise<TestEdge> {
  const edge = await setupEdge({ vars: VARS, runtime: { clock: { now: () => now } } });
  await bindings.LEDGER.prepare("UPDATE api_keys SET org_ids = ?1, entity_ids = ?1 WHERE tenant = ?2")
    .bind('["o7","o9"]', edge.tenant)
    .run();
  // Events come with a key that may name any and so sends none of its own: each goes up as its sender said.
  await bindings.LEDGER.prepare(
    `INSERT INTO api_keys (id, hash, tenant, name, permissions, platform_ids, entity_ids, org_ids, created_at)
    VALUES (?1, ?2, ?3, 'sender', '["METER_DATA.INGEST"]', '["*"]', '["*"]', '["*"]', 0)`,
  )
    .bind(`sender-of-${edge.tenant}`, hashApiKey(senderKey(edge)), edge.tenant)
    .run();
  await relax(edge, true);
  return edge;
}
const senderKey = ({ tenant }: TestEdge) => `sender-key-of-${tenant}`;
const relax = (edge: TestEdge, required: boolean) =>
  edge.putCatalog({
    streams: ["m", "other"].map((meter_global_id) => ({
      meter_global_id,
      fields: [{ name: "A", type: "string", required }],
    })),
  });
const send = async (edge: TestEdge, meter: string, ns: readonly number[], org: string | null) => {
  const body = `[${ns.map((n) => JSON.stringify({ n, tenant: edge.tenant })).join(",")}]`;
  const ids = org === null ? {} : { "zuora-org-ids": org };
  const headers = { ...LENIENT, "x-api-key": senderKey(edge), ...ids };
  expect(await (await edge.post(meter, body, headers)).json()).toMatchObject({ quarantined: ns.length });
};
/** What the twin took of a meter by this tenant: number and org. */
const taken = async (edge: TestEdge, meter: string) => {
  const answer = await fetch(`${twinUrl()}/twin/events?exact=1&stream=usage/${meter}`);
  const lines = (await answer.text()).split("\n").filter((line) => line.includes(edge.tenant));
  return lines.map((line) => {
    const { source, org_ids } = JSON.parse(line);
    return [JSON.parse(source).n, org_ids] as [number, string | null];
  });
};

it("a wrong org id of many events is corrected by a few calls; each is delivered once, under the right one", async () => {
  const edge = await setup();
  await send(edge, "m", range(130), "o7");
  await send(edge, "m", [500], null);
  await send(edge, "other", [600], "o7");
  const refused = await (await bulk(edge, "replay", { stream: "usage/m", org_ids: ["o7"] })).json<Bulk>();
  expect(refused, "still not valid").toMatchObject({ replayed: 0, remaining: 70 });
  expect(refused.refused).toHaveLength(60);
  expect(refused.refused?.[0]?.reasons).toMatchObject([{ field: "A" }]);
  await relax(edge, false);
  const filter = { stream: "usage/m", org_ids: ["o7"], headers: { org_ids: ["o9"] } };
  const answers: Bulk[] = [];
  for (let cursor: string | null = "0"; cursor !== null && answers.length < 9; ) {
    const answer = await bulk(edge, "replay", { ...filter, cursor });
    expect(answer.status).toBe(202);
    const one: Bulk = await answer.json<Bulk>();
    answers.push(one);
    cursor = one.next;
  }
  expect(answers.map(({ replayed, remaining }) => [replayed, remaining])).toEqual([
    [60, 70],
    [60, 10],
    [10, 0],
  ]);
  await sweeps(edge, 3);
  const arrived = await taken(edge, "m");
  expect(arrived.map(([n]) => n).sort((a, b) => a - b)).toEqual(range(130));
  expect(new Set(arrived.map(([, org]) => org))).toEqual(new Set(["o9"]));
  expect((await held(edge)).map((item) => [item.event["n"], item.headers])).toEqual([
    [500, undefined],
    [600, { org_ids: ["o7"] }],
  ]);
  expect((await edge.ledger()).find((row) => row.stream === "usage/m")).toMatchObject({
    accepted: 131,
    delivered: 130,
    quarantined: 1,
    pending: 0,
  });
});

it.each<[string, Record<string, unknown>, readonly number[]]>([
  ["a stream", { stream: "usage/other" }, [3]],
  ["a code", { code: 70000000 }, [1, 2, 3]],
  ["a code by its text", { code: "70000000" }, [1, 2, 3]],
  ["a code that none has", { code: 7 }, []],
  ["ids of headers", { org_ids: ["o7"] }, [1, 3]],
  ["no ids", { org_ids: null }, [2]],
  ["the headers whole", { context: { "zuora-org-ids": "o7" } }, [1, 3]],
  ["no headers", { context: {} }, [2]],
  ["no entities", { entity_ids: null, stream: "usage/m" }, [1, 2]],
  ["a time before", { to: "2026-11-21T00:00:00Z" }, []],
  ["a time after", { from: "2026-11-21T00:00:00Z" }, [1, 2, 3]],
])("%s finds what is discarded, and nothing else", async (_what, filter, expected) => {
  const edge = await setup();
  await send(edge, "m", [1], "o7");
  await send(edge, "m", [2], null);
  await send(edge, "other", [3], "o7");
  const answer = await bulk(edge, "discard", { ...filter, reason: "a test" });
  expect(answer.status).toBe(200);
  expect(await answer.json()).toMatchObject({ discarded: expected.length, remaining: 0, next: null });
  expect((await held(edge, "discarded")).map((item) => item.event["n"])).toEqual(expected);
  expect(await held(edge)).toHaveLength(3 - expected.length);
  for (const n of expected) {
    const meter = n === 3 ? "other" : "m";
    const headers = { ...LENIENT, ...(n === 2 ? {} : { "zuora-org-ids": "o7" }) };
    const again = await edge.post(meter, JSON.stringify({ n, tenant: edge.tenant }), headers);
    expect(await again.json(), "known").toMatchObject({ duplicates: 1 });
  }
});

it("ids find entries one by one, and never another tenant's of the same number", async () => {
  const edge = await setup();
  const other = await setup();
  await send(edge, "m", [1, 2, 3], null);
  await send(other, "m", [1, 2, 3, 4], null);
  const ids = (await held(other)).map((item) => item.id);
  expect((await held(edge)).map((item) => item.id)).toEqual(ids.slice(0, 3));
  const answer = await bulk(edge, "discard", { ids: ids.slice(1), reason: "a test" });
  expect(await answer.json()).toMatchObject({ discarded: 2 });
  expect((await held(edge)).map((item) => item.event["n"])).toEqual([1]);
  expect(await held(other)).toHaveLength(4);
});

it.each<[string, string, Record<string, unknown>]>([
  ["no filter", "replay", {}],
  ["no filter but other headers", "replay", { headers: { org_ids: ["o9"] } }],
  ["an unknown filter", "replay", { stream: "usage/m", producer: "p" }],
  ["no reason", "discard", { stream: "usage/m" }],
  ["no filter but a reason", "discard", { reason: "a test" }],
  ["a time without offset", "replay", { from: "2026-11-21" }],
  ["an org that the key may not name", "replay", { stream: "usage/m", headers: { org_ids: ["o8"] } }],
])("%s is 400, and nothing is done", async (_what, path, body) => {
  const edge = await setup();
  await send(edge, "m", [1], null);
  await relax(edge, false);
  expect((await bulk(edge, path, body)).status).toBe(400);
  expect(await held(edge)).toHaveLength(1);
});

it("a replay that fails again says so on the same entry, and what it was corrected to goes up next", async () => {
  const edge = await setup();
  const post = async (reference: string) => {
    const charge = {
      product_item_id: "p",
      pricing_id: "p",
      pricing_item_id: "p",
      pricing_item_config_id: "p",
      value: { number: "1" },
      reference,
      note: edge.tenant,
    };
    const body = new TextEncoder().encode(JSON.stringify(charge));
    return (await edge.request("/v1/ingest/charge-data", { method: "POST", body })).json<{ id: string }>();
  };
  const fail = () =>
    fetch(`${twinUrl()}/twin/faults`, {
      method: "POST",
      body: JSON.stringify([{ times: 1, contains: edge.tenant, status: 400 }]),
    });
  const sweep = () => sweeps(edge, 2);
  await fail();
  const { id } = await post(`r-${edge.tenant}`);
  await sweep();
  const [first] = await held(edge);
  expect(first).toMatchObject({ event_id: id, attempts: 0, reasons: [{ code: 400 }] });

  await fail();
  const event = { ...first?.event, fixed: true };
  const one = (body: unknown) =>
    edge.request(`/admin/quarantine/${first?.id}/replay`, { method: "POST", body: JSON.stringify(body) });
  expect((await one({ event })).status).toBe(202);
  await sweep();
  const again = await held(edge);
  expect(again).toMatchObject([{ id: first?.id, event_id: id, attempts: 1, state: "open", event: { fixed: true } }]);
  expect(again[0]?.upstream).toBeDefined();
  expect(await held(edge, "replayed")).toEqual([]);
  expect(await edge.ledger()).toMatchObject([{ accepted: 1, quarantined: 1, pending: 0, delivered: 0 }]);
  expect(await (await edge.request(`/admin/events/${id}`)).json()).toMatchObject({ id, state: "quarantined" });

  expect((await bulk(edge, "replay", { code: "400" })).status).toBe(202);
  await sweep();
  expect(await held(edge)).toEqual([]);
  expect(await held(edge, "replayed")).toMatchObject([{ id: first?.id, attempts: 2 }]);
  expect(await edge.ledger()).toMatchObject([{ accepted: 1, quarantined: 0, pending: 0, delivered: 1 }]);
  expect(await (await edge.request(`/admin/events/${id}`)).json()).toMatchObject({
    id,
    state: "delivered",
    event: { fixed: true },
  });
  expect((await one({})).status, "settled").toBe(409);
});
