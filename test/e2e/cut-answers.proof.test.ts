/**
 * Every fifth answer is cut on its way from the agent to its clients, and the agent is killed again and again. Nobody
 * gives an event an id: a repeat is known by its bytes alone, and a line too many or too few shows at the twin.
 */
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { expect, it, onTestFinished } from "vitest";
import { until } from "../../tools/processes/until.ts";
import type { AgentProcess } from "../../tools/processes/weir-processes.ts";
import { type CuttingProxy, startCuttingProxy } from "../support/cutting-proxy.ts";
import { arrivedOf, eachOnce, numbered } from "./forwarders/events.ts";
import { isInstalled } from "./forwarders/program.ts";
import { SYSLOG_NG, startSyslogNg } from "./forwarders/syslog-ng.ts";
import { METER, startRiver } from "./support.ts";

const KILLS = 10;
const EVERY = 5;

/** An agent behind a proxy that cuts every fifth of its answers. */
async function setup() {
  const river = await startRiver();
  const agent = await river.startAgent();
  const proxy = await startCuttingProxy(agent.port, EVERY);
  onTestFinished(() => proxy.close());
  return { river, agent, proxy };
}

/** Kills and restarts the agent while others send, each time some answers later. */
async function killWhileSending(agent: AgentProcess, proxy: CuttingProxy, answersBetween: number): Promise<void> {
  const answers = () => [...proxy.statuses().values()].reduce((sum, n) => sum + n, 0);
  for (let kill = 0; kill < KILLS; kill++) {
    const before = answers();
    await until(() => answers() >= before + answersBetween, { what: "further answers", everyMs: 1 });
    await agent.sigkill();
    await agent.restart();
  }
}

/** Sends one body, the same bytes each time, until the answer is 2xx. Gives how often it was sent. */
async function sendUntilTaken(url: string, body: string): Promise<number> {
  const init = { method: "POST", body, headers: { "content-type": "application/x-ndjson" } };
  for (let tries = 1; ; tries++) {
    const answer = await fetch(`${url}/usage/bulk/${METER}`, init).catch(() => null);
    if (answer?.ok) return tries;
    if (tries === 10_000)
      throw new Error(`never taken; last: ${answer === null ? "no response" : await answer.text()}`);
    // The agent may be starting: not asked again in the same instant.
    await pause(5);
  }
}

it("a client that repeats its bodies until they are taken has each line upstream once, ten kills of the agent included", async () => {
  const { river, agent, proxy } = await setup();
  const bodies = 1_500;
  const lines = 20;
  const atOnce = 4;
  let next = 0;
  let sent = 0;
  const client = async () => {
    while (next < bodies) {
      const first = next++ * lines;
      const body = Array.from({ length: lines }, (_, i) => numbered(first + i)).join("\n");
      const tries = await sendUntilTaken(proxy.url, body);
      sent += tries;
    }
  };
  const sending = Promise.all(Array.from({ length: atOnce }, client));
  await killWhileSending(agent, proxy, bodies / (KILLS + 2));
  await sending;
  const status = await until(
    async () => {
      const answer = (await (await fetch(`${agent.url}/status`)).json()) as { ledger: Record<string, number> };
      return answer.ledger["pending"] === 0 && answer.ledger;
    },
    { what: "the agent to have nothing pending" },
  );
  await river.settled();
  const all = bodies * lines;
  console.log(`${bodies} bodies sent ${sent} times; ${proxy.cut()} answers cut`, Object.fromEntries(proxy.statuses()));
  expect(proxy.cut()).toBeGreaterThan(bodies / (EVERY + 1));
  expect(sent).toBeGreaterThanOrEqual(bodies + proxy.cut());
  expect(status).toMatchObject({ accepted: all, delivered: all });
  expect(arrivedOf(await river.twinEvents(), all)).toEqual(eachOnce(all));
});

it.skipIf(!isInstalled(SYSLOG_NG))(
  "so has syslog-ng with the documented recipe (skipped where syslog-ng is not installed)",
  async () => {
    const { river, agent, proxy } = await setup();
    const all = 100_000;
    const file = `${river.folder}/usage.ndjson`;
    writeFileSync(file, Array.from({ length: all }, (_, n) => `${numbered(n)}\n`).join(""));
    const forwarder = startSyslogNg({ url: proxy.url, meter: METER, file, folder: river.folder });
    onTestFinished(() => forwarder.stop());
    await killWhileSending(agent, proxy, 8);
    await until(async () => (await river.twinCounts()).distinct >= all, { what: "each line", timeoutMs: 300_000 });
    await river.settled();
    console.log(`${proxy.cut()} answers cut`, Object.fromEntries(proxy.statuses()));
    expect(proxy.cut()).toBeGreaterThanOrEqual(KILLS);
    expect(arrivedOf(await river.twinEvents(), all), forwarder.words()).toEqual(eachOnce(all));
  },
);
