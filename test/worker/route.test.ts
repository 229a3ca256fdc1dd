/** What route() makes of a description: refusals in one order, parameters and bodies parsed, the document's operation. */
import { Hono } from "hono";
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { WeirEnv } from "../../worker/context.ts";
import { checkedBy, jsonBody } from "../../worker/http/body.ts";
import { LIMIT } from "../../worker/http/page.ts";
import { segment } from "../../worker/http/parameters.ts";
import { ADMIN, mount, route } from "../../worker/http/route.ts";
import { emptyAnswer } from "../../worker/openapi/answers.ts";
import { setupEdge, type TestEdge } from "./support/edge.ts";

const BODY_BYTES_MAX = 100;
const thing = z.strictObject({ n: z.int() });
const things = route(
  {
    method: "post",
    path: "/admin/things/:id",
    permission: ADMIN,
    params: { id: segment("A thing's id.", "a") },
    query: { limit: LIMIT },
    strictQuery: true,
    find: async (_c, { id }) =>
      id === "a" ? { kind: "found", found: { name: "A" } } : { kind: "missing", message: "there is no such thing" },
    body: jsonBody({
      schema: { type: "object" },
      example: { n: 1 },
      bytesMax: () => BODY_BYTES_MAX,
      read: checkedBy(thing, "the thing is not valid"),
    }),
    id: "makeThing",
    tag: "Service",
    summary: "A route of this test",
    answers: { 200: emptyAnswer("Made.") },
  },
  (c, { path, query, body, found }) => c.json({ id: path.id, limit: query.limit, n: body.n, name: found.name }),
);

let edge: TestEdge;
let app: Hono<WeirEnv>;

beforeAll(async () => {
  edge = await setupEdge();
  app = new Hono<WeirEnv>();
  app.use(async function provideServices(c, next) {
    c.set("services", edge.services);
    return next();
  });
  mount(app, [things]);
});

interface Call {
  readonly key?: string;
  readonly path?: string;
  readonly coding?: string;
  readonly body?: string;
}

function call({ key = `key-of-${edge.tenant}`, path = "/admin/things/a", coding, body = '{"n":7}' }: Call = {}) {
  const headers = { "x-api-key": key, ...(coding === undefined ? {} : { "content-encoding": coding }) };
  return app.request(path, { method: "POST", headers, body });
}

it("a handler gets what the description says, parsed", async () => {
  const response = await call({ path: "/admin/things/a?limit=3" });
  expect([response.status, await response.json()]).toEqual([200, { id: "a", limit: 3, n: 7, name: "A" }]);
});

describe("each refusal comes before those that are less telling", () => {
  const wrong = { path: "/admin/things/b?limit=0&tenant=another", coding: "br", body: "{".repeat(BODY_BYTES_MAX + 1) };
  it.each<[status: number, given: Call]>([
    [401, { ...wrong, key: "nobody" }],
    [403, wrong],
    [404, { ...wrong, path: "/admin/things/b?limit=0" }],
    [415, { ...wrong, path: "/admin/things/a?limit=0" }],
    [413, { ...wrong, path: "/admin/things/a?limit=0", coding: "identity" }],
    [400, { path: "/admin/things/a?limit=0", body: "{" }],
    [400, { body: "{" }],
    [400, { body: '{"n":1.5}' }],
    [200, {}],
  ])("%i: %j", async (status, given) => {
    expect((await call(given)).status).toBe(status);
  });
});

it("a query parameter that is not described is named and refused where the route is strict", async () => {
  const response = await call({ path: "/admin/things/a?limt=3" });
  expect([response.status, await response.json()]).toMatchObject([400, { reasons: [{ field: "limt" }] }]);
  expect((await call({ path: `/admin/things/a?tenant=${edge.tenant}` })).status).toBe(200);
});

it("a path's parameters are described, all of them", () => {
  const undescribed = { method: "get", permission: [], id: "x", tag: "Service", summary: "", answers: {} } as const;
  expect(() => route({ ...undescribed, path: "/things/:id" }, (c) => c.body(null))).toThrow("/things/:id");
});

it("whatever an admin's route answers is not to be stored", async () => {
  const answers = await Promise.all([
    edge.request("/admin/ledger"),
    edge.request("/admin/catalog"),
    edge.request("/admin/quarantine?limit=0"),
    edge.request("/admin/events", { headers: { "x-api-key": "nobody" } }),
    edge.request("/admin/nothing"),
  ]);
  expect(answers.map(({ status, headers }) => [status, headers.get("cache-control")])).toEqual(
    [200, 200, 400, 401, 404].map((status) => [status, "no-store"]),
  );
});
