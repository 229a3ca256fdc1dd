/** What clients see of an event's identity: repeats and new ones, what goes upstream with them, what older rows keep. */
import { describe, expect, it } from "vitest";
import { sentEvent } from "../support/identity-model.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

const CHARGE = sentEvent("charge", "none", 1).text;

function charge(more: string): string {
  return CHARGE.replace(/}$/, `,${more}}`);
}

async function postCharge(edge: TestEdge, body: string, headers: Record<string, string> = {}) {
  const response = await edge.request("/v1/ingest/charge-data", {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
  const resource = await response.json<{ id: string; timestamp: string }>();
  return { status: response.status, replayed: response.headers.get("idempotent-replayed"), ...resource };
}

async function allow(edge: TestEdge, lists: { entities: readonly string[] | null; orgs: readonly string[] | null }) {
  await bindings.LEDGER.prepare("UPDATE api_keys SET entity_ids = ?2, org_ids = ?3 WHERE tenant = ?1")
    .bind(edge.tenant, lists.entities && JSON.stringify(lists.entities), lists.orgs && JSON.stringify(lists.orgs))
    .run();
}

/** A tenant with one usage stream. */
async function setupStream(stream: object = {}, vars: Record<string, unknown> = {}) {
  const edge = await setupEdge({ vars });
  const meter = `m-${edge.tenant}`;
  expect((await edge.putCatalog({ streams: [{ meter_global_id: meter, ...stream }] })).status).toBe(200);
  const post = async (events: readonly string[], headers: Record<string, string> = {}, through = edge) => {
    const prefer = { prefer: "handling=lenient, return=representation", ...headers };
    const response = await through.post(meter, `[${events.join(",")}]`, prefer);
    expect(response.status).toBe(200);
    return (await response.json<{ results: { id: string; status: string }[] }>()).results;
  };
  return { edge, meter, post, stream: `usage/${meter}` };
}

const statuses = (results: readonly { status: string }[]) => results.map(({ status }) => status);

describe("a Solvimon event that happens when it arrives", () => {
  it.each([
    ["without reference and timestamp", CHARGE],
    ["with a null timestamp", charge('"timestamp":null')],
    ["with an empty reference", charge('"reference":""')],
    ["with a null reference", charge('"reference":null')],
  ])("%s is another one each time", async (_, body) => {
    const edge = await setupEdge();
    const first = await postCharge(edge, body);
    const second = await postCharge(edge, body);
    expect([first.status, second.status, second.replayed]).toEqual([201, 201, null]);
    expect(second.id).not.toBe(first.id);
    expect(await edge.ledger()).toMatchObject([{ stream: "charge", accepted: 2, duplicates: 0 }]);
  });

  it.each([
    ["its own time", charge('"timestamp":"2026-01-02T03:04:05Z"'), {}],
    ["a reference", charge('"reference":"r-1"'), {}],
    ["an idempotency key", CHARGE, { "idempotency-key": "k" }],
  ])("is the same again with %s, answered as the first time", async (_, body, headers) => {
    const edge = await setupEdge();
    const { replayed, ...first } = await postCharge(edge, body, headers);
    expect([first.status, replayed]).toEqual([201, null]);
    expect(await postCharge(edge, body, headers)).toEqual({ ...first, replayed: "true" });
  });

  it("is accepted once when the end of its transaction is unclear, also when it commits late", async () => {
    for (const commits of ["at once", "after the next look", "never"] as const) {
      const stable = await setupEdge();
      const edge = connectEdge(stable.tenant, { bindings: { LEDGER: unclearDatabase(commits) } });
      const body = `{"charge_datas":[${CHARGE},${CHARGE}]}`;
      const headers = { "content-type": "application/json" };
      const response = await edge.request("/v1/ingest/charge-datas", { method: "POST", body, headers });
      expect(await response.json(), commits).toMatchObject({ accepted: 2, duplicates: 0 });
      expect(await stable.ledger(), commits).toMatchObject([{ accepted: 2, duplicates: 0, pending: 2 }]);
    }
  });
});

/** D1 whose first filing fails for its caller, and commits at once, once it was looked for, or never. */
function unclearDatabase(commits: "at once" | "after the next look" | "never"): D1Database {
  const db = bindings.LEDGER;
  let late: D1PreparedStatement[] | null = null;
  let filings = 0;
  const texts = new WeakMap<object, string>();
  const prepare = (sql: string) => {
    const statement = db.prepare(sql);
    const bind = statement.bind.bind(statement);
    return Object.assign(statement, {
      bind: (...values: unknown[]) => {
        const bound = bind(...values);
        texts.set(bound, sql);
        return bound;
      },
    });
  };
  const batch = async (statements: D1PreparedStatement[]) => {
    const [first] = statements;
    if (first === undefined || !(texts.get(first) ?? "").startsWith("INSERT INTO batches")) return db.batch(statements);
    if (filings++ === 0) {
      if (commits === "at once") await db.batch(statements);
      if (commits === "after the next look") late = statements;
      throw new Error("network lost");
    }
    if (late !== null) await db.batch(late);
    late = null;
    return db.batch(statements);
  };
  return { prepare, batch, exec: db.exec.bind(db) } as unknown as D1Database;
}

describe("an own id", () => {
  it("is one as number and as text, and none where it is empty or null", async () => {
    const fields = [
      { name: "Id", type: "string", required: false },
      { name: "Quantity", type: "number", required: true },
    ];
    const { edge, post } = await setupStream({ event_id_field: "Id", fields });
    const [text, again] = await post(['{"Id":"7","Quantity":1}', '{"Id":"7","Quantity":1}']);
    expect([text?.status, again?.status, again?.id]).toEqual(["accepted", "duplicate", text?.id]);
    const none = ['{"Id":"","Quantity":1}', '{"Id":null,"Quantity":1}', '{"Id":"","Quantity":1}', '{"Quantity":1}'];
    const results = await post(none);
    expect(statuses(results)).toEqual(["accepted", "accepted", "accepted", "accepted"]);
    expect(new Set(results.map(({ id }) => id)).size).toBe(4);
    expect(statuses(await post(none))).toEqual(["duplicate", "duplicate", "duplicate", "duplicate"]);
    expect(await edge.ledger()).toMatchObject([{ accepted: 5, duplicates: 5 }]);
  });

  it("that is a number conflicts with a text that reads alike", async () => {
    const fields = [{ name: "Id", type: "integer", required: false }];
    const { edge, meter, post } = await setupStream({ event_id_field: "Id", fields });
    const [number] = await post(['{"Id":7}']);
    const asText = [{ name: "Id", type: "string", required: false }];
    await edge.putCatalog({ streams: [{ meter_global_id: meter, event_id_field: "Id", fields: asText }] });
    expect(await post(['{"Id":"7"}'])).toMatchObject([{ status: "conflict", id: number?.id }]);
  });
});

describe("a key with entity and org ids", () => {
  it("sends its own where a request names none; that is no part of what the event is", async () => {
    const { edge, meter, post } = await setupStream();
    await allow(edge, { entities: ["e1", "e2"], orgs: ["o1"] });
    const later = connectEdge(edge.tenant);
    const [first] = await post([event()], {}, later);
    await later.services.delivery.sweep();
    expect(await twinIds(meter)).toEqual(["e1,e2 o1"]);
    await allow(edge, { entities: ["e1"], orgs: ["o1"] });
    const narrowed = connectEdge(edge.tenant);
    expect(await post([event()], {}, narrowed)).toMatchObject([{ status: "duplicate", id: first?.id }]);
    expect(statuses(await post([event()], { "zuora-entity-ids": "e1" }, narrowed))).toEqual(["accepted"]);
    await narrowed.services.delivery.sweep();
    expect(await twinIds(meter)).toEqual(["e1,e2 o1", "e1 o1"]);
  });

  it("that holds any sends none", async () => {
    const { edge, meter, post } = await setupStream();
    await allow(edge, { entities: ["*"], orgs: null });
    const later = connectEdge(edge.tenant);
    await post([event()], {}, later);
    expect(statuses(await post([event()], { "zuora-entity-ids": "e9" }, later))).toEqual(["accepted"]);
    await later.services.delivery.sweep();
    // They go by lanes of their own, whichever is first.
    expect((await twinIds(meter)).sort()).toEqual(["e9 null", "null null"]);
  });
});

/** Entity and org ids of the events of a meter that the twin has. */
async function twinIds(meter: string): Promise<string[]> {
  const answer = await fetch(`${twinUrl()}/twin/events?exact=1&stream=${encodeURIComponent(`usage/${meter}`)}`);
  const lines = new TextDecoder()
    .decode(await answer.arrayBuffer())
    .split("\n")
    .filter((line) => line !== "");
  return lines.map((line) => {
    const { entity_ids, org_ids } = JSON.parse(line) as { entity_ids: string | null; org_ids: string | null };
    return `${entity_ids} ${org_ids}`;
  });
}

describe("two equal events that are corrected alike", () => {
  it("stay two, each known by its correction", async () => {
    const { edge, post } = await setupStream();
    const bad = event({ Quantity: "many" });
    expect(statuses(await post([bad, bad]))).toEqual(["quarantined", "quarantined"]);
    const listed = await edge.request("/admin/quarantine");
    const { items } = await listed.json<{ items: { id: string }[] }>();
    for (const { id } of items) {
      const body = JSON.stringify({ event: JSON.parse(event()) });
      expect((await edge.request(`/admin/quarantine/${id}/replay`, { method: "POST", body })).status).toBe(202);
    }
    expect(statuses(await post([event(), event(), event()]))).toEqual(["duplicate", "duplicate", "accepted"]);
    expect(statuses(await post([bad, bad]))).toEqual(["duplicate", "duplicate"]);
  });
});

describe("at a position", () => {
  const at = (sequence: number) => ({ "weir-producer": "p", "weir-sequence": String(sequence) });
  const spaced = (text: string) => text.replaceAll(",", ", ");

  it("the same bytes are a duplicate however a request frames them, others a conflict though they mean the same", async () => {
    const { post } = await setupStream();
    const [a, b] = [event(), event({ Quantity: 2 })];
    expect(statuses(await post([a, b], at(1)))).toEqual(["accepted", "accepted"]);
    expect(statuses(await post([` ${b}\n`], at(2)))).toEqual(["duplicate"]);
    expect(statuses(await post([spaced(a), spaced(b)], at(1)))).toEqual(["conflict", "conflict"]);
    expect(statuses(await post([spaced(a)]))).toEqual(["accepted"]);
    expect(statuses(await post([a]))).toEqual(["duplicate"]);
  });

  it("an own id or a key goes before it, and is compared by content", async () => {
    const { post } = await setupStream({ event_id_field: "CustomerId" });
    expect(statuses(await post([event()], at(1)))).toEqual(["accepted"]);
    expect(statuses(await post([spaced(event())], at(1)))).toEqual(["duplicate"]);
    const keyed = await setupStream();
    expect(statuses(await keyed.post([event()], { ...at(1), "idempotency-key": "k" }))).toEqual(["accepted"]);
    expect(statuses(await keyed.post([spaced(event())], { ...at(1), "idempotency-key": "k" }))).toEqual(["duplicate"]);
  });

  it("a repeat is known though its stream was given own ids meanwhile", async () => {
    const { edge, meter, post } = await setupStream();
    expect(statuses(await post([event()], at(1)))).toEqual(["accepted"]);
    await edge.putCatalog({ streams: [{ meter_global_id: meter, event_id_field: "CustomerId" }] });
    expect(statuses(await post([event(), event({ CustomerId: "other" })], at(1)))).toEqual(["duplicate", "accepted"]);
    expect(await edge.ledger()).toMatchObject([{ accepted: 2, duplicates: 1 }]);
  });

  it("a corrected event is known by the bytes that came and by the corrected ones", async () => {
    const { edge, post } = await setupStream();
    const bad = spaced(event({ Quantity: "many" }));
    const good = spaced(event());
    expect(statuses(await post([bad], at(1)))).toEqual(["quarantined"]);
    const listed = await edge.request("/admin/quarantine");
    const { items } = await listed.json<{ items: { id: string }[] }>();
    const path = `/admin/quarantine/${items[0]?.id}/replay`;
    expect((await edge.request(path, { method: "POST", body: `{"event":${good}}` })).status).toBe(202);
    for (const text of [bad, good]) expect(statuses(await post([text], at(1)))).toEqual(["duplicate"]);
    expect(statuses(await post([event()], at(1)))).toEqual(["conflict"]);
  });
});

it("an event is found by its own id and its key wherever it went", async () => {
  const { edge, post } = await setupStream({ event_id_field: "CustomerId" });
  await allow(edge, { entities: ["e1", "e2"], orgs: null });
  const later = connectEdge(edge.tenant);
  const scopes = [{}, { "zuora-entity-ids": "e1" }, { "zuora-entity-ids": "e2" }];
  const ids: string[] = [];
  for (const scope of scopes) for (const { id } of await post([event()], scope, later)) ids.push(id);
  const found = await later.request("/admin/events?own_id=cus_1");
  expect((await found.json<{ items: { id: string }[] }>()).items.map(({ id }) => id)).toEqual(ids);
  const header = { "content-type": "application/json", "idempotency-key": "k" };
  const keyed: string[] = [];
  for (const scope of scopes) {
    const headers = { ...header, ...scope };
    const response = await later.request("/v1/ingest/charge-data", { method: "POST", body: CHARGE, headers });
    keyed.push((await response.json<{ id: string }>()).id);
  }
  const byKey = await later.request("/admin/events?key=k");
  expect((await byKey.json<{ items: { id: string }[] }>()).items.map(({ id }) => id)).toEqual(keyed);
});

describe("rows of an older version", () => {
  /** As that version wrote them: no ids in an identity, and each entry with its index in the body. */
  async function age({ tenant }: TestEdge): Promise<void> {
    const rows = await bindings.LEDGER.prepare("SELECT id, hex(entries) AS entries FROM batches WHERE tenant = ?1")
      .bind(tenant)
      .all<{ id: number; entries: string }>();
    for (const { id, entries } of rows.results) {
      const aged = entries.replace(
        /.{50}/g,
        (entry) => `${entry.slice(0, 40)}0000000${entries.indexOf(entry) / 50}`.padEnd(48, "0") + entry.slice(48),
      );
      await bindings.LEDGER.prepare("UPDATE batches SET sent_ids = NULL, entries = unhex(?2) WHERE id = ?1")
        .bind(id, aged)
        .run();
    }
  }

  it("are read, and known, under the ids they were given", async () => {
    const { edge, post } = await setupStream();
    const sent = [event({ Quantity: 1 }), event({ Quantity: 2 }), event({ Quantity: 3 })];
    const before = await post(sent);
    await age(edge);
    const listed = await (await edge.request("/admin/events")).json<{ items: { id: string }[] }>();
    expect(listed.items.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
    expect(await post(sent)).toEqual(before.map((result) => ({ ...result, status: "duplicate" })));
  });

  it("keep their positions for where their events went", async () => {
    const { edge, post } = await setupStream();
    await allow(edge, { entities: ["e1", "e2"], orgs: null });
    const later = connectEdge(edge.tenant);
    const at = (id: string) => ({ "weir-producer": "p", "weir-sequence": "1", "zuora-entity-ids": id });
    expect(statuses(await post([event()], at("e1"), later))).toEqual(["accepted"]);
    await age(edge);
    expect(statuses(await post([event()], at("e1"), later))).toEqual(["duplicate"]);
    expect(statuses(await post([event()], at("e2"), later))).toEqual(["conflict"]);
  });
});

it("GET /schemas says which streams and kinds are not compared by content", async () => {
  const edge = await setupEdge();
  const schemas = async () => (await edge.request("/schemas")).json();
  expect(await schemas()).toEqual({ streams: [] });
  const stream = { meter_global_id: "m", deduplicate_by_content: false, dedup_days: 30 };
  const settings = { catalog: "pass", deduplicate_by_content: { "meter-data": false } };
  expect((await edge.putCatalog({ settings, streams: [stream] })).status).toBe(200);
  expect(await schemas()).toEqual({ streams: [stream], settings: { deduplicate_by_content: { "meter-data": false } } });
  expect(await (await edge.request("/admin/catalog")).json()).toMatchObject({ settings, streams: [stream] });
});

it.each([
  [{ settings: { deduplicate_by_content: { usage: false } } }, "settings.deduplicate_by_content.usage"],
  [{ settings: { deduplicate_by_content: { charge: "no" } } }, "settings.deduplicate_by_content.charge"],
  [{ streams: [{ meter_global_id: "m", deduplicate_by_content: 0 }] }, "streams.0.deduplicate_by_content"],
  [{ streams: [{ meter_global_id: "m", dedup_days: 0 }] }, "streams.0.dedup_days"],
  [{ streams: [{ meter_global_id: "m", dedup_days: 1.5 }] }, "streams.0.dedup_days"],
])("a catalog that says %o is refused, naming the field", async (catalog, field) => {
  const edge = await setupEdge();
  const response = await edge.putCatalog(catalog);
  expect([response.status, await response.json()]).toMatchObject([400, { reasons: [{ field }] }]);
});
