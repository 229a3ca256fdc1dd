/** Each tenant's own upstream account: two tenants, two twins with other credentials, the same references. */
import { beforeEach, describe, expect, inject, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

const otherTwinUrl = () => inject("otherTwinUrl");
const MINUTE = 60_000;
const CHARGE = { product_item_id: "p", pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" };

const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const unique = (word: string) => `${word}-${crypto.randomUUID().slice(0, 8)}`;

let now: number;
let operator: string;

beforeEach(async () => {
  now = Math.ceil(Date.now() / MINUTE) * MINUTE;
  operator = unique("operator");
  await setupEdge();
  // What an earlier test made a destination wait for is not this one's.
  await bindings.LEDGER.prepare("DELETE FROM holds").run();
  await bindings.LEDGER.prepare(
    "INSERT INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES (?1, ?2, 'house', 'o', ?3, 0)",
  )
    .bind(`id-${operator}`, hashApiKey(operator), JSON.stringify(["WEIR.OPERATOR"]))
    .run();
});

const VARS = { SOLVIMON_BASE_URL: "", BACKOFF_BASE_MS: "1000", BACKOFF_MAX_MS: "60000" };

/** A tenant with a meter of this name; its instance's clock is the test's. */
async function tenantOf(meter: string, vars: Record<string, string> = {}): Promise<TestEdge> {
  const base = await setupEdge();
  const runtime = { clock: { now: () => now } };
  const edge = connectEdge(base.tenant, {
    vars: { ...VARS, SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key", ...vars },
    runtime,
  });
  expect(
    (await edge.putCatalog({ streams: [{ meter_global_id: meter, event_id_field: "UsageIdentifier" }] })).status,
  ).toBe(200);
  return edge;
}

async function asOperator(edge: TestEdge, method: string, path: string, body?: unknown): Promise<number> {
  const headers = { "x-api-key": operator };
  return (await edge.request(path, { method, headers, ...(body === undefined ? {} : { body: encode(body) }) })).status;
}

/** The other account, under a name of the test's own. */
async function addOther(edge: TestEdge, more: Record<string, unknown> = {}) {
  const [zuora, solvimon] = [unique("zuora"), unique("solvimon")];
  const client = { client_id: "other-client", client_secret: "other-secret" };
  const put = (name: string, body: unknown) => asOperator(edge, "PUT", `/admin/destinations/${name}`, body);
  expect(await put(zuora, { dialect: "zuora", base_url: otherTwinUrl(), ...client, ...more })).toBe(200);
  expect(await put(solvimon, { dialect: "solvimon", base_url: otherTwinUrl(), api_key: "other-key" })).toBe(200);
  return { zuora, solvimon };
}
const move = (edge: TestEdge, destinations: object) =>
  asOperator(edge, "PUT", `/admin/tenants/${edge.tenant}`, { destinations });

/** A request with a charge of its own. */
const charge = () => ({
  method: "POST",
  body: encode({ ...CHARGE, reference: unique("host"), value: { number: "1" } }),
});
const deliver = (edge: TestEdge, stream: string) => edge.services.delivery.deliver({ tenant: edge.tenant, stream });

async function eventsAt(url: string, stream: string): Promise<string[]> {
  const answer = await fetch(`${url}/twin/events?exact=1&stream=${encodeURIComponent(stream)}`);
  const text = new TextDecoder().decode(await answer.arrayBuffer());
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line).source);
}
const addFault = (url: string, fault: Record<string, unknown>) =>
  fetch(`${url}/twin/faults`, { method: "POST", body: JSON.stringify([fault]) });
const rowOf = async (edge: TestEdge, stream: string) => (await edge.ledger()).find((row) => row.stream === stream);

describe("two tenants with the same references", () => {
  it("are both delivered, each to its own account and nowhere else", async () => {
    const meter = unique("meter");
    const [one, other] = [await tenantOf(meter), await tenantOf(meter)];
    expect(await move(other, await addOther(other))).toBe(200);
    const reference = unique("order-1");
    for (const edge of [one, other]) {
      const sent = event({ UsageIdentifier: reference, of: edge.tenant });
      expect((await edge.post(meter, sent)).status).toBe(200);
      const charge = { ...CHARGE, reference, value: { number: edge === one ? "1" : "2" } };
      const taken = await edge.request("/v1/ingest/charge-data", { method: "POST", body: encode(charge) });
      expect(taken.status).toBe(201);
      for (const stream of [`usage/${meter}`, "charge"]) {
        await deliver(edge, stream);
        expect(await rowOf(edge, stream), stream).toMatchObject({ accepted: 1, delivered: 1, quarantined: 0 });
      }
    }
    for (const [edge, url, number] of [
      [one, twinUrl(), "1"],
      [other, otherTwinUrl(), "2"],
    ] as const) {
      const usage = await eventsAt(url, `usage/${meter}`);
      expect(usage.map((source) => JSON.parse(source).of)).toEqual([edge.tenant]);
      const charges = (await eventsAt(url, "charge")).filter((source) => source.includes(reference));
      expect(charges.map((source) => JSON.parse(source).value)).toEqual([{ number }]);
    }
  });

  it("a calculation goes to the tenant's own account", async () => {
    const edge = await tenantOf(unique("meter"));
    const { solvimon } = await addOther(edge);
    const asked: string[] = [];
    const watching = connectEdge(edge.tenant, {
      vars: { ...VARS, SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key" },
      runtime: {
        fetch: (input, init) => {
          asked.push(`${new URL(String(input)).origin} ${new Headers(init?.headers).get("x-api-key")}`);
          return fetch(input, init);
        },
      },
    });
    const body = {
      ...{ customer_reference: "acme", meter_reference: "traffic", timestamp: "2026-03-10T12:00:00Z" },
      meter_values: [{ reference: "v", number: "1" }],
    };
    const calculate = () => watching.request("/v1/events/calculate", { method: "POST", body: encode(body) });
    await calculate();
    expect(await move(watching, { solvimon })).toBe(200);
    await calculate();
    expect(asked).toEqual([`${twinUrl()} twin-key`, `${otherTwinUrl()} other-key`]);
  });
});

describe("a tenant that is given another account", () => {
  it("has its pending events delivered there", async () => {
    const meter = unique("meter");
    const edge = await tenantOf(meter, { ZUORA_BASE_URL: "" });
    await edge.post(meter, event({ UsageIdentifier: unique("u") }));
    await deliver(edge, `usage/${meter}`);
    expect(await rowOf(edge, `usage/${meter}`)).toMatchObject({ pending: 1 });
    const { zuora } = await addOther(edge);
    expect(await move(edge, { zuora })).toBe(200);
    await deliver(edge, `usage/${meter}`);
    expect(await rowOf(edge, `usage/${meter}`)).toMatchObject({ pending: 0, delivered: 1 });
    expect(await eventsAt(otherTwinUrl(), `usage/${meter}`)).toHaveLength(1);
  });

  it("has a call of unknown outcome settled where it went, and all others sent to the new one", async () => {
    const meter = unique("meter");
    const edge = await tenantOf(meter);
    const { zuora } = await addOther(edge);
    const path = `/meters/streaming/ingestion/${meter}`;
    await addFault(twinUrl(), { path, times: 1, drop: "after" });
    const [doubtful, later] = [event({ UsageIdentifier: "doubtful" }), event({ UsageIdentifier: "later" })];
    await edge.post(meter, doubtful);
    await deliver(edge, `usage/${meter}`);
    expect(await rowOf(edge, `usage/${meter}`)).toMatchObject({ pending: 1 });
    await edge.post(meter, later);
    expect(await move(edge, { zuora })).toBe(200);
    now += 10 * MINUTE;
    await deliver(edge, `usage/${meter}`);
    now += 10 * MINUTE;
    await deliver(edge, `usage/${meter}`);
    expect(await rowOf(edge, `usage/${meter}`)).toMatchObject({ pending: 0, delivered: 2, quarantined: 0 });
    expect(await eventsAt(twinUrl(), `usage/${meter}`)).toEqual([doubtful]);
    expect(await eventsAt(otherTwinUrl(), `usage/${meter}`)).toEqual([later]);
  });

  it("keeps the old account from being deleted while a call's outcome there is unknown", async () => {
    const meter = unique("meter");
    const edge = await tenantOf(meter);
    const { zuora } = await addOther(edge);
    expect(await move(edge, { zuora })).toBe(200);
    await addFault(otherTwinUrl(), { path: `/meters/streaming/ingestion/${meter}`, times: 1, drop: "after" });
    await edge.post(meter, event({ UsageIdentifier: "one" }));
    await deliver(edge, `usage/${meter}`);
    expect(await move(edge, {})).toBe(200);
    expect(await asOperator(edge, "DELETE", `/admin/destinations/${zuora}`)).toBe(409);
    now += 10 * MINUTE;
    await deliver(edge, `usage/${meter}`);
    expect(await rowOf(edge, `usage/${meter}`)).toMatchObject({ pending: 0, delivered: 1 });
    expect(await asOperator(edge, "DELETE", `/admin/destinations/${zuora}`)).toBe(204);
  });
});

describe("a destination", () => {
  it("that waits makes nobody wait at another", async () => {
    const meter = unique("meter");
    const [one, other] = [await tenantOf(meter), await tenantOf(meter)];
    expect(await move(other, await addOther(other, { client_secret: "wrong" }))).toBe(200);
    for (const edge of [other, one]) {
      await edge.post(meter, event({ UsageIdentifier: "u" }));
      await deliver(edge, `usage/${meter}`);
    }
    expect(await rowOf(other, `usage/${meter}`)).toMatchObject({ pending: 1 });
    expect(await rowOf(one, `usage/${meter}`)).toMatchObject({ delivered: 1 });
  });

  it("that sends elsewhere is not followed: neither events nor credentials reach the other place", async () => {
    const meter = unique("meter");
    const edge = await tenantOf(meter);
    const { zuora } = await addOther(edge);
    expect(await move(edge, { zuora })).toBe(200);
    const path = `/meters/streaming/ingestion/${meter}`;
    const headers = { location: twinUrl() + path };
    await addFault(otherTwinUrl(), { path, times: 1, status: 307, headers });
    await edge.post(meter, event({ UsageIdentifier: "u" }));
    await deliver(edge, `usage/${meter}`);
    expect(await rowOf(edge, `usage/${meter}`)).toMatchObject({ pending: 1 });
    const { items } = await (await fetch(`${twinUrl()}/twin/requests`)).json<{ items: { path: string }[] }>();
    expect(items.filter((call) => call.path === path)).toEqual([]);
  });

  it("is called no more often a minute than it says", async () => {
    const meter = unique("meter");
    const edge = await tenantOf(meter);
    const { zuora } = await addOther(edge, { calls_per_minute: 2, max_events: 1 });
    expect(await move(edge, { zuora })).toBe(200);
    for (let n = 0; n < 5; n++) await edge.post(meter, event({ UsageIdentifier: `u-${n}` }));
    const delivered = [];
    for (let minute = 0; minute < 3; minute++) {
      for (let again = 0; again < 2; again++) await deliver(edge, `usage/${meter}`);
      delivered.push((await rowOf(edge, `usage/${meter}`))?.delivered);
      now += MINUTE;
    }
    expect(delivered).toEqual([2, 4, 5]);
  });

  it("takes its tokens at token_url, and new credentials as soon as they are put", async () => {
    const meter = unique("meter");
    const edge = await tenantOf(meter);
    const more = { token_url: `${otherTwinUrl()}/somewhere/else` };
    const { zuora } = await addOther(edge, more);
    expect(await move(edge, { zuora })).toBe(200);
    await edge.post(meter, event({ UsageIdentifier: "u" }));
    await deliver(edge, `usage/${meter}`);
    const attempts = bindings.LEDGER.prepare(
      "SELECT message FROM attempts JOIN shipments ON id = shipment WHERE tenant = ?1",
    ).bind(edge.tenant);
    expect((await attempts.first<{ message: string }>())?.message).toContain("/somewhere/else is not known");
    expect(await rowOf(edge, `usage/${meter}`)).toMatchObject({ pending: 1 });
    const mended = { dialect: "zuora", base_url: otherTwinUrl(), client_id: "other-client" };
    expect(await asOperator(edge, "PUT", `/admin/destinations/${zuora}`, mended), "its secret stays").toBe(200);
    now += 10 * MINUTE;
    await deliver(edge, `usage/${meter}`);
    expect(await rowOf(edge, `usage/${meter}`)).toMatchObject({ pending: 0, delivered: 1 });
  });

  it("of one host, each with credentials of its own: neither token nor key of one is ever sent for the other", async () => {
    const [meter, otherMeter] = [unique("meter"), unique("meter")];
    const [edge, other] = [await tenantOf(meter), await tenantOf(otherMeter)];
    const names = await addOther(edge);
    const wrong = { client_id: "other-client", client_secret: "another-secret" };
    const [zuora, solvimon] = [unique("wrong"), unique("wrong")];
    for (const [name, body] of [
      [zuora, { dialect: "zuora", base_url: otherTwinUrl(), ...wrong }],
      [solvimon, { dialect: "solvimon", base_url: otherTwinUrl(), api_key: "another-key" }],
    ] as const) {
      expect(await asOperator(edge, "PUT", `/admin/destinations/${name}`, body)).toBe(200);
    }
    expect(await move(edge, names)).toBe(200);
    expect(await move(other, { zuora, solvimon })).toBe(200);
    // One instance sends for both, again and again, so that what it keeps of one is there when the other calls.
    const both = [
      [edge.tenant, meter],
      [other.tenant, otherMeter],
    ] as const;
    for (let round = 0; round < 3; round++) {
      await edge.post(meter, event({ UsageIdentifier: `u${round}` }));
      await other.post(otherMeter, event({ UsageIdentifier: `u${round}` }));
      for (const from of [edge, other]) await from.request("/v1/ingest/charge-data", charge());
      for (const [tenant, name] of both) {
        await edge.services.delivery.deliver({ tenant, stream: `usage/${name}` });
        await edge.services.delivery.deliver({ tenant, stream: "charge" });
      }
      now += 10 * MINUTE;
    }
    for (const stream of [`usage/${meter}`, "charge"])
      expect(await rowOf(edge, stream)).toMatchObject({ delivered: 3 });
    for (const stream of [`usage/${otherMeter}`, "charge"]) {
      expect(await rowOf(other, stream)).toMatchObject({ pending: 3, delivered: 0, quarantined: 0 });
    }
  });

  it("whose secret does not open under another DESTINATION_KEY keeps its events pending until it is put again", async () => {
    const meter = unique("meter");
    const edge = await tenantOf(meter);
    const { zuora } = await addOther(edge);
    expect(await move(edge, { zuora })).toBe(200);
    const later = connectEdge(edge.tenant, {
      vars: { ...VARS, DESTINATION_KEY: "another key, long enough too" },
      runtime: { clock: { now: () => now } },
    });
    await later.post(meter, event({ UsageIdentifier: "u" }));
    await deliver(later, `usage/${meter}`);
    expect(await rowOf(later, `usage/${meter}`)).toMatchObject({ pending: 1 });
    const again = {
      dialect: "zuora",
      base_url: otherTwinUrl(),
      client_id: "other-client",
      client_secret: "other-secret",
    };
    expect(await asOperator(later, "PUT", `/admin/destinations/${zuora}`, again)).toBe(200);
    await deliver(later, `usage/${meter}`);
    expect(await rowOf(later, `usage/${meter}`)).toMatchObject({ delivered: 1 });
  });
});
