/** Calculations are passed on to one address, with the agent's own key: whatever a request looks like, nothing else is reached. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { openRaw, statusesIn } from "./support/raw-client.ts";
import { type Setup, setup } from "./support/setup.ts";

const CALCULATE = "/v1/events/calculate";

/** Sends a request as it stands, on a connection of its own; what comes back until that is closed. */
async function sent(agent: Setup, target: string, headers: readonly string[], rest = "{}"): Promise<string> {
  const lines = [`POST ${target} HTTP/1.1`, "Host: localhost", "Connection: close", ...headers, "", rest];
  return (await openRaw(agent, lines.join("\r\n"))).received;
}

const TYPED = ["Content-Type: application/json", "Content-Length: 2"];

test.each([
  "http://evil.example/v1/events/calculate",
  "http://localhost/admin/api-keys",
  "//evil.example/v1/events/calculate",
  "/v1/events/calculate/../../usage/bulk/m",
  "/v1\\..\\usage\\bulk\\m#/events/calculate",
  "/v1/..%2f..%2fadmin%2fapi-keys/events/calculate",
  "/v1%2fevents%2fcalculate",
  "/v1/x/..//events/calculate",
  "/v1;/events/calculate",
  "/V1/events/calculate",
  "/v1/events/calculate/",
  "/v1/events/calculate#?x",
  "/v1#/events/calculate",
  "/v2/events/calculate",
  "/v1/events/calculat%65",
  "*",
])("no other target is taken for it: %s", async (target) => {
  await using agent = await setup();
  const [status, ...more] = statusesIn(await sent(agent, target, TYPED));
  expect([[400, 404].includes(status ?? 0), more]).toEqual([true, []]);
  expect(agent.destination.calls).toEqual([]);
});

test("a query goes on encoded anew, and never becomes a path, a header or another request", async () => {
  await using agent = await setup({ reply: () => ({ status: 201, body: {} }) });
  const queries = [
    "?a=%0d%0aX-Evil:%201",
    "?../../admin",
    "?a=b#c",
    "?a=%23&b=%2f..%2f",
    "??x",
    "?a=\\..\\b",
    `?${"q".repeat(8000)}`,
  ];
  for (const query of queries) {
    expect([query.slice(0, 50), statusesIn(await sent(agent, CALCULATE + query, TYPED))]).toEqual([
      query.slice(0, 50),
      [201],
    ]);
  }
  for (const { path, headers } of agent.destination.calls) {
    expect(path).toMatch(/^\/v1\/events\/calculate\?[A-Za-z0-9%=&.*_+-]*$/);
    expect(headers["x-evil"]).toBe(undefined);
  }
  expect(agent.destination.calls).toHaveLength(queries.length);
  expect(statusesIn(await sent(agent, `${CALCULATE}?${"q".repeat(20_000)}`, TYPED))).toEqual([431]);
});

test.each<[what: string, headers: readonly string[], body: string]>([
  ["two lengths", ["Content-Length: 2", "Content-Length: 40"], "{}"],
  ["a length and chunks", ["Content-Length: 2", "Transfer-Encoding: chunked"], "0\r\n\r\n"],
  ["chunks that are not last", ["Transfer-Encoding: chunked, identity"], "0\r\n\r\n"],
  ["an unknown coding of transfer", ["Transfer-Encoding: xchunked"], "0\r\n\r\n"],
  ["a length with a sign", ["Content-Length: +2"], "{}"],
  ["a folded header", ["Content-Length: 2", "X-Platform-Id: a", " Weir-Producer: b"], "{}"],
  ["a space before the colon", ["Content-Length : 2"], "{}"],
  ["a header with a bare CR", ["Content-Length: 2", "X-Platform-Id: a\rX-Evil: b"], "{}"],
  ["a NUL in a header", ["Content-Length: 2", "X-Platform-Id: a\0b"], "{}"],
])(
  "a request that two readers could cut differently is 400, and nothing of it goes on: %s",
  async (_, headers, body) => {
    await using agent = await setup({ reply: () => ({ status: 201, body: {} }) });
    const smuggled = "POST /admin/api-keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}";
    expect(
      statusesIn(await sent(agent, CALCULATE, ["Content-Type: application/json", ...headers], body + smuggled)),
    ).toEqual([400]);
    expect(agent.destination.calls).toEqual([]);
  },
);

test("an upgrade is none, and headers of the connection stay behind", async () => {
  await using agent = await setup({ reply: () => ({ status: 201, body: {} }) });
  const odd = [
    "Upgrade: websocket",
    "Proxy-Authorization: x",
    "Forwarded: for=1",
    "X-Api-Key: mine",
    "TE: trailers",
    "Cookie: a=b",
  ];
  expect(statusesIn(await sent(agent, CALCULATE, [...TYPED, ...odd]))).toEqual([201]);
  const [call] = agent.destination.calls;
  expect(call?.headers["x-api-key"]).toBe("test-key");
  for (const name of ["upgrade", "proxy-authorization", "forwarded", "te", "cookie"])
    expect(call?.headers[name]).toBe(undefined);
});

test("a redirect is not followed, and an answer without end costs no memory: 503", async () => {
  let written = 0;
  const upstream = createServer((request, response) => {
    if (request.url?.includes("redirect")) {
      response.writeHead(307, { location: "/elsewhere", "content-type": "application/json" }).end("{}");
      return;
    }
    response.writeHead(200, { "content-type": "application/json" });
    const piece = Buffer.alloc(64 * 1024, "x");
    const fill = () => {
      while (!response.destroyed && written < 1_000_000_000) {
        written += piece.length;
        if (!response.write(piece)) return void response.once("drain", fill);
      }
      response.end();
    };
    fill();
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  const { port } = upstream.address() as AddressInfo;
  await using agent = await setup({ destination: `url = "http://127.0.0.1:${port}"\napi_key_env = "KEY"` });
  const redirected = await sent(agent, `${CALCULATE}?redirect`, TYPED);
  expect([statusesIn(redirected), /location/i.test(redirected)]).toEqual([[307], false]);
  expect(statusesIn(await sent(agent, CALCULATE, TYPED))).toEqual([503]);
  expect(written).toBeLessThan(500_000_000);
});
