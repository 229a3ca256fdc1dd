/** Keys for web pages: a page of a listed origin may add events, and nothing else; any other page is kept out. */
import { beforeEach, describe, expect, it } from "vitest";
import { bindings, event, setupEdge, type TestEdge } from "./support/edge.ts";

const PAGE = "https://shop.example";
const CATALOG = { streams: [{ meter_global_id: "clicks" }] };
const INGEST = "/meters/streaming/ingestion/clicks";

let edge: TestEdge;
let pageKey: string;

beforeEach(async () => {
  edge = await setupEdge();
  expect((await edge.putCatalog(CATALOG)).status).toBe(200);
  pageKey = (await made({ origins: [PAGE, "http://localhost:5173"] })).key;
});

function make(body: Record<string, unknown>, key?: string): Promise<Response> {
  const whole = { name: "page", permissions: ["METER_DATA.INGEST"], ...body };
  const headers = key === undefined ? {} : { "x-api-key": key };
  return edge.request("/admin/api-keys", { method: "POST", body: JSON.stringify(whole), headers });
}

async function made(body: Record<string, unknown>): Promise<{ key: string; id: string; origins: string[] | null }> {
  const answer = await make(body);
  expect(answer.status).toBe(201);
  return answer.json();
}

const from = (origin: string, path: string, init: RequestInit = {}, key = pageKey) =>
  edge.request(path, {
    ...init,
    headers: { "x-api-key": key, "content-type": "application/json", origin, ...init.headers },
  });
const post = (origin: string, key?: string) => from(origin, INGEST, { method: "POST", body: event() }, key);
const corsOf = (answer: Response) => answer.headers.get("access-control-allow-origin");

describe("a request of a web page", () => {
  it("from a listed origin is answered so that the page may read it", async () => {
    for (const origin of [PAGE, "http://localhost:5173"]) {
      const answer = await post(origin);
      expect([answer.status, corsOf(answer)]).toEqual([200, origin]);
      expect(answer.headers.get("vary")).toContain("Origin");
      expect(answer.headers.get("access-control-expose-headers")?.toLowerCase()).toContain("retry-after");
      expect(answer.headers.get("access-control-allow-credentials")).toBeNull();
    }
  });

  it("reads refusals too: of what it sent, and of too much", async () => {
    const wrong = await from(PAGE, INGEST, { method: "POST", body: "{}" });
    expect([wrong.status, corsOf(wrong)]).toEqual([400, PAGE]);
    const unknown = await from(PAGE, "/usage/bulk/none", { method: "POST", body: event() });
    expect([unknown.status, corsOf(unknown)]).toEqual([404, PAGE]);
  });

  it.each([
    "https://evil.example",
    "https://shop.example.evil.example",
    "http://shop.example",
    "null",
    "https://shop.example:444",
  ])("from %s is refused, and may not read why", async (origin) => {
    const answer = await post(origin);
    expect([answer.status, corsOf(answer)]).toEqual([403, null]);
    expect(await edge.ledger(), "nothing was taken").toEqual([]);
  });

  it("is refused with a key without origins, of whatever page", async () => {
    const { key, origins } = await made({});
    expect(origins).toBeNull();
    expect((await post(PAGE, key)).status).toBe(403);
    expect((await edge.post("clicks", event(), { "x-api-key": key })).status, "no page at all").toBe(200);
  });

  it("of the edge's own origin is none of another", async () => {
    const answer = await edge.request("/admin/ledger", { headers: { origin: "http://edge" } });
    expect(answer.status).toBe(200);
  });

  it("any origin may use a key whose list is *", async () => {
    const { key } = await made({ origins: ["*"] });
    const answer = await post("https://anywhere.example", key);
    expect([answer.status, corsOf(answer)]).toEqual([200, "*"]);
  });
});

describe("a key for web pages, stolen", () => {
  it.each([
    ["GET", "/v1/events"],
    ["GET", "/schemas"],
    ["GET", "/ledger?producer=p"],
    ["POST", "/v1/events/calculate"],
    ["GET", "/admin/events"],
    ["GET", "/admin/api-keys"],
    ["GET", "/metrics"],
  ])("cannot %s %s, from its page or from anywhere", async (method, path) => {
    const body = method === "POST" ? { body: "{}" } : {};
    const answer = await from(PAGE, path, { method, ...body });
    expect([answer.status, corsOf(answer)]).toEqual([403, null]);
    const bare = await edge.request(path, { method, ...body, headers: { "x-api-key": pageKey } });
    expect(bare.status).toBe(403);
  });

  it("gets no token that does more", async () => {
    const { id, key } = await made({ origins: [PAGE] });
    const form = new URLSearchParams({ grant_type: "client_credentials", client_id: id, client_secret: key });
    const type = { "content-type": "application/x-www-form-urlencoded" };
    const granted = await edge.request("/oauth/token", { method: "POST", body: form.toString(), headers: type });
    const { access_token } = await granted.json<{ access_token: string }>();
    const headers = { authorization: `Bearer ${access_token}` };
    expect((await edge.request("/v1/events", { headers })).status).toBe(403);
    expect((await edge.post("clicks", event(), headers)).status).toBe(200);
  });
});

describe("a preflight", () => {
  const ask = (path: string, headers: Record<string, string>, services?: TestEdge) =>
    (services ?? edge).request(path, { method: "OPTIONS", headers: { origin: PAGE, ...headers } });
  const wanted = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "x-api-key,content-encoding",
  };

  it("for ingest allows what a client sends, without the database", async () => {
    const down = new Proxy(bindings.LEDGER, {
      get() {
        throw new Error("the database was asked");
      },
    });
    const cut = await setupEdge({ bindings: { LEDGER: down } });
    for (const path of [INGEST, "/usage/bulk/clicks", "/v1/ingest/meter-data", "/v1/ingest/persist-datas"]) {
      const answer = await ask(path, wanted, cut);
      expect([answer.status, corsOf(answer)], path).toEqual([204, PAGE]);
      expect(answer.headers.get("access-control-allow-methods")).toBe("POST");
      const allowed = (answer.headers.get("access-control-allow-headers") ?? "").split(", ");
      expect(allowed).toEqual(
        expect.arrayContaining([
          "x-api-key",
          "authorization",
          "content-type",
          "content-encoding",
          "prefer",
          "weir-producer",
        ]),
      );
      expect(Number(answer.headers.get("access-control-max-age"))).toBeGreaterThan(600);
      expect(answer.headers.get("vary")).toContain("Origin");
    }
  });

  it.each([
    "/admin/ledger",
    "/admin/api-keys",
    "/v1/events",
    "/v1/events/calculate",
    "/oauth/token",
    "/metrics",
    "/schemas",
  ])("for %s allows nothing", async (path) => {
    const answer = await ask(path, wanted);
    expect(answer.ok).toBe(false);
    expect([...answer.headers.keys()].filter((name) => name.startsWith("access-control"))).toEqual([]);
  });
});

describe("origins of a key", () => {
  it("are shown, and kept by the key it is rotated into", async () => {
    const { id, origins } = await made({ origins: [PAGE] });
    expect(origins).toEqual([PAGE]);
    const rotated = await edge.request(`/admin/api-keys/${id}/rotate`, { method: "POST" });
    expect([rotated.status, (await rotated.json<{ origins: string[] }>()).origins]).toEqual([201, [PAGE]]);
  });

  it.each([
    "shop.example",
    "https://shop.example/",
    "https://shop.example/path",
    "https://*.example",
    "https://Shop.example",
    "ftp://shop.example",
    "https://user@shop.example",
    "https://shop.example:443",
    "null",
    "",
  ])("are web origins, as a browser writes them; %j is none", async (origin) => {
    const answer = await make({ origins: [PAGE, origin] });
    const { reasons } = await answer.json<{ reasons: { field: string }[] }>();
    expect([answer.status, reasons.map(({ field }) => field)]).toEqual([400, ["origins.1"]]);
  });

  it.each([[["WEIR.ADMIN"]], [["METER_DATA.INGEST", "WEIR.ADMIN"]]])(
    "go with the right to add events alone, not %j",
    async (permissions) => {
      const answer = await make({ permissions, origins: [PAGE] });
      const { reasons } = await answer.json<{ reasons: { field: string }[] }>();
      expect([answer.status, reasons.map(({ field }) => field)]).toEqual([400, ["permissions"]]);
    },
  );
});
