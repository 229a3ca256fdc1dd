/** What an admin sends by mistake: it wipes nothing, makes nothing up, and is answered in words that help. */
import { describe, expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { bindings, connectEdge, setupEdge, type TestEdge } from "./support/edge.ts";

const ONE = { streams: [{ meter_global_id: "one" }] };
const TWO = { streams: [{ meter_global_id: "two" }] };

const put = (edge: TestEdge, document: unknown, headers: Record<string, string> = {}) =>
  edge.request("/admin/catalog", { method: "PUT", body: JSON.stringify(document), headers });
const metersOf = async (edge: TestEdge) => {
  const answer = await edge.request("/admin/catalog");
  const { streams } = await answer.json<{ streams: { meter_global_id: string }[] }>();
  return { meters: streams.map((stream) => stream.meter_global_id), etag: answer.headers.get("etag") ?? "" };
};

describe("replacing a catalog", () => {
  it("without If-Match is 428, and the old one stands", async () => {
    const edge = await setupEdge();
    expect((await put(edge, ONE, { "if-match": "*" })).status).toBe(200);
    const refused = await put(edge, { streams: [] });
    expect([refused.status, await refused.json()]).toEqual([
      428,
      expect.objectContaining({ success: false, message: expect.stringContaining("If-Match") }),
    ]);
    expect((await metersOf(edge)).meters).toEqual(["one"]);
  });

  it("is refused by If-Match before its body is looked at, however wrong that is", async () => {
    const edge = await setupEdge();
    for (const document of [{ streams: {} }, "none", ONE]) {
      expect((await put(edge, document)).status, "without If-Match").toBe(428);
      expect((await put(edge, document, { "if-match": '"catalog-9"' })).status, "another").toBe(412);
    }
    const { etag } = await metersOf(edge);
    for (const named of [etag, "*"]) {
      expect((await put(edge, { streams: {} }, { "if-match": named })).status, named).toBe(400);
    }
  });

  it("takes the ETag that GET gave, of a tenant's first catalog too, once", async () => {
    const edge = await setupEdge();
    const { etag: empty } = await metersOf(edge);
    expect(empty).toMatch(/^"[^"]+"$/);
    const first = await put(edge, ONE, { "if-match": empty });
    expect(first.status).toBe(200);
    expect((await metersOf(edge)).etag, "the answer says the new one").toBe(first.headers.get("etag"));
    for (const old of [empty, '"something"', `W/${first.headers.get("etag")}`, "nothing quoted", ""]) {
      expect((await put(edge, TWO, { "if-match": old })).status, old).toBe(412);
    }
    expect((await metersOf(edge)).meters).toEqual(["one"]);
    const list = `"other", ${first.headers.get("etag")}`;
    expect((await put(edge, TWO, { "if-match": list })).status, "one of several").toBe(200);
    expect((await metersOf(edge)).meters).toEqual(["two"]);
  });

  it("of two admins who read the same catalog only the first one's change is made", async () => {
    const edge = await setupEdge();
    const { etag } = await metersOf(edge);
    const answers = await Promise.all([ONE, TWO].map((document) => put(edge, document, { "if-match": etag })));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 412]);
  });

  it("an instance that remembers an older catalog still refuses by the newest", async () => {
    const edge = await setupEdge();
    const other = connectEdge(edge.tenant);
    const { etag } = await metersOf(other);
    expect((await put(edge, ONE, { "if-match": "*" })).status).toBe(200);
    expect((await put(other, TWO, { "if-match": etag })).status).toBe(412);
  });
});

describe("an event_id_field", () => {
  const fields = [{ name: "eid", type: "string", required: true }];
  it.each<[title: string, stream: Record<string, unknown>, status: number]>([
    ["that no field declares", { event_id_field: "id", fields }, 400],
    ["that none of the four default fields is", { event_id_field: "id" }, 400],
    ["that a field declares", { event_id_field: "eid", fields }, 200],
    ["that is one of the four default fields", { event_id_field: "UsageIdentifier" }, 200],
    ["of a boolean", { event_id_field: "eid", fields: [{ name: "eid", type: "boolean", required: true }] }, 400],
  ])("%s", async (_title, stream, status) => {
    const edge = await setupEdge();
    const answer = await put(edge, { streams: [{ meter_global_id: "m", ...stream }] }, { "if-match": "*" });
    expect(answer.status).toBe(status);
    if (status === 400) {
      const { reasons } = await answer.json<{ reasons: { field: string }[] }>();
      expect(reasons.map(({ field }) => field)).toEqual(["streams.0.event_id_field"]);
    }
  });
});

it.each<[title: string, stream: Record<string, unknown>, status: number]>([
  ["that none of the four default fields is", { event_time_field: "when" }, 400],
  ["that is one of them, but no time", { event_time_field: "CustomerId" }, 400],
  ["that is the one of them that is a time", { event_time_field: "UsageDate" }, 200],
])("an event_time_field %s", async (_title, stream, status) => {
  const edge = await setupEdge();
  const answer = await put(edge, { streams: [{ meter_global_id: "m", ...stream }] }, { "if-match": "*" });
  const { reasons } = await answer.json<{ reasons?: { field: string }[] }>();
  const fields = status === 200 ? undefined : ["streams.0.event_time_field"];
  expect([answer.status, reasons?.map(({ field }) => field)]).toEqual([status, fields]);
});

describe("?tenant=", () => {
  async function operatorOf(edge: TestEdge): Promise<Record<string, string>> {
    const key = `operator-of-${edge.tenant}`;
    await bindings.LEDGER.prepare(
      "INSERT INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES (?1, ?2, ?3, 'o', ?4, 0)",
    )
      .bind(`id-of-${key}`, hashApiKey(key), edge.tenant, JSON.stringify(["WEIR.OPERATOR"]))
      .run();
    return { "x-api-key": key };
  }

  it.each([
    ["GET", "/admin/catalog"],
    ["PUT", "/admin/catalog"],
    ["GET", "/admin/ledger"],
    ["GET", "/admin/events"],
    ["GET", "/admin/quarantine"],
    ["GET", "/admin/api-keys"],
    ["POST", "/admin/api-keys"],
    ["GET", "/admin/stats"],
  ])("%s %s of a tenant that does not exist is 404, of one that does it is found", async (method, path) => {
    const [edge, other] = [await setupEdge(), await setupEdge()];
    const headers = { ...(await operatorOf(edge)), "if-match": "*" };
    const body = method === "GET" ? {} : { body: JSON.stringify({ name: "n", permissions: ["METER_DATA.INGEST"] }) };
    const ask = async (tenant: string) =>
      (await edge.request(`${path}?tenant=${tenant}`, { method, headers, ...body })).status;
    expect(await ask(`${other.tenant}-typo`)).toBe(404);
    expect(await ask(other.tenant)).not.toBe(404);
  });

  it("a tenant is made by the key that names it in its body", async () => {
    const edge = await setupEdge();
    const headers = await operatorOf(edge);
    const tenant = `${edge.tenant}-new`;
    const body = JSON.stringify({ name: "n", tenant, permissions: ["WEIR.ADMIN"] });
    expect((await edge.request("/admin/api-keys", { method: "POST", headers, body })).status).toBe(201);
    expect((await edge.request(`/admin/ledger?tenant=${tenant}`, { headers })).status).toBe(200);
  });
});

/** zod's defaults, by which its own words are known. */
const ZODS =
  /Invalid (input|option|string|key|type)|Too (small|big)|Unrecognized|received |expected (string|number|object|array|boolean|record|one of)|>=|<=/;

describe("what is wrong is said in words of our own", () => {
  it.each<[title: string, document: unknown, field: string, message: RegExp]>([
    ["a list that is none", { streams: {} }, "streams", /must be a list/],
    ["a member that is none", { streams: ["x"] }, "streams.0", /must be an object/],
    ["an absent field", { streams: [{}] }, "streams.0.meter_global_id", /is required/],
    ["a null", { streams: [{ meter_global_id: null }] }, "streams.0.meter_global_id", /must be a string/],
    ["an empty text", { streams: [{ meter_global_id: "" }] }, "streams.0.meter_global_id", /may not be empty/],
    [
      "a long text",
      { streams: [{ meter_global_id: "x".repeat(257) }] },
      "streams.0.meter_global_id",
      /at most 256 char/,
    ],
    [
      "a text for a truth value",
      { streams: [{ meter_global_id: "m", strict: "yes" }] },
      "streams.0.strict",
      /true or false/,
    ],
    ["a word of no list", { settings: { catalog: "lax" } }, "settings.catalog", /must be one of pass, strict/],
    ["an unknown field", { typo: 1 }, "typo", /is not a field/],
    [
      "too many members",
      {
        streams: [
          {
            meter_global_id: "m",
            fields: Array.from({ length: 201 }, (_, i) => ({ name: `f${i}`, type: "string", required: false })),
          },
        ],
      },
      "streams.0.fields",
      /at most 200 members/,
    ],
    [
      "a map that is none",
      {
        streams: [
          { meter_global_id: "m", feeds: { meter_reference: "a", meter_value_reference: "b", properties: [] } },
        ],
      },
      "streams.0.feeds.properties",
      /must be an object/,
    ],
    ["no document", [], "", /must be an object/],
  ])("of a catalog: %s", async (_title, document, field, message) => {
    const answer = await put(await setupEdge(), document, { "if-match": "*" });
    expect(answer.status).toBe(400);
    const text = await answer.text();
    expect(text).not.toMatch(ZODS);
    const { reasons } = JSON.parse(text) as { reasons: { field?: string; message: string }[] };
    expect(reasons).toContainEqual(expect.objectContaining({ message: expect.stringMatching(message) }));
    expect(reasons.map((reason) => reason.field ?? "")).toContain(field);
  });

  it.each<[title: string, body: unknown, message: RegExp]>([
    ["no permissions", { name: "n", permissions: [] }, /at least 1 member/],
    [
      "an unknown one",
      { name: "n", permissions: ["ALL"] },
      /must be one of METER_DATA.INGEST, WEIR.ADMIN, WEIR.OPERATOR/,
    ],
    ["an unknown field", { name: "n", permissions: ["WEIR.ADMIN"], typo: 1, other: 2 }, /"typo" is not a field here/],
    ["a name that is none", { name: 7, permissions: ["WEIR.ADMIN"] }, /must be a string/],
    ["a list of numbers", { name: "n", permissions: ["WEIR.ADMIN"], org_ids: [1] }, /must be a string/],
  ])("of a key: %s", async (_title, body, message) => {
    const edge = await setupEdge();
    const answer = await edge.request("/admin/api-keys", { method: "POST", body: JSON.stringify(body) });
    expect(answer.status).toBe(400);
    const text = await answer.text();
    expect(text).not.toMatch(ZODS);
    expect((JSON.parse(text) as { reasons: { message: string }[] }).reasons[0]?.message).toMatch(message);
  });

  it.each([
    ["a part of a second", 1.5, /whole number/],
    ["a negative number", -1, /at least 0/],
    ["a month and more", 3_000_000, /at most 2592000/],
    ["a text", "1", /must be a (whole )?number/],
  ])("of a rotation: %s", async (_title, overlap, message) => {
    const edge = await setupEdge();
    const body = JSON.stringify({ overlap_seconds: overlap });
    const answer = await edge.request(`/admin/api-keys/id-of-${edge.tenant}/rotate`, { method: "POST", body });
    expect(answer.status).toBe(400);
    const text = await answer.text();
    expect(text).not.toMatch(ZODS);
    expect((JSON.parse(text) as { reasons: { message: string }[] }).reasons[0]?.message).toMatch(message);
  });
});

describe("what would be misread", () => {
  const made = async (edge: TestEdge, body: unknown) =>
    edge.request("/admin/api-keys", { method: "POST", body: JSON.stringify(body) });
  const fieldsOf = async (answer: Response) => {
    const { reasons } = await answer.json<{ reasons: { field?: string }[] }>();
    return { status: answer.status, fields: reasons.map(({ field }) => field) };
  };
  const KEY = { name: "n", permissions: ["METER_DATA.INGEST"] };

  it("unknown members of a document are each named", async () => {
    const edge = await setupEdge();
    const answer = await made(edge, { ...KEY, permision: ["WEIR.ADMIN"], expires: "2099-01-01T00:00:00Z" });
    expect(await fieldsOf(answer)).toEqual({ status: 400, fields: ["permision", "expires"] });
  });

  it("a key that would have ended before it was made is refused", async () => {
    const edge = await setupEdge();
    const answer = await made(edge, { ...KEY, expires_at: "2020-01-01T00:00:00Z" });
    expect(await fieldsOf(answer)).toEqual({ status: 400, fields: ["expires_at"] });
  });

  it("a key that has ended is not rotated into another that has", async () => {
    const edge = await setupEdge();
    const { id } = await (await made(edge, { ...KEY, expires_at: "2099-01-01T00:00:00Z" })).json<{ id: string }>();
    await bindings.LEDGER.prepare("UPDATE api_keys SET expires_at = 1 WHERE id = ?").bind(id).run();
    const rotated = await edge.request(`/admin/api-keys/${id}/rotate`, { method: "POST" });
    expect(rotated.status).toBe(409);
  });

  it("a parameter given twice is refused, for only one of its values would count", async () => {
    const edge = await setupEdge();
    const answer = await edge.request("/admin/events?state=pending&state=delivered");
    expect(await fieldsOf(answer)).toEqual({ status: 400, fields: ["state"] });
  });

  it("an unknown filter of Solvimon's list is refused too", async () => {
    const edge = await setupEdge();
    const answer = await edge.request("/v1/events?reference=order-1");
    expect([answer.status, await answer.json()]).toEqual([400, expect.objectContaining({ field: "reference" })]);
  });
});
