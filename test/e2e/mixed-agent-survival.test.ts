/**
 * The obligation test for mixed kinds: clients post Solvimon's four kinds and usage events to the agent, write
 * down what was acknowledged, and the agent is killed under them while both upstreams misbehave.
 */
import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { type Books, killAgentUnderLoad, METER, startRiver } from "./support.ts";

const KILLS = 20;
const CLIENTS = 4;

const FAULTS = [
  { times: 2, drop: "after" },
  { times: 2, status: 503 },
  { times: 1, status: 429, headers: { "retry-after": "1" } },
  { times: 1, drop: "before" },
] as const;

const PRICING = { pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" };

/** One door a kind, and an event that says by its reference who sent it. */
const DOORS: readonly (readonly [path: string, event: (reference: string) => object])[] = [
  [
    "/v1/ingest/persist-data",
    (reference) => ({ customer_id: null, ...PRICING, pricing_plan_subscription_id: null, reference }),
  ],
  [
    "/v1/ingest/charge-data",
    (reference) => ({ product_item_id: "p", ...PRICING, value: { number: "1.50" }, reference }),
  ],
  [
    "/v1/ingest/adjustment-data",
    (reference) => ({ product_item_id: "p", amount: { quantity: "-1", currency: "EUR" }, reference }),
  ],
  ["/v1/ingest/meter-data", (reference) => ({ meter_reference: "m", meter_values: [{ number: "0.10" }], reference })],
  [
    `/meters/streaming/ingestion/${METER}`,
    (reference) => ({ CustomerId: reference, UsageIdentifier: METER, UsageDate: "2015-05-17T10:05:03Z", Quantity: 1 }),
  ],
];

it(`mixed kinds through an agent killed ${KILLS} times are each at the upstreams exactly once`, async () => {
  const river = await startRiver();
  const upload = { linger_ms: 20, backoff_base_ms: 50, backoff_max_ms: 500, timeout_ms: 5000 };
  const agent = await river.startAgent({ upload });
  const { owed, unsure } = await killAgentUnderLoad(river, agent, {
    kills: KILLS,
    stride: 25,
    faults: FAULTS,
    clients: CLIENTS,
    send: (client, books, stop) => send(agent.url, client, books, stop),
  });
  const rows = await river.settled(300_000);
  const seen = new Map<string, number>();
  for (const source of await river.twinEvents()) {
    const event = JSON.parse(source) as { reference?: string; CustomerId?: string };
    const name = event.reference ?? event.CustomerId ?? "";
    seen.set(name, (seen.get(name) ?? 0) + 1);
  }
  expect(
    [...owed].filter((name) => seen.get(name) !== 1),
    "each acknowledged event exactly once",
  ).toEqual([]);
  expect([...seen].filter(([name, n]) => n > 1 || !(owed.has(name) || unsure.has(name)))).toEqual([]);
  expect(rows.map((row) => row.stream).sort()).toEqual([
    "adjustment",
    "charge",
    "meter-data",
    "persist",
    `usage/${METER}`,
  ]);
  for (const row of rows) expect(row).toMatchObject({ delivered: row.accepted, pending: 0, quarantined: 0, gaps: [] });
});

async function send(url: string, client: number, { owed, unsure }: Books, stop: AbortSignal): Promise<void> {
  for (let n = 0; !stop.aborted; n++) {
    const reference = `client-${client}-event-${n}`;
    const [path, event] = DOORS[(n + client) % DOORS.length] ?? ["", () => ({})];
    try {
      const response = await fetch(url + path, {
        method: "POST",
        body: new TextEncoder().encode(JSON.stringify(event(reference))),
      });
      await response.arrayBuffer();
      if (response.ok) owed.add(reference);
      else if (response.status < 500 && response.status !== 429) throw new Error(`refused with ${response.status}`);
      else unsure.add(reference);
    } catch (error) {
      if (error instanceof Error && error.message.startsWith("refused")) throw error;
      unsure.add(reference);
      await pause(10);
    }
  }
}
