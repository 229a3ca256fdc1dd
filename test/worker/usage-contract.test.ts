/**
 * Zuora's ingest operation, row by row: path, headers, body fields, statuses. Hold it against the vendor's own
 * page: each of its parameters and responses has a row here.
 */
import { gunzipSync, gzipSync } from "fflate";
import { beforeAll, describe, expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { bindings, connectEdge, event, events, ownIdStream, setupEdge, type TestEdge } from "./support/edge.ts";

let edge: TestEdge;
const METER = "contract";
const bytes = (text: string) => new TextEncoder().encode(text);

async function addKey(key: string, columns: Record<string, unknown> = {}): Promise<void> {
  const row = {
    id: `id-${key}`,
    hash: hashApiKey(key),
    tenant: edge.tenant,
    name: "test",
    permissions: '["METER_DATA.INGEST"]',
    created_at: 0,
    ...columns,
  };
  const names = Object.keys(row);
  await bindings.LEDGER.prepare(
    `INSERT INTO api_keys (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
  )
    .bind(...Object.values(row))
    .run();
}

beforeAll(async () => {
  edge = await setupEdge();
  const typed = (["string", "number", "integer", "boolean", "date-time"] as const).flatMap((type) => [
    { name: `${type}_r`, type, required: true },
    { name: `${type}_o`, type, required: false },
  ]);
  await edge.putCatalog({
    streams: [
      { meter_global_id: METER },
      { meter_global_id: "strict", strict: true },
      { meter_global_id: "typed", fields: typed },
      ownIdStream("with-id", "EventId"),
    ],
  });
  await addKey("no-permission", { permissions: "[]" });
  await addKey("revoked", { revoked_at: 1 });
  await addKey("expired", { expires_at: 1 });
  await addKey("platform-a", { platform_ids: '["a"]' });
  await addKey("entities", { entity_ids: '["e1","e2"]', org_ids: '["o1","o2"]' });
});

describe("the two paths", () => {
  it.each(["/meters/streaming/ingestion/", "/usage/bulk/"])("%s takes an event", async (path) => {
    const response = await edge.request(`${path}${METER}`, { method: "POST", body: bytes(event({ at: path })) });
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ success: true, accepted: 1 });
  });
});

describe("credentials", () => {
  it.each<[string, Record<string, string>, number]>([
    ["an unknown key", { "x-api-key": "nobody" }, 401],
    ["an empty key", { "x-api-key": "", authorization: "" }, 401],
    ["a revoked key", { "x-api-key": "revoked" }, 401],
    ["an expired key", { "x-api-key": "expired" }, 401],
    ["a bearer that is no token", { authorization: "Bearer weir_token_x.1.00" }, 401],
    ["another scheme", { authorization: "Basic eDp5" }, 401],
    ["a key without the permission", { "x-api-key": "no-permission" }, 403],
    ["a platform that the key lacks", { "x-api-key": "platform-a", "x-platform-id": "b" }, 403],
    ["the platform that the key has", { "x-api-key": "platform-a", "x-platform-id": "a" }, 200],
    ["any platform, for a key whose list is *", { "x-platform-id": "whatever" }, 200],
    ["a platform, for a key without a list", { "x-api-key": "entities", "x-platform-id": "whatever" }, 403],
  ])("%s → %i", async (_name, headers, status) => {
    const response = await edge.post(METER, event({ n: Math.random() }), headers);
    expect(response.status).toBe(status);
    expect(response.headers.get("x-request-id")).toMatch(/^reqr_[0-9A-Za-z]{20}$/);
    if (status !== 200)
      expect(await response.json()).toMatchObject({ success: false, message: expect.any(String), reasons: [] });
  });

  it("a key is accepted as a bearer too, and exchanged for a token that ends with it", async () => {
    await addKey("renting");
    expect((await edge.post(METER, event({ by: "bearer" }), { authorization: "Bearer renting" })).status).toBe(200);
    const grant = (form: Record<string, string>) =>
      edge.request("/oauth/token", {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded" },
        body: new URLSearchParams(form).toString(),
      });
    const client = { client_id: "id-renting", client_secret: "renting", grant_type: "client_credentials" };
    const granted = await grant(client);
    expect(granted.status).toBe(200);
    const token = await granted.json<{ access_token: string; token_type: string; expires_in: number }>();
    expect(token).toMatchObject({ token_type: "bearer", expires_in: 3600 });
    const bearer = { authorization: `Bearer ${token.access_token}` };
    expect((await edge.post(METER, event({ by: "token" }), bearer)).status).toBe(200);
    expect((await grant({ ...client, client_secret: "wrong" })).status).toBe(401);
    expect((await grant({ ...client, client_id: "id-revoked" })).status).toBe(401);
    expect((await grant({ ...client, grant_type: "password" })).status).toBe(400);
    // The instance still remembers the key: the storing transaction is what refuses.
    await bindings.LEDGER.prepare("UPDATE api_keys SET revoked_at = 1 WHERE id = 'id-renting'").run();
    expect((await edge.post(METER, event({ by: "revoked token" }), bearer)).status).toBe(401);
    expect((await edge.post(METER, event({ by: "revoked key" }), { authorization: "Bearer renting" })).status).toBe(
      401,
    );
  });

  it("an OAuth client may say who it is by the basic scheme; a refusal says what to try", async () => {
    await addKey("basic");
    const grant = (user: string) =>
      edge.request("/oauth/token", {
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", authorization: `Basic ${btoa(user)}` },
        body: "grant_type=client_credentials",
      });
    const granted = await grant("id-basic:basic");
    expect(granted.status).toBe(200);
    const { access_token } = await granted.json<{ access_token: string }>();
    const bearer = { authorization: `Bearer ${access_token}` };
    expect((await edge.post(METER, event({ by: "basic" }), bearer)).status).toBe(200);
    const refused = await grant("id-basic:other");
    expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([401, 'Basic realm="weir"']);
    const unknown = await edge.post(METER, event({ by: "nobody" }), { authorization: "Bearer nobody" });
    expect([unknown.status, unknown.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
    await bindings.LEDGER.prepare("UPDATE api_keys SET revoked_at = 1 WHERE id = 'id-basic'").run();
    const ended = await edge.post(METER, event({ by: "ended" }), bearer);
    expect([ended.status, ended.headers.get("www-authenticate")]).toEqual([401, "Bearer"]);
  });

  it("a token does not outlive its hour", async () => {
    await addKey("hourly");
    const outcome = await edge.services.keys.exchange("id-hourly", ["hourly"], Date.now());
    const token = outcome.kind === "token" ? outcome.token : "";
    expect((await edge.post(METER, event({ by: "hour" }), { authorization: `Bearer ${token}` })).status).toBe(200);
    const later = connectEdge(edge.tenant, { runtime: { clock: { now: () => Date.now() + 3_600_001 } } });
    expect((await later.post(METER, event(), { authorization: `Bearer ${token}` })).status).toBe(401);
  });
});

describe("content type and coding", () => {
  it.each<[string, Record<string, string>, string, number]>([
    ["none", {}, event({ t: 1 }), 200],
    ["application/json", { "content-type": "application/json" }, event({ t: 2 }), 200],
    ["any case and a charset", { "content-type": "Application/JSON; charset=UTF-8" }, event({ t: 3 }), 200],
    ["NDJSON", { "content-type": "application/x-ndjson" }, `${event({ t: 4 })}\n${event({ t: 5 })}\n`, 200],
    ["plain text", { "content-type": "text/plain" }, event(), 415],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, event(), 415],
    ["deflate", { "content-encoding": "deflate" }, event(), 415],
    ["identity", { "content-encoding": "identity" }, event({ t: 6 }), 200],
    ["gzip that is none", { "content-encoding": "gzip" }, event(), 400],
  ])("%s", async (_name, headers, body, status) => {
    expect((await edge.post(METER, body, headers)).status).toBe(status);
  });

  it("a gzipped body is inflated, and one cut short, or with a broken checksum, refused", async () => {
    const zipped = gzipSync(bytes(`[${events(50).join(",")}]`));
    const headers = { "content-encoding": "gzip" };
    expect((await edge.post(METER, zipped.slice(0, -9), headers)).status).toBe(400);
    const flipped = zipped.slice();
    flipped[flipped.length - 6] = (flipped[flipped.length - 6] ?? 0) ^ 0xff;
    expect((await edge.post(METER, flipped, headers)).status).toBe(400);
    expect(await (await edge.post(METER, zipped, headers)).json()).toMatchObject({ accepted: 50 });
  });

  it("an answer above 1,000 bytes is gzipped for a client that asks, and for no other", async () => {
    const headers = { prefer: "return=representation", "accept-encoding": "gzip" };
    const long = await edge.post(METER, `[${events(40, 500).join(",")}]`, headers);
    expect(long.headers.get("content-encoding")).toBe("gzip");
    // The header says gzip, but nothing between app and test has undone it.
    const inflated = JSON.parse(new TextDecoder().decode(gunzipSync(new Uint8Array(await long.arrayBuffer()))));
    expect(inflated.results).toHaveLength(40);
    const short = await edge.post(METER, event({ s: 1 }), headers);
    expect(short.headers.get("content-encoding")).toBeNull();
    const unasked = await edge.post(METER, `[${events(40, 600).join(",")}]`, {
      prefer: "return=representation",
      "accept-encoding": "gzip;q=0",
    });
    expect(unasked.headers.get("content-encoding")).toBeNull();
  });
});

describe("headers of the vendor", () => {
  it.each<[string, Record<string, string>, number]>([
    ["a track id of 64 characters", { "zuora-track-id": "x".repeat(64) }, 200],
    ["a track id of 65", { "zuora-track-id": "x".repeat(65) }, 400],
    ["a track id with a colon", { "zuora-track-id": "a:b" }, 400],
    ["a track id with a semicolon", { "zuora-track-id": "a;b" }, 400],
    ["a track id with a quote", { "zuora-track-id": "a'b" }, 400],
    ["a track id with a double quote", { "zuora-track-id": 'a"b' }, 400],
    ["an entity the key may use", { "x-api-key": "entities", "zuora-entity-ids": "e1" }, 200],
    ["an entity it may not", { "x-api-key": "entities", "zuora-entity-ids": "e9" }, 400],
    ["orgs the key may use", { "x-api-key": "entities", "zuora-org-ids": "o1, o2" }, 200],
    ["orgs of which it may not use one", { "x-api-key": "entities", "zuora-org-ids": "o1,o9" }, 400],
    ["an entity, for a key without a list", { "zuora-entity-ids": "e1" }, 400],
    ["a producer without a sequence", { "weir-producer": "p" }, 400],
    ["a sequence without a producer", { "weir-sequence": "1" }, 400],
    ["a producer's name with a slash", { "weir-producer": "a/b", "weir-sequence": "1" }, 400],
    ["a negative sequence", { "weir-producer": "p", "weir-sequence": "-1" }, 400],
    ["the highest sequence", { "weir-producer": "p", "weir-sequence": "9007199254740991" }, 200],
    ["a sequence beyond it", { "weir-producer": "p", "weir-sequence": "9007199254740992" }, 400],
    ["an idempotency key of 255 characters", { "idempotency-key": "k".repeat(255) }, 200],
    ["one of 256", { "idempotency-key": "k".repeat(256) }, 400],
  ])("%s", async (_name, headers, status) => {
    const response = await edge.post(METER, event({ h: Math.random() }), headers);
    expect(response.status).toBe(status);
    if (status === 400) expect((await response.json<{ reasons: unknown[] }>()).reasons).not.toEqual([]);
  });

  it("the track id is echoed, on errors too", async () => {
    for (const [key, status] of [
      [`key-of-${edge.tenant}`, 200],
      ["nobody", 401],
    ] as const) {
      const response = await edge.post(METER, event({ e: status }), { "x-api-key": key, "zuora-track-id": "trace 1" });
      expect([response.status, response.headers.get("zuora-track-id")]).toEqual([status, "trace 1"]);
    }
  });
});

describe("the event schema", () => {
  const full = { string_r: "s", number_r: 1.5, integer_r: 1, boolean_r: true, "date-time_r": "2015-05-17T10:05:03Z" };
  const right: Record<string, unknown[]> = {
    string: ["", "x"],
    number: [0, -1, 1.5, 1e3],
    integer: [0, -7, 12],
    boolean: [true, false],
    "date-time": ["2015-05-17T10:05:03Z", "2016-02-29T23:59:59.123+05:30"],
  };
  const wrong: Record<string, unknown[]> = {
    string: [1, true, [], {}],
    number: ["1", true, [], {}],
    integer: [1.5, "1", false],
    boolean: [0, "true", {}],
    "date-time": ["2015-05-17", "2015-02-30T00:00:00Z", "2015-05-17T10:05:03", 1431857103],
  };
  const send = (fields: Record<string, unknown>) =>
    edge.post("typed", JSON.stringify({ ...full, ...fields, n: Math.random() }));

  for (const type of Object.keys(right)) {
    it(`${type}: right values are accepted, wrong ones named by field`, async () => {
      for (const field of [`${type}_r`, `${type}_o`]) {
        for (const value of right[type] ?? [])
          expect((await send({ [field]: value })).status, `${field} ${value}`).toBe(200);
        for (const value of wrong[type] ?? []) {
          const response = await send({ [field]: value });
          expect(response.status, `${field} ${value}`).toBe(400);
          expect(await response.json()).toMatchObject({
            success: false,
            reasons: [{ code: 70000000, index: 0, field }],
          });
        }
      }
    });

    it(`${type}: required may be neither absent nor null, optional may be both`, async () => {
      for (const [value, name] of [
        [undefined, "absent"],
        [null, "null"],
      ] as const) {
        expect((await send({ [`${type}_o`]: value })).status, name).toBe(200);
        expect((await send({ [`${type}_r`]: value })).status, name).toBe(400);
      }
    });
  }

  it("an integer is digits only, by its source text", async () => {
    const post = (text: string) =>
      edge.post("typed", JSON.stringify({ ...full, n: Math.random() }).replace('"integer_r":1', `"integer_r":${text}`));
    for (const [text, status] of [
      ["10", 200],
      ["-10", 200],
      ["1.0", 400],
      ["1e2", 400],
    ] as const) {
      expect((await post(text)).status, text).toBe(status);
    }
  });

  it.each(["CustomerId", "UsageIdentifier", "UsageDate", "Quantity"])("the default %s is required", async (field) => {
    const response = await edge.post(METER, event({ [field]: undefined }));
    expect(await response.json()).toMatchObject({ success: false, reasons: [{ code: 70000000, index: 0, field }] });
  });

  it("unknown fields are kept, or refused where the stream is strict", async () => {
    expect((await edge.post(METER, event({ More: 1 }))).status).toBe(200);
    const refused = await edge.post("strict", event({ More: 1 }));
    expect(await refused.json()).toMatchObject({ reasons: [{ field: "More" }] });
  });

  it("every validation error of a body is listed, at most 100, each with its index", async () => {
    const body = `[${Array.from({ length: 150 }, () => event({ Quantity: "1" })).join(",")}]`;
    const response = await edge.post(METER, body);
    const { reasons } = await response.json<{ reasons: { index: number }[] }>();
    expect(reasons.map((reason) => reason.index)).toEqual(Array.from({ length: 100 }, (_, i) => i));
  });
});

describe("limits", () => {
  it.each<[string, () => string, number]>([
    ["an unknown meter", () => event(), 404],
    ["an empty array", () => "[]", 400],
    ["an empty body", () => "", 400],
    [
      "10,000 events",
      () =>
        `[${events(10_000)
          .map((text) => text.replace("cus_1", "many"))
          .join(",")}]`,
      200,
    ],
    ["10,001 events", () => `[${events(10_001).join(",")}]`, 413],
    ["10,001 events of which one is invalid", () => `[${[...events(10_000), "{}"].join(",")}]`, 413],
    ["10,001 events of which one has a duplicate key", () => `[{"a":1,"a":2},${events(10_000).join(",")}]`, 413],
    ["a body above 4,000,000 bytes", () => `${event()}${" ".repeat(4_000_000)}`, 413],
    ["an event above 1,000,000 bytes", () => event({ pad: "x".repeat(1_000_000) }), 413],
    ["an event below it", () => event({ pad: "x".repeat(999_000) }), 200],
  ])("%s", async (name, body, status) => {
    expect((await edge.post(name === "an unknown meter" ? "nowhere" : METER, body())).status).toBe(status);
  });

  it("the refusals come in their order: 401, 403, 404, 415, 413, 400", async () => {
    const large = `[${events(10_001).join(",")}]`;
    const all = { "content-type": "text/plain", "zuora-track-id": "a:b" };
    const post = async (meter: string, headers: Record<string, string>, body = large) =>
      (await edge.post(meter, body, headers)).status;
    expect(await post("nowhere", { ...all, "x-api-key": "nobody" })).toBe(401);
    expect(await post("nowhere", { ...all, "x-api-key": "no-permission" })).toBe(403);
    expect(await post("nowhere", all)).toBe(404);
    expect(await post(METER, all)).toBe(415);
    expect(await post(METER, { "zuora-track-id": "a:b" })).toBe(413);
    expect(await post(METER, { "zuora-track-id": "a:b" }, event())).toBe(400);
  });

  it("a key beyond its rate gets 429 with a Retry-After of 1 to 60 seconds, before 404", async () => {
    const limited = connectEdge(edge.tenant, {
      vars: { RATE_LIMIT_PER_MINUTE: "3" },
      runtime: { clock: { now: () => 1_800_000_030_000 } },
    });
    const answers = [];
    for (let n = 0; n < 4; n++) answers.push(await limited.post("nowhere", event()));
    expect(answers.map((answer) => answer.status)).toEqual([404, 404, 404, 429]);
    const wait = Number(answers[3]?.headers.get("retry-after"));
    expect(wait).toBeGreaterThanOrEqual(1);
    expect(wait).toBeLessThanOrEqual(60);
  });
});

describe("identity and repeats", () => {
  it('one own id is one event, 1 and "1" alike; other content under it is a conflict', async () => {
    const own = await setupEdge();
    const declare = (type: "string" | "integer") => own.putCatalog({ streams: [ownIdStream("m", "EventId", type)] });
    const post = (fields: Record<string, unknown>, prefer = "") => own.post("m", event(fields), { prefer });
    await declare("integer");
    expect(await (await post({ EventId: 1 })).json()).toMatchObject({ accepted: 1 });
    expect(await (await post({ EventId: 1 })).json()).toMatchObject({ duplicates: 1 });
    await declare("string");
    const conflict = await post({ EventId: "1" });
    expect(conflict.status, "the id is the same, its type is other content").toBe(400);
    expect(await conflict.json()).toMatchObject({ reasons: [{ code: 70000009, index: 0 }] });
    await declare("integer");
    const lenient = await post({ EventId: 1, Quantity: 2 }, "handling=lenient, return=representation");
    expect(await lenient.json()).toMatchObject({
      conflicts: 1,
      results: [{ index: 0, status: "conflict", id: expect.stringMatching(/^usev_/) }],
    });
  });

  it("an Idempotency-Key gives event i the identity KEY#i, in a name space of its own", async () => {
    const post = (bodies: string[], key: string) =>
      edge.post(METER, `[${bodies.join(",")}]`, { "idempotency-key": key });
    const same = event({ k: 1 });
    expect(await (await post([same, same, same], "k1")).json()).toMatchObject({ accepted: 3 });
    expect(await (await post([same, same, same], "k1")).json()).toMatchObject({ duplicates: 3 });
    expect(await (await post([same], "k2")).json()).toMatchObject({ accepted: 1 });
    expect((await post([event({ k: 2 })], "k1")).status).toBe(400);
    expect(await (await edge.post("with-id", event({ EventId: "k1#0" }))).json()).toMatchObject({ accepted: 1 });
  });

  it("twenty simultaneous repeats are accepted once", async () => {
    const body = `[${events(30, 9_000).join(",")}]`;
    const keyed = await Promise.all(Array.from({ length: 20 }, () => edge.post(METER, body)));
    const positioned = await Promise.all(
      Array.from({ length: 20 }, () => edge.post(METER, body, { "weir-producer": "twenty", "weir-sequence": "1" })),
    );
    for (const answers of [keyed, positioned]) {
      const counts = await Promise.all(
        answers.map((answer) => answer.json<{ accepted: number; duplicates: number }>()),
      );
      expect(counts.reduce((sum, count) => sum + count.accepted, 0)).toBe(30);
      expect(counts.reduce((sum, count) => sum + count.duplicates, 0)).toBe(19 * 30);
    }
  });

  it("the same events of two tenants are two events", async () => {
    const other = await setupEdge();
    await other.putCatalog({ streams: [{ meter_global_id: METER }] });
    const body = event({ shared: 1 });
    expect(await (await edge.post(METER, body)).json()).toMatchObject({ accepted: 1 });
    expect(await (await other.post(METER, body)).json()).toMatchObject({ accepted: 1 });
    expect(await other.ledger()).toMatchObject([{ accepted: 1 }]);
  });
});

describe("a catalog that changes", () => {
  it("applies to the very next request of an instance that remembers the old one", async () => {
    const mine = await setupEdge();
    const remembering = connectEdge(mine.tenant);
    await mine.putCatalog({ streams: [{ meter_global_id: "m" }] });
    expect((await remembering.post("m", event({ n: 1 }))).status).toBe(200);
    await mine.putCatalog({
      streams: [{ meter_global_id: "m", fields: [{ name: "Other", type: "string", required: true }] }],
    });
    expect((await remembering.post("m", event({ n: 2 }))).status, "valid by the old schema only").toBe(400);
    expect((await remembering.post("m", '{"Other":"x"}')).status, "valid by the new schema only").toBe(200);
    await mine.putCatalog({ streams: [] });
    expect((await remembering.post("m", '{"Other":"y"}')).status).toBe(404);
  });

  it("is checked whole: every validation error is listed by its path and the old one stands", async () => {
    const mine = await setupEdge();
    await mine.putCatalog({ streams: [{ meter_global_id: "m" }] });
    const response = await mine.putCatalog({
      streams: [
        { meter_global_id: "a", event_time_field: "X", fields: [{ name: "X", type: "text", required: 1 }] },
        { nope: 1 },
      ],
      more: {},
    });
    expect(response.status).toBe(400);
    const { reasons } = await response.json<{ reasons: { field: string }[] }>();
    expect(reasons.map((reason) => reason.field)).toEqual(
      expect.arrayContaining([
        "streams.0.fields.0.type",
        "streams.0.fields.0.required",
        "streams.1.meter_global_id",
        "streams.1.nope",
        "more",
      ]),
    );
    expect(await (await mine.request("/admin/catalog")).json()).toMatchObject({ streams: [{ meter_global_id: "m" }] });
  });

  it("is read by agents at /schemas, unchanged ones answered with 304", async () => {
    const schemas = await edge.request("/schemas");
    expect(await schemas.json()).toMatchObject({ streams: expect.arrayContaining([{ meter_global_id: METER }]) });
    const tag = schemas.headers.get("etag") ?? "";
    expect((await edge.request("/schemas", { headers: { "if-none-match": tag } })).status).toBe(304);
  });
});
