/**
 * A hostile page in a real browser on the agent's machine: served from another site, and by a name that resolves to
 * this machine. What it sends never gets into the log, and what the agent knows never gets into the page.
 */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { startCuttingProxy } from "../support/cutting-proxy.ts";
import { hasChromium, openChromium } from "./support/chromium.ts";
import { eventNumber, setup } from "./support/setup.ts";

const SCRIPT = readFileSync(fileURLToPath(new URL("./fixtures/hostile-page.js", import.meta.url)), "utf8");
const PAGE = '<!doctype html><title>hostile</title><iframe></iframe><script src="/page.js"></script>';
const WRITES = 10;
const READS = 6;

async function serve(answer: (request: IncomingMessage) => Promise<string>): Promise<number> {
  const server = createServer(async (request, response) => response.end(await answer(request)));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A browser that shows the hostile page, from a site of its own. */
async function hostilePage() {
  const port = await serve(async ({ url }) => (url === "/page.js" ? SCRIPT : PAGE));
  const browser = await openChromium({ "evil.example": "127.0.0.1", "rebound.example": "127.0.0.1" });
  onTestFinished(() => browser.close());
  return { browser, page: await browser.open(`http://evil.example:${port}/`) };
}

test.skipIf(!hasChromium)(
  "a page can send events to a server that does not look who asks (skipped where Chromium is not installed)",
  async () => {
    const bodies: string[] = [];
    const port = await serve(async (request) => {
      let body = "";
      for await (const chunk of request) body += String(chunk);
      if (request.method === "POST") bodies.push(body);
      return "{}";
    });
    const { page } = await hostilePage();
    await page.evaluate(`attack(WRITES, "http://127.0.0.1:${port}")`);
    await until(() => bodies.length >= WRITES, { what: "what the page sent" });
    const customers = bodies.map((body) => JSON.parse(body).CustomerId as string);
    expect(customers.toSorted()).toEqual(Array.from({ length: WRITES }, (_, i) => `evil-${i + 1}`).toSorted());
  },
);

test.skipIf(!hasChromium)(
  "no page gets an event into the agent or reads what it knows, and programs are not hurt (skipped where Chromium is not installed)",
  async () => {
    await using agent = await setup();
    // In front of it to count what the browser was answered; the name and address by which it is asked stay.
    const { port } = new URL(agent.agent.url);
    const proxy = await startCuttingProxy(Number(port), 0);
    onTestFinished(() => proxy.close());
    const answers = () => [...proxy.statuses().values()].reduce((sum, n) => sum + n, 0);
    const { browser, page } = await hostilePage();

    await page.evaluate(`attack(WRITES, "${proxy.url}")`);
    await until(() => answers() >= WRITES, { what: "an answer to each write" });
    expect(proxy.statuses()).toEqual(new Map([[403, WRITES]]));
    expect(await page.evaluate(`attack(READS, "${proxy.url}")`)).toEqual({
      fetch: "failed: TypeError",
      img: "error",
      script: "error",
      frame: "unreadable",
      EventSource: "error",
      WebSocket: "error",
    });
    expect(answers()).toBeGreaterThanOrEqual(WRITES + READS - 1);

    // As after rebinding: the page's own name is the agent's address by now, and so all of it is of its origin.
    const reboundTo = proxy.url.replace("127.0.0.1", "rebound.example");
    const rebound = await browser.open(`${reboundTo}/status`);
    const tried = `Promise.all([
      document.body.innerText,
      fetch("/status").then((answer) => answer.text()),
      fetch("/metrics").then((answer) => answer.text()),
      fetch("/usage/bulk/m", { method: "POST", body: ${JSON.stringify(eventNumber(1))} }).then((answer) => answer.text()),
    ])`;
    for (const text of (await rebound.evaluate(tried)) as string[]) expect(text).toContain('"success":false');
    expect([...proxy.statuses().keys()]).toEqual([403]);
    expect((await agent.agent.status()).ledger).toMatchObject({ accepted: 0, quarantined: 0 });

    const program = { method: "POST", body: eventNumber(2), headers: { "content-type": "application/json" } };
    expect((await fetch(`${proxy.url}/usage/bulk/m`, program)).status).toBe(200);
    const run = promisify(execFile);
    await run("curl", ["-sSf", `${proxy.url}/usage/bulk/m`, "--json", eventNumber(3)]);
    const python = `import urllib.request as r; r.urlopen(r.Request(${JSON.stringify(`${proxy.url}/usage/bulk/m`)}, b'${eventNumber(4)}', {"Content-Type": "application/json"}))`;
    await run("python3", ["-c", python]);
    expect((await agent.agent.status()).ledger.accepted).toBe(3);
  },
);
