/**
 * The obligation test: clients write down every event that got a 2xx; the agent is killed again and again
 * under them while the upstream misbehaves; at the end the twin has each of them exactly once.
 */
import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { type Books, killAgentUnderLoad, METER, post, type River, startRiver } from "./support.ts";

const KILLS = 20;
const CLIENTS = 4;

const FAULTS = [
  { times: 3, status: 503 },
  { times: 2, status: 429, headers: { "retry-after": "1" } },
  { times: 2, drop: "after" },
  { times: 2, drop: "before" },
  { times: 1, delay_ms: 300 },
] as const;

it(`an agent killed ${KILLS} times under ${CLIENTS} clients and a faulty upstream loses and doubles nothing`, async () => {
  // The edge believes in larger calls than the twin takes: every call of more than 20 events meets a real 413.
  const river = await startRiver({}, ["--zuora-max-events", "20"]);
  const agent = await river.startAgent({
    upload: { linger_ms: 20, backoff_base_ms: 50, backoff_max_ms: 500, timeout_ms: 5000 },
  });
  const { owed, unsure } = await killAgentUnderLoad(river, agent, {
    kills: KILLS,
    stride: 40,
    faults: FAULTS,
    clients: CLIENTS,
    send: (client, books, stop) => send(agent.url, client, books, stop),
  });
  await river.faults([]);
  const [row] = await river.settled(120_000);
  const atTwin = await river.twinEvents();
  const counts = new Map<string, number>();
  for (const source of atTwin) counts.set(source, (counts.get(source) ?? 0) + 1);
  expect(
    [...owed].filter((source) => counts.get(source) !== 1),
    "each acknowledged event exactly once",
  ).toEqual([]);
  // What got no answer may have been taken or not, but never twice, and nothing else may be there.
  expect([...counts].filter(([source, n]) => n > 1 || !(owed.has(source) || unsure.has(source)))).toEqual([]);
  expect(owed.size).toBeGreaterThan(KILLS * 40);
  expect(row).toMatchObject({
    accepted: atTwin.length,
    delivered: atTwin.length,
    pending: 0,
    quarantined: 0,
    gaps: [],
  });
  expect(await faultsSeen(river)).toEqual(expect.arrayContaining([413, 429, 503]));
});

/** Sends event after event, each its own, until told to stop; an unanswered one is not repeated. */
async function send(url: string, client: number, { owed, unsure }: Books, stop: AbortSignal): Promise<void> {
  for (let n = 0; !stop.aborted; n++) {
    const bodies = Array.from({ length: 5 }, (_, i) =>
      JSON.stringify({
        CustomerId: `client-${client}`,
        UsageIdentifier: METER,
        UsageDate: "2015-05-17T10:05:03Z",
        Quantity: n * 5 + i,
      }),
    );
    try {
      const response = await post(url, bodies);
      await response.arrayBuffer();
      if (response.status === 200) for (const body of bodies) owed.add(body);
      else if (response.status < 500 && response.status !== 429) throw new Error(`refused with ${response.status}`);
    } catch (error) {
      if (error instanceof Error && error.message.startsWith("refused")) throw error;
      for (const body of bodies) unsure.add(body);
      await pause(10);
    }
  }
}

/** The statuses the twin answered with, from its own log of calls. */
async function faultsSeen(river: River): Promise<number[]> {
  const calls = (await (await fetch(`${river.twin.url}/twin/requests`)).json()) as
    | { status?: number | null }[]
    | { items: { status?: number | null }[] };
  const items = Array.isArray(calls) ? calls : calls.items;
  return [...new Set(items.map((call) => call.status ?? 0))];
}
