import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../tools/processes/free-port.ts";
import { until } from "../../tools/processes/until.ts";
import { logLines } from "./support/log-lines.ts";
import { openProxy } from "./support/proxy.ts";
import { EVENT, eventNumber, setup } from "./support/setup.ts";

const PATH = "/usage/bulk/m";
const PASSWORD = "a-password-nobody-may-see";

async function proxy(credentials: string | null = null) {
  const opened = await openProxy(credentials);
  onTestFinished(() => opened.close());
  return opened;
}

test.each([
  ["with its scheme", (port: number) => `http://127.0.0.1:${port}`],
  ["as host and port alone", (port: number) => `127.0.0.1:${port}`],
])("HTTP_PROXY %s is the way every call goes", async (_, text) => {
  const { port, asked } = await proxy();
  await using agent = await setup({ env: { HTTP_PROXY: text(port) } });
  await agent.post(PATH, EVENT);
  expect((await agent.drained()).ledger.delivered).toBe(1);
  const { url, calls } = agent.destination;
  expect(calls[0]?.headers).toMatchObject({ "x-api-key": "test-key" });
  expect(asked).toContain(`POST ${url}/meters/streaming/ingestion/m`);
});

test("lower case outranks upper case, and NO_PROXY goes around it", async () => {
  const [upper, lower] = [await proxy(), await proxy()];
  const env = { HTTP_PROXY: `http://127.0.0.1:${upper.port}`, http_proxy: `http://127.0.0.1:${lower.port}` };
  await using through = await setup({ env });
  await through.post(PATH, EVENT);
  await through.drained();
  expect([upper.asked.length, lower.asked.length > 0]).toEqual([0, true]);
  const before = lower.asked.length;
  await using around = await setup({ env: { ...env, NO_PROXY: "example.com, 127.0.0.1" } });
  await around.post(PATH, EVENT);
  await around.drained();
  expect([upper.asked.length, lower.asked.length]).toEqual([0, before]);
});

test("without one, nobody is asked", async () => {
  await using agent = await setup({ env: { HTTP_PROXY: "", HTTPS_PROXY: " " } });
  await agent.post(PATH, EVENT);
  expect((await agent.drained()).ledger.delivered).toBe(1);
});

test("a proxy that is down is an outage: nothing is lost, and all arrives once it is back", async () => {
  const port = await freePort();
  await using agent = await setup({ env: { HTTP_PROXY: `http://127.0.0.1:${port}` } });
  for (let n = 0; n < 10; n++) await agent.post(PATH, eventNumber(n));
  const { destination, ledger } = await agent.reach("an outage", (s) => s.destination.state === "unreachable");
  expect(destination.last_error).toContain("ECONNREFUSED");
  expect(ledger).toMatchObject({ pending: 10, quarantined: 0 });
  expect(agent.destination.calls.length).toBe(0);
  const again = await openProxy(null, port);
  onTestFinished(() => again.close());
  expect((await agent.drained()).ledger).toMatchObject({ delivered: 10, quarantined: 0 });
  expect(agent.destination.taken.size).toBe(10);
});

test("a proxy's password gets in, and is in no log, status or metric; a wrong one is an outage that says so", async () => {
  const { port, asked } = await proxy(`agent:${PASSWORD}`);
  const shown: string[] = [];
  for (const password of [PASSWORD, `${PASSWORD}-not`]) {
    const { logger, lines } = logLines();
    await using agent = await setup({ logger, env: { HTTP_PROXY: `http://agent:${password}@127.0.0.1:${port}` } });
    await agent.post(PATH, EVENT);
    if (password === PASSWORD) await agent.drained();
    else {
      const failing = await agent.reach("a refusal", (s) => s.destination.state === "unreachable");
      expect(failing.destination.last_error).toContain("407");
      expect(failing.ledger.pending).toBe(1);
    }
    const texts = ["/status", "/metrics"].map(async (path) => (await fetch(agent.agent.url + path)).text());
    shown.push(...(await Promise.all(texts)));
    await until(() => password === PASSWORD || lines.length > 0, { what: "a line in the log" });
    shown.push(JSON.stringify(lines));
  }
  expect(asked.length).toBeGreaterThan(1);
  for (const text of shown) {
    expect(text).not.toContain(PASSWORD);
    expect(text).not.toContain(Buffer.from(`agent:${PASSWORD}`).toString("base64").slice(0, 20));
    expect(text).not.toContain("test-key");
  }
});
