/** A producer's name is one sender's: another key of the tenant cannot take its next positions. */
import { beforeEach, describe, expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { bindings, connectEdge, event, events, setupEdge, type TestEdge } from "./support/edge.ts";

type Json = Record<string, unknown>;
interface Key {
  readonly id: string;
  readonly key: string;
}
const METER = "produced";
const LENIENT = "handling=lenient, return=representation";

let edge: TestEdge;
beforeEach(async () => {
  edge = await setupEdge();
  await edge.putCatalog({ streams: [{ meter_global_id: METER }, { meter_global_id: "other" }] });
});

const call = (path: string, method: string, body?: unknown, key = `key-of-${edge.tenant}`) =>
  edge.request(path, {
    method,
    headers: { "x-api-key": key },
    ...(body === undefined ? {} : { body: new TextEncoder().encode(JSON.stringify(body)) }),
  });
async function makeKey(more: Json = {}, maker?: string): Promise<Key> {
  const answer = await call(
    "/admin/api-keys",
    "POST",
    { name: "n", permissions: ["METER_DATA.INGEST"], ...more },
    maker,
  );
  if (answer.status !== 201) throw new Error(await answer.text());
  return answer.json();
}
const send = (key: Key, producer: string, first: number, list: readonly string[], of = edge, meter = METER) =>
  of.post(meter, `[${list.join(",")}]`, {
    ...{ "x-api-key": key.key, "weir-producer": producer, "weir-sequence": String(first), prefer: LENIENT },
  });
const statusOf = async (answer: Promise<Response>) => (await answer).status;

/** Everything that the ledger holds of the tenant. */
async function stored(): Promise<string> {
  const tables = ["batches", "ranges", "counters", "quarantine", "outbox"];
  const rows = await bindings.LEDGER.batch(
    tables.map((table) => bindings.LEDGER.prepare(`SELECT * FROM ${table} WHERE tenant = ?1`).bind(edge.tenant)),
  );
  return JSON.stringify(rows.map(({ results }) => results));
}

it("another key's events under an agent's name are 403 and nothing is stored; the agent's next 50 are accepted", async () => {
  const agent = await makeKey();
  const other = await makeKey();
  expect(await statusOf(send(agent, "plant-7.Ab3dE5gH", 1, events(10)))).toBe(200);
  const before = await stored();
  const other50 = events(50, 1000);
  for (const of of [edge, connectEdge(edge.tenant)]) {
    const answer = await send(other, "plant-7.Ab3dE5gH", 11, other50, of);
    expect(answer.status).toBe(403);
    expect(await answer.text()).toContain("plant-7.Ab3dE5gH");
  }
  expect(await statusOf(send(other, "plant-7.Ab3dE5gH", 1, events(10))), "not even as duplicates").toBe(403);
  expect(await statusOf(send(other, "plant-7.Ab3dE5gH", 1, [event({ Quantity: -1 })])), "nor as conflicts").toBe(403);
  expect(await stored()).toBe(before);
  const answer = await send(agent, "plant-7.Ab3dE5gH", 11, events(50, 10));
  expect(await answer.json()).toMatchObject({ accepted: 50, conflicts: 0, quarantined: 0 });
  expect((await edge.ledger()).map(({ accepted, gaps }) => ({ accepted, gaps }))).toEqual([{ accepted: 60, gaps: [] }]);
});

it("Solvimon's routes refuse it alike, in their own shape", async () => {
  const charge = {
    ...{ product_item_id: "p", pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" },
    value: { number: "1" },
  };
  const post = (key: Key, sequence: string) =>
    edge.request("/v1/ingest/charge-data", {
      method: "POST",
      headers: { "x-api-key": key.key, "weir-producer": "p", "weir-sequence": sequence },
      body: new TextEncoder().encode(JSON.stringify(charge)),
    });
  expect(await statusOf(post(await makeKey(), "1"))).toBe(201);
  const refused = await post(await makeKey(), "2");
  expect([refused.status, (await refused.json<{ code: string }>()).code]).toEqual([403, "USER_NOT_ALLOWED"]);
});

it("a name is owned on each stream by itself, and of two that begin at once one owns it", async () => {
  const [one, two] = [await makeKey(), await makeKey()];
  expect(await statusOf(send(one, "p", 1, events(1)))).toBe(200);
  expect(await statusOf(send(two, "p", 1, events(1), edge, "other"))).toBe(200);
  expect(await statusOf(send(one, "p", 2, events(1, 1), edge, "other"))).toBe(403);
  const both = await Promise.all([one, two].map((key, i) => statusOf(send(key, "q", 1, events(1, i)))));
  expect(both.sort()).toEqual([200, 403]);
});

it("a name that was used before owners were kept belongs to the next key that uses it", async () => {
  const [one, two] = [await makeKey(), await makeKey()];
  await send(one, "p", 1, events(1));
  await bindings.LEDGER.prepare("UPDATE counters SET owner = NULL WHERE tenant = ?1").bind(edge.tenant).run();
  expect(await statusOf(send(two, "p", 2, events(1, 1)))).toBe(200);
  expect(await statusOf(send(one, "p", 3, events(1, 2)))).toBe(403);
});

it("a key that it is rotated into owns what it owned, and so on", async () => {
  const first = await makeKey();
  await send(first, "p", 1, events(1));
  const rotate = async (key: Key): Promise<Key> =>
    (await call(`/admin/api-keys/${key.id}/rotate`, "POST", { overlap_seconds: 600 })).json();
  const second = await rotate(first);
  const third = await rotate(second);
  for (const [i, key] of [third, first, second].entries())
    expect(await statusOf(send(key, "p", 2 + i, events(1, 1 + i))), key.id).toBe(200);
  expect(await statusOf(send(await makeKey(), "p", 9, events(1, 9)))).toBe(403);
});

describe("a key's list of producers", () => {
  it("covers its names and prefixes and no others, whoever used them first", async () => {
    const listed = await makeKey({ producers: ["plant-7.*", "till"] });
    const first = await makeKey();
    await send(first, "plant-7.a", 1, events(1));
    expect(await statusOf(send(listed, "plant-7.a", 2, events(1, 1)))).toBe(200);
    expect(await statusOf(send(listed, "till", 1, events(1, 2)))).toBe(200);
    for (const name of ["plant-7", "plant-70", "till2", "Till"])
      expect(await statusOf(send(listed, name, 1, events(1, 3))), name).toBe(403);
    expect(await statusOf(edge.post(METER, event({ n: "unnumbered" }), { "x-api-key": listed.key }))).toBe(200);
    const unknown = { "x-api-key": listed.key, "weir-producer": "x", "weir-sequence": "1" };
    expect(await statusOf(edge.post("nowhere", "{", unknown)), "before anything else of the request").toBe(403);
  });

  it("is shown with the key, kept in rotation, and lies within its maker's", async () => {
    const admin = await makeKey({ permissions: ["WEIR.ADMIN"], producers: ["plant-*"] });
    const wanted = (producers: unknown) =>
      call("/admin/api-keys", "POST", { name: "n", permissions: ["METER_DATA.INGEST"], producers }, admin.key);
    const fieldsOf = async (producers: unknown) => {
      const answer = await wanted(producers);
      return [answer.status, (await answer.json<{ reasons: { field: string }[] }>()).reasons.map(({ field }) => field)];
    };
    expect(await fieldsOf(["plant-7.*", "till", "*", "plan*"])).toEqual([
      400,
      ["producers.1", "producers.2", "producers.3"],
    ]);
    expect(await fieldsOf(null)).toEqual([400, ["producers"]]);
    expect(await fieldsOf(["a b"])).toEqual([400, ["producers.0"]]);
    const made = await (await wanted(["plant-7.*", "plant-8"])).json<Key & { producers: string[] }>();
    expect(made.producers).toEqual(["plant-7.*", "plant-8"]);
    const rotated = await call(`/admin/api-keys/${made.id}/rotate`, "POST", {}, admin.key);
    expect(await rotated.json()).toMatchObject({ producers: ["plant-7.*", "plant-8"] });
    const free = await makeKey();
    expect(await statusOf(call(`/admin/api-keys/${free.id}/rotate`, "POST", {}, admin.key))).toBe(400);
    const move = (producer: string) =>
      statusOf(call(`/admin/producers/${producer}/owner`, "POST", { api_key_id: free.id }, admin.key));
    expect([await move("till"), await move("plant-1")]).toEqual([403, 404]);
  });
});

describe("POST /admin/producers/{producer}/owner", () => {
  it("moves a name to another key, on one stream or on all", async () => {
    const [one, two] = [await makeKey(), await makeKey()];
    await send(one, "p", 1, events(1));
    await send(one, "p", 1, events(1), edge, "other");
    await send(one, "p2", 1, events(1, 5));
    const move = (body: Json) => call("/admin/producers/p/owner", "POST", body);
    const moved = await move({ api_key_id: two.id, stream: `usage/${METER}` });
    expect([moved.status, await moved.json()]).toEqual([
      200,
      { producer: "p", api_key_id: two.id, streams: [`usage/${METER}`] },
    ]);
    expect(await statusOf(send(two, "p", 2, events(1, 1)))).toBe(200);
    expect(await statusOf(send(one, "p", 3, events(1, 2)))).toBe(403);
    expect(await statusOf(send(one, "p", 2, events(1, 1), edge, "other"))).toBe(200);
    expect(await (await move({ api_key_id: two.id })).json()).toMatchObject({
      streams: ["usage/other", `usage/${METER}`],
    });
    expect(await statusOf(send(one, "p", 3, events(1, 2), edge, "other"))).toBe(403);
    expect(await statusOf(send(one, "p2", 2, events(1, 6))), "another name stays").toBe(200);
  });

  it("takes a key of the tenant that sends events, and a name that was used", async () => {
    const one = await makeKey();
    await send(one, "p", 1, events(1));
    const foreign = `foreign-${edge.tenant}`;
    await bindings.LEDGER.prepare(
      `INSERT INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES (?1, ?2, 'elsewhere', 'n', '["METER_DATA.INGEST"]', 0)`,
    )
      .bind(foreign, hashApiKey(foreign))
      .run();
    const revoked = await makeKey();
    await call(`/admin/api-keys/${revoked.id}`, "DELETE");
    const admin = await makeKey({ permissions: ["WEIR.ADMIN"] });
    const move = (body: Json, producer = "p") => statusOf(call(`/admin/producers/${producer}/owner`, "POST", body));
    for (const id of ["nobody", foreign, revoked.id, admin.id]) expect(await move({ api_key_id: id }), id).toBe(400);
    expect(await move({ api_key_id: one.id }, "never-used")).toBe(404);
    expect(await move({ api_key_id: one.id, stream: "usage/other" })).toBe(404);
    expect(await move({})).toBe(400);
  });
});
