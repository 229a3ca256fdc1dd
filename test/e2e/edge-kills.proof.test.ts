/** The edge is killed while the upstream fails in every way; one event is answered 400 for good. */
import { expect, it } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { METER, post, startRiver } from "./support.ts";

const EVENTS = 5_000;
const BODY = 100;
const REJECTED = 2_718;

function event(n: number): string {
  return JSON.stringify({ CustomerId: "c", UsageIdentifier: METER, UsageDate: "2015-05-17T10:05:03Z", Quantity: n });
}

it(`${EVENTS} events through every upstream failure and three kills of the edge are each at the twin exactly once`, async () => {
  const river = await startRiver({ ZUORA_MAX_EVENTS: "1000" }, ["--zuora-max-events", "600"]);
  await river.faults([
    // First, so that no other failure takes a call that is refused from then on: no upstream does that.
    { times: 10_000, status: 400, contains: `"Quantity":${REJECTED}}` },
    { times: 1, status: 401 },
    { times: 2, status: 503 },
    { times: 1, drop: "after" },
    { times: 1, status: 429, headers: { "retry-after": "1" } },
    { times: 2, delay_ms: 200 },
    { times: 1, drop: "before" },
    { times: 1, status: 500 },
    { times: 1, drop: "after" },
  ]);
  const events = Array.from({ length: EVENTS }, (_, n) => event(n));
  const kills = [1_000, 2_500, 4_000];
  for (let from = 0; from < EVENTS; from += BODY) {
    if (kills.includes(from)) {
      // Posted, not awaited: killed while it may be anywhere between reading the body and answering.
      const unanswered = post(river.edge.url, events.slice(from, from + BODY), { headers: positions(from) }).catch(
        () => null,
      );
      await river.edge.sigkill();
      await unanswered;
      await river.edge.restart();
    }
    await until(
      async () => (await post(river.edge.url, events.slice(from, from + BODY), { headers: positions(from) })).ok,
      {
        what: `a 200 for the events from ${from}`,
        timeoutMs: 120_000,
      },
    );
  }
  const [row] = await river.settled(120_000);
  expect(row).toMatchObject({ accepted: EVENTS, delivered: EVENTS - 1, quarantined: 1, pending: 0, gaps: [] });
  expect((await river.twinEvents()).sort()).toEqual(events.filter((_, n) => n !== REJECTED).sort());
  const quarantine = await fetch(`${river.edge.url}/admin/quarantine`, { headers: { "x-api-key": LOCAL_KEYS.admin } });
  const { items } = (await quarantine.json()) as { items: { event: { Quantity: number }; upstream: string }[] };
  expect(items).toMatchObject([
    { event: { Quantity: REJECTED }, upstream: expect.stringContaining("Data validation failed") },
  ]);
});

function positions(from: number): Record<string, string> {
  return { "weir-producer": "p", "weir-sequence": String(from) };
}
