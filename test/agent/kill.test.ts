import { expect, onTestFinished, test } from "vitest";
import { until } from "../support/until.ts";
import { cli } from "./support/cli.ts";
import { openDestination } from "./support/destination.ts";
import { eventNumber } from "./support/setup.ts";

const ROUNDS = 4;
const EVENTS_A_REQUEST = 5;

/**
 * Posts events until the agent dies under it. What got a 2xx is owed, what got none may arrive or not: the
 * producer would send it again under its key, here it just counts as another event.
 */
async function postUntilCut(url: string, next: () => number, owed: Set<string>): Promise<void> {
  for (;;) {
    const texts = Array.from({ length: EVENTS_A_REQUEST }, () => eventNumber(next()));
    try {
      const response = await fetch(`${url}/usage/bulk/m`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: `[${texts.join(",")}]`,
      });
      if (response.status === 200) for (const text of texts) owed.add(text);
      await response.arrayBuffer();
    } catch {
      return;
    }
  }
}

test("killed again and again in the middle of taking and sending, the agent delivers every event it answered for, once", async () => {
  const destination = await openDestination();
  const agent = cli(destination.url);
  onTestFinished(async () => {
    await agent[Symbol.asyncDispose]();
    await destination.close();
  });
  agent.configure(destination.url, "batch_events = 20\nconcurrency = 3");
  // Some answers are lost and some calls refused, so that kills also hit repeats.
  destination.reply = (_, index) => (index % 7 === 3 ? "take-and-cut" : index % 11 === 5 ? { status: 503 } : undefined);

  const owed = new Set<string>();
  let number = 0;
  const next = () => number++;
  for (let round = 0; round < ROUNDS; round++) {
    const running = agent.run();
    const url = await running.ready;
    const enough = owed.size + 200;
    const producers = [1, 2, 3].map(() => postUntilCut(url, next, owed));
    await until(() => owed.size >= enough, { what: "events to be taken" });
    expect(await running.kill("SIGKILL")).toMatchObject({ signal: "SIGKILL" });
    await Promise.all(producers);
  }
  expect((await agent.command(["drain", "--timeout", "60"])).code).toBe(0);

  const arrived = [...destination.taken.values()];
  expect(destination.disagreements).toEqual([]);
  expect([...owed].filter((text) => !arrived.includes(text))).toEqual([]);
  expect(new Set(arrived).size).toBe(arrived.length);
  // One producer and no hole: each position from 1 on was taken.
  const positions = [...destination.taken.keys()].map((key) => Number(key.split(" ").at(-1))).sort((a, b) => a - b);
  expect(positions).toEqual(positions.map((_, index) => index + 1));
  expect(new Set([...destination.taken.keys()].map((key) => key.split(" ")[1])).size).toBe(1);
  const status = JSON.parse((await agent.command(["status", "--json"])).stdout);
  expect(status.ledger).toEqual({
    accepted: arrived.length,
    delivered: arrived.length,
    pending: 0,
    quarantined: 0,
    discarded: 0,
  });
  expect((await agent.command(["check", "--json"])).stdout).toContain('"check":"buffer","ok":true');
});
