/** Who is let in: programs with the token, an OAuth client that changed its base URL only, and no web page. */
import { writeFileSync } from "node:fs";
import { type IncomingHttpHeaders, request } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { openRaw, statusesIn } from "./support/raw-client.ts";
import { EVENT, eventNumber, setup } from "./support/setup.ts";

const PATH = "/usage/bulk/m";

interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly socketPath?: string;
}

interface Answered {
  readonly status: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

/** A request with any Host, which fetch would not let out, and with a path as it stands. */
function ask(url: string, path: string, { method = "POST", headers = {}, body = EVENT, socketPath }: Asked = {}) {
  const { hostname, port } = new URL(url);
  const where = socketPath === undefined ? { hostname, port } : { socketPath };
  return new Promise<Answered>((resolve, reject) => {
    const type = { "content-type": "application/json" };
    request({ ...where, path, method, headers: { ...type, ...headers } }, async (response) => {
      let text = "";
      for await (const chunk of response) text += String(chunk);
      resolve({ status: response.statusCode, headers: response.headers, body: JSON.parse(text) });
    })
      .on("error", reject)
      .end(method === "GET" ? "" : body);
  });
}

function tokenFile(token: string): { readonly listen: string; readonly socket: string } {
  const { path, remove } = tempDir("token");
  onTestFinished(remove);
  writeFileSync(join(path, "token"), `${token}\n`);
  const socket = join(path, "agent.sock");
  return { listen: `token_file = "${path}/token"\nsocket = "${socket}"`, socket };
}

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const form = (fields: Record<string, string>) => new URLSearchParams(fields).toString();
const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString("base64")}`;

test("the token is accepted as a key or as a bearer token; without it 401, but for /healthz and the unix socket", async () => {
  const { listen, socket } = tokenFile("s3cret");
  await using agent = await setup({ listen });
  const { url } = agent.agent;
  const post = (headers: Record<string, string>) => ask(url, PATH, { headers });
  expect((await post({ "x-api-key": "s3cret" })).status).toBe(200);
  expect((await post({ authorization: "Bearer s3cret" })).status).toBe(200);
  expect((await post({ authorization: "bearer  s3cret", "x-api-key": "other" })).status).toBe(200);
  const wrong: Record<string, string>[] = [{}, { "x-api-key": "s3cre" }, { authorization: "Basic s3cret" }];
  for (const headers of wrong) {
    const refused = await post(headers);
    expect([refused.status, refused.headers["www-authenticate"]]).toEqual([401, "Bearer"]);
  }
  expect((await ask(url, "/healthz", { method: "GET" })).status).toBe(200);
  expect((await ask(url, PATH, { socketPath: socket })).status).toBe(200);
});

test("without a token any key or none is accepted", async () => {
  await using agent = await setup();
  for (const headers of [{}, { "x-api-key": "any" }, { authorization: "Bearer any" }]) {
    expect((await ask(agent.agent.url, PATH, { headers })).status).toBe(200);
  }
});

test.each(["reply", "cut"] as const)(
  "an OAuth client gets its token here, the edge in reach or not: %s",
  async (edge) => {
    const token = "a+b/c%20=";
    const { listen } = tokenFile(token);
    await using agent = await setup({ listen, reply: () => (edge === "cut" ? "cut" : undefined) });
    const { url } = agent.agent;
    const grant = { grant_type: "client_credentials" };
    const asked: Asked[] = [
      { headers: FORM, body: form({ ...grant, client_id: "c", client_secret: token }) },
      { headers: { ...FORM, authorization: basic("c", token) }, body: form(grant) },
      { headers: { ...FORM, authorization: basic("c", encodeURIComponent(token)) }, body: form(grant) },
    ];
    for (const request of asked) {
      const { status, headers, body } = await ask(url, "/oauth/token", request);
      expect([status, headers["cache-control"]]).toEqual([200, "no-store"]);
      expect(body).toEqual({ access_token: token, token_type: "bearer", expires_in: 3600 });
      const bearer = { authorization: `Bearer ${body["access_token"]}` };
      expect((await ask(url, PATH, { headers: bearer })).status).toBe(200);
    }
    const wrong: readonly [Asked, number, string][] = [
      [{ headers: FORM, body: form({ ...grant, client_secret: "x" }) }, 401, "invalid_client"],
      [{ headers: { ...FORM, authorization: basic("c", "x") }, body: form(grant) }, 401, "invalid_client"],
      [{ headers: FORM, body: form({ grant_type: "password" }) }, 400, "unsupported_grant_type"],
      [{ headers: FORM, body: "x".repeat(20_000) }, 413, "invalid_request"],
      [{ body: "{}" }, 415, "invalid_request"],
    ];
    for (const [request, status, error] of wrong) {
      const answer = await ask(url, "/oauth/token", request);
      expect([answer.status, answer.body["error"]]).toEqual([status, error]);
      expect(answer.headers["www-authenticate"] === undefined).toBe(status !== 401);
    }
  },
);

test("where no token is configured any client gets one", async () => {
  await using agent = await setup();
  const body = form({ grant_type: "client_credentials", client_id: "a", client_secret: "b" });
  const granted = await ask(agent.agent.url, "/oauth/token", { headers: FORM, body });
  expect(granted.body).toMatchObject({ access_token: expect.any(String), token_type: "bearer", expires_in: 3600 });
});

test("a web page's requests get 403, whatever they ask for; a program's do not", async () => {
  await using agent = await setup({ listen: 'hosts = ["Agent.internal", "10.0.0.7:8788"]' });
  const { url } = agent.agent;
  const { host } = new URL(url);
  const pages: Record<string, string>[] = [
    { origin: "https://evil.example" },
    { origin: "null" },
    { "sec-fetch-site": "cross-site" },
    { "sec-fetch-site": "same-site" },
    { host: "localhost.evil.example" },
    { host: "[::ffff:10.0.0.8]:8788" },
    { host: "user@127.0.0.1" },
    { host: "127.0.0.1 evil.example" },
    { host: "evil.example" },
    { host: "evil.example:8788" },
    { host: "127.0.0.1.evil.example" },
    { host: "10.0.0.8" },
  ];
  for (const headers of pages) {
    for (const [path, method] of [
      [PATH, "POST"],
      ["/v1/ingest/persist-data", "POST"],
      ["/status", "GET"],
      ["/healthz", "GET"],
      ["/metrics", "GET"],
      ["/oauth/token", "POST"],
    ] as const) {
      expect([headers, path, (await ask(url, path, { headers, method })).status]).toEqual([headers, path, 403]);
    }
  }
  expect((await agent.agent.status()).ledger.accepted).toBe(0);
  const programs = [
    host,
    "localhost",
    "LOCALHOST:1",
    "[::1]:8788",
    "127.0.0.1",
    "agent.internal:99",
    "10.0.0.7",
    "AGENT.internal.",
    "[::ffff:127.0.0.1]:8788",
    "LocalHost.",
  ];
  for (const [n, name] of programs.entries()) {
    const answer = await ask(url, PATH, { headers: { host: name }, body: eventNumber(n) });
    expect([name, answer.status]).toEqual([name, 200]);
  }
  expect(
    (await fetch(url + PATH, { method: "POST", body: EVENT, headers: { "content-type": "application/json" } })).status,
  ).toBe(200);
});

test("a calculation goes to its one address, with few headers: nobody reaches more with the agent's key", async () => {
  await using agent = await setup({ reply: () => ({ status: 201, headers: { "set-cookie": "a=b" }, body: "{}" }) });
  const { url } = agent.agent;
  const odd = [
    "/v1\\..\\usage\\bulk\\m#/events/calculate",
    "/v1%2f..%2fusage/events/calculate",
    "/v1?/events/calculate",
    "/v..\\admin/events/calculate",
    "/v1/../admin/events/calculate",
  ];
  for (const path of odd) {
    expect([path, [400, 404].includes((await ask(url, path)).status ?? 0)]).toEqual([path, true]);
  }
  expect(agent.destination.calls).toEqual([]);
  const headers = { cookie: "c=d", "x-forwarded-for": "1.2.3.4", "weir-producer": "p", "x-platform-id": "p1" };
  const answer = await ask(url, "/v1/events/calculate?cost_prediction=true&x=a%26b", { headers, body: "{}" });
  expect([answer.status, answer.headers["set-cookie"]]).toEqual([201, undefined]);
  const [call] = agent.destination.calls;
  expect(call?.path).toBe("/v1/events/calculate?cost_prediction=true&x=a%26b");
  expect(call?.headers).toMatchObject({ "x-platform-id": "p1", "x-api-key": "test-key" });
  for (const name of ["cookie", "x-forwarded-for", "weir-producer"]) expect(call?.headers[name]).toBe(undefined);
});

test("NDJSON goes by either of its names", async () => {
  await using agent = await setup();
  for (const [n, type] of ["application/x-ndjson", "application/jsonl", "Application/JSONL; charset=utf-8"].entries()) {
    const body = `${eventNumber(2 * n)}\n${eventNumber(2 * n + 1)}\n`;
    const answer = await ask(agent.agent.url, PATH, { headers: { "content-type": type }, body });
    expect([answer.status, answer.body["accepted"]]).toEqual([200, 2]);
  }
});

test("HTTP/1.0 without Host is a program's; HTTP/1.1 without, or with several, is refused; a unix socket asks for none", async () => {
  const { listen, socket } = tokenFile("s3cret");
  await using agent = await setup({ listen });
  const status = async (head: string) => statusesIn(await (await openRaw(agent, `${head}\r\n\r\n`)).received);
  const close = "Connection: close";
  expect(await status("GET /healthz HTTP/1.0")).toEqual([200]);
  expect(await status(`GET /healthz HTTP/1.1\r\n${close}`)).toEqual([400]);
  expect(await status(`GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n${close}`)).toEqual([403]);
  expect(await status(`GET /healthz HTTP/1.1\r\nHost: localhost\r\nSec-Fetch-Site: none\r\n${close}`)).toEqual([200]);
  expect(await status(`GET /healthz HTTP/1.1\r\nHost:\r\n${close}`)).toEqual([403]);
  const headers = { host: "anything", origin: "https://evil.example" };
  expect((await ask(agent.agent.url, PATH, { socketPath: socket, headers })).status).toBe(200);
});
