/** The OpenAPI document held against the app it describes: routes, requests, answers, both ways. */
import { Validator } from "@cfworker/json-schema";
import { beforeAll, describe, expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { createApp } from "../../worker/app.ts";
import { createOpenApiDocument } from "../../worker/routes.ts";
import { bindings, setupEdge, type TestEdge } from "./support/edge.ts";

interface Media {
  readonly schema: unknown;
  readonly example?: unknown;
  readonly examples?: Record<string, { readonly value: unknown }>;
}
interface Answer {
  readonly headers?: Record<string, unknown>;
  readonly content?: Record<string, Media>;
}
interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required: boolean;
  readonly example?: unknown;
  readonly schema: unknown;
}
interface Operation {
  readonly operationId: string;
  readonly security: readonly unknown[];
  readonly parameters?: readonly unknown[];
  readonly requestBody?: { readonly content: Record<string, Media> };
  readonly responses: Record<string, unknown>;
}
interface Documented {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

const document = createOpenApiDocument();
const operations: Documented[] = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({
    method: method.toUpperCase(),
    path,
    operation: operation as unknown as Operation,
  })),
);
const byName = operations.map((documented) => [`${documented.method} ${documented.path}`, documented] as const);

/** What a reference of the document leads to. */
function resolved<T>(value: unknown): T {
  const reference = (value as { $ref?: string }).$ref;
  if (reference === undefined) return value as T;
  return reference
    .slice(2)
    .split("/")
    .reduce<unknown>((at, name) => (at as Record<string, unknown>)[name], document) as T;
}

/** What is wrong with a value by one of the document's schemas; an empty list for nothing. */
function faultsOf(schema: unknown, value: unknown): string[] {
  const whole = { ...(schema as object), components: { schemas: document.components["schemas"] } };
  const { errors } = new Validator(whole, "2020-12", false).validate(value);
  return errors.map((error) => `${error.instanceLocation} ${error.error}`);
}

function examplesOf(media: Media): unknown[] {
  return [
    ...("example" in media ? [media.example] : []),
    ...Object.values(media.examples ?? {}).map((one) => one.value),
  ];
}

const parametersOf = (operation: Operation) => (operation.parameters ?? []).map((one) => resolved<Parameter>(one));
const answersOf = (operation: Operation) =>
  Object.entries(operation.responses).map(([status, answer]) => [Number(status), resolved<Answer>(answer)] as const);

/** A request as the document's examples give it. */
function requestOf(
  { method, path, operation }: Documented,
  ids: Record<string, string>,
  type: string,
  example: unknown,
) {
  const headers: Record<string, string> = type === "" ? {} : { "content-type": type };
  const query = new URLSearchParams();
  let filled = path;
  for (const parameter of parametersOf(operation)) {
    const value = ids[parameter.name] ?? parameter.example;
    if (value === undefined) continue;
    if (parameter.in === "path") filled = filled.replace(`{${parameter.name}}`, String(value));
    if (parameter.in === "query" && parameter.name !== "state") query.set(parameter.name, String(value));
    if (parameter.in === "header" && !IDENTITY.includes(parameter.name)) headers[parameter.name] = String(value);
  }
  const search = query.size === 0 ? "" : `?${query}`;
  return { url: `${filled}${search}`, init: { method, headers, ...bodyOf(type, example, ids) } };
}

/** What gives a body its identity: every example would be a repeat of the first, or its conflict. */
const IDENTITY = ["Weir-Producer", "Weir-Sequence", "Idempotency-Key"];

function bodyOf(type: string, example: unknown, ids: Record<string, string>): { body?: Uint8Array } {
  if (type === "") return {};
  if (type === "application/x-www-form-urlencoded") {
    const form = new URLSearchParams({ ...(example as Record<string, string>), ...ids });
    return { body: new TextEncoder().encode(form.toString()) };
  }
  return { body: new TextEncoder().encode(typeof example === "string" ? example : JSON.stringify(example)) };
}

let edge: TestEdge;

/** A tenant of its own with all that the examples speak of: a meter, a key, an event, an entry in quarantine. */
async function setupExamples(): Promise<TestEdge> {
  const made = await setupEdge();
  await made.putCatalog({ streams: [{ meter_global_id: "web-egress" }] });
  const permissions = JSON.stringify(["METER_DATA.INGEST", "WEIR.ADMIN", "WEIR.OPERATOR"]);
  const key = `operator-of-${made.tenant}`;
  await bindings.LEDGER.prepare(
    "INSERT INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES (?1, ?2, ?3, 'test', ?4, 0)",
  )
    .bind(`operator-id-${made.tenant}`, hashApiKey(key), made.tenant, permissions)
    .run();
  const request: TestEdge["request"] = (path, init = {}) => {
    const headers = new Headers(init.headers);
    if (!headers.has("x-api-key")) headers.set("x-api-key", key);
    return made.request(path, { ...init, headers });
  };
  return { ...made, request };
}

const PREPARED: Record<string, () => Promise<Record<string, string>>> = {
  calculateCost: aMeter,
  revokeKey: aKey,
  rotateKey: aKey,
  getResource: anEvent,
  getEventTrace: anEvent,
  getEvent: anEvent,
  listResources: anEvent,
  replayQuarantined: anEntry,
  discardQuarantined: anEntry,
  listQuarantine: anEntry,
  moveProducer: aProducer,
  grantToken: async () => ({ client_id: `id-of-${edge.tenant}`, client_secret: `key-of-${edge.tenant}` }),
};

async function aMeter() {
  const value = { reference: "bytes", type: "NUMBER", calculation: "SUM", required: true };
  const property = { reference: "region", type: "STRING", required: false };
  const meter = {
    id: "mete_1",
    reference: "web-egress",
    status: "ACTIVE",
    meter_values: [value],
    meter_properties: [property],
  };
  await edge.putCatalog({ streams: [{ meter_global_id: "web-egress" }], meters: [meter] });
  return {};
}

async function aKey() {
  const body = JSON.stringify({ name: "one", permissions: ["METER_DATA.INGEST"] });
  const answer = await edge.request("/admin/api-keys", { method: "POST", body });
  return { id: (await answer.json<{ id: string }>()).id };
}

/** Of the name, and the key, that the example has. */
async function aProducer() {
  await bindings.LEDGER.prepare(
    `INSERT OR IGNORE INTO api_keys (id, hash, tenant, name, permissions, created_at)
    VALUES ('key_4fTz0Qb7Xn2LrWq9Ks1V', 'of the example', ?1, 'n', '["METER_DATA.INGEST"]', 0)`,
  )
    .bind(edge.tenant)
    .run();
  const numbered = { "weir-producer": "plant-7", "weir-sequence": "1" };
  await edge.post("web-egress", JSON.stringify({ CustomerId: "c" }), { ...numbered, prefer: "handling=lenient" });
  return {};
}

async function anEvent() {
  const body = new TextEncoder().encode(JSON.stringify({ meter_values: [{ number: "1.0" }] }));
  const answer = await edge.request("/v1/ingest/meter-data", { method: "POST", body });
  return { id: (await answer.json<{ id: string }>()).id };
}

async function anEntry() {
  await edge.post("web-egress", `{"odd":"${crypto.randomUUID()}"}`, { prefer: "handling=lenient" });
  const { items } = await (await edge.request("/admin/quarantine")).json<{ items: { id: string }[] }>();
  return { id: items.at(-1)?.id ?? "" };
}

beforeAll(async () => {
  edge = await setupExamples();
});

it("every route is documented, and every documented operation is a route", () => {
  const routes = createApp()
    // OPTIONS is CORS, which browsers speak and clients that are generated from the document do not.
    .routes.filter(({ method }) => method !== "ALL" && method !== "OPTIONS")
    .map(
      ({ method, path }) => `${method} ${path.replace("/:version{v[^/]*}", "/v{version}").replace(/:(\w+)/g, "{$1}")}`,
    );
  expect([...new Set(routes)].sort()).toEqual(byName.map(([name]) => name).sort());
});

describe.each(byName)("%s", (_name, documented) => {
  const { operation } = documented;
  const [success = 0] = answersOf(operation).map(([status]) => status);

  it("documented examples are valid by their documented schemas", () => {
    const bodies = Object.values(operation.requestBody?.content ?? {});
    const answers = answersOf(operation).flatMap(([, answer]) => Object.values(answer.content ?? {}));
    for (const media of [...bodies, ...answers]) {
      const examples = examplesOf(media);
      expect(examples.length, "an example").toBeGreaterThan(0);
      for (const example of examples) expect(faultsOf(media.schema, example)).toEqual([]);
    }
    for (const { schema, example, name } of parametersOf(operation)) {
      if (example !== undefined) expect(faultsOf(schema, example), name).toEqual([]);
    }
  });

  it("the documented request gets the documented answer", async () => {
    const bodies = Object.entries(operation.requestBody?.content ?? {}).flatMap(([type, media]) =>
      examplesOf(media).map((example) => [type, example] as const),
    );
    for (const [type, example] of bodies.length === 0 ? ([["", null]] as const) : bodies) {
      const ids = (await PREPARED[operation.operationId]?.()) ?? {};
      const { url, init } = requestOf(documented, ids, type, example);
      const response = await edge.request(url, init);
      const text = await response.text();
      expect(response.status, text).toBe(success);
      const answer = resolved<Answer>(operation.responses[String(success)]);
      const [[given, media] = []] = Object.entries(answer.content ?? {});
      if (media === undefined) expect(text).toBe("");
      else expect(faultsOf(media.schema, given === "application/json" ? JSON.parse(text) : text), text).toEqual([]);
      for (const [name] of response.headers) {
        if (OF_HTTP.includes(name)) continue;
        expect(Object.keys(answer.headers ?? {}).map((one) => one.toLowerCase())).toContain(name);
      }
    }
  });
});

it.each(byName.filter(([, { operation }]) => operation.security.length > 0))(
  "%s without a key refuses as documented",
  async (_name, documented) => {
    const response = await edge.request(requestOf(documented, {}, "", null).url, {
      method: documented.method,
      headers: { "x-api-key": "nobody" },
    });
    expect(response.status).toBe(401);
    const media = resolved<Answer>(documented.operation.responses["401"]).content?.["application/json"];
    expect(faultsOf(media?.schema, await response.json())).toEqual([]);
  },
);

it.each(byName.filter(([, { operation }]) => "400" in operation.responses && operation.requestBody !== undefined))(
  "%s refuses a broken body as documented",
  async (_name, documented) => {
    const { operation } = documented;
    const [type = ""] = Object.keys(operation.requestBody?.content ?? {});
    const ids = (await PREPARED[operation.operationId]?.()) ?? {};
    const { url, init } = requestOf(documented, ids, type, "{");
    const response = await edge.request(url, { ...init, body: "{" });
    expect(response.status).toBe(400);
    const media = resolved<Answer>(operation.responses["400"]).content?.["application/json"];
    expect(faultsOf(media?.schema, await response.json())).toEqual([]);
  },
);

/** Headers that say nothing of Weir. */
const OF_HTTP = ["content-type", "content-length", "content-encoding", "vary"];

it("the document is served as it is made, to anyone", async () => {
  const response = await edge.request("/openapi.json", { headers: { "x-api-key": "nobody" } });
  expect(response.headers.get("content-type")).toBe("application/json");
  expect(await response.json()).toEqual(JSON.parse(JSON.stringify(document)));
});
