/** Two tenants on one instance: what one has refused a thousand times over is no matter to the other. (A tenth of it where the run is short.) */
import { expect, it, vi } from "vitest";
import { modelRuns } from "../support/model-runs.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

const FAILURES = [403, 404, 431, 500];
const CALLS_A_LANE = modelRuns({ full: 250, short: 25 });
const TIMES = modelRuns({ full: 60, short: 8 });

async function setup() {
  const hostile = await setupEdge();
  const neighbour = await setupEdge();
  const ids = JSON.stringify([...FAILURES.map((status) => `e${status}`), "good"]);
  await bindings.LEDGER.prepare("UPDATE api_keys SET entity_ids = ?1 WHERE tenant = ?2")
    .bind(ids, hostile.tenant)
    .run();
  const meter = `neighbours-${hostile.tenant}`;
  for (const edge of [hostile, neighbour]) await edge.putCatalog({ streams: [{ meter_global_id: meter }] });
  const script = FAILURES.map((status) => ({ contains: `bad-${status}-${meter}`, times: 1_000_000, status }));
  const answer = await fetch(`${twinUrl()}/twin/faults`, { method: "POST", body: JSON.stringify(script) });
  if (!answer.ok) throw new Error(await answer.text());
  // A call an event, so that a thousand events are a thousand calls.
  const { services } = connectEdge(hostile.tenant, { vars: { ZUORA_MAX_EVENTS: "1" } });
  return { hostile, neighbour, meter, delivery: services.delivery };
}

const rowOf = async (edge: TestEdge) => (await edge.ledger())[0];

function p99(latencies: readonly number[]): number {
  return [...latencies].sort((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? 0;
}

it("a tenant's thousand refused calls over four lanes leave its good lane and its neighbour alone", {
  timeout: 180_000,
}, async () => {
  const { hostile, neighbour, meter, delivery } = await setup();
  let sent = 0;
  /** One event of the neighbour's after the other, each delivered before the next is sent. */
  const rounds = async () => {
    const latencies: number[] = [];
    for (let n = 0; n < TIMES; n++) {
      const before = performance.now();
      await neighbour.post(meter, event({ CustomerId: "theirs", Quantity: sent++ }));
      await delivery.deliver({ tenant: neighbour.tenant, stream: `usage/${meter}` });
      // The sweep beside it may have taken the event first: its call is on its way then.
      const delivered = { delivered: sent, pending: 0 };
      await vi.waitFor(async () => expect(await rowOf(neighbour)).toMatchObject(delivered), {
        timeout: 60_000,
        interval: 5,
      });
      latencies.push(performance.now() - before);
    }
    return p99(latencies);
  };
  await rounds();
  const alone = await rounds();
  for (const status of FAILURES) {
    const body = Array.from({ length: CALLS_A_LANE }, (_, n) =>
      event({ CustomerId: `bad-${status}-${meter}`, Quantity: n }),
    );
    const headers = { "zuora-entity-ids": `e${status}` };
    expect((await hostile.post(meter, `[${body.join(",")}]`, headers)).status).toBe(200);
  }
  const refused = delivery.sweep();
  const beside = await rounds();
  await refused;
  await hostile.post(meter, event({ CustomerId: "good" }), { "zuora-entity-ids": "good" });
  await delivery.sweep();
  const waiting = CALLS_A_LANE * FAILURES.length;
  expect(await rowOf(hostile)).toMatchObject({ accepted: waiting + 1, delivered: 1, pending: waiting, quarantined: 0 });
  console.log(`p99 of the neighbour's delivery: alone ${alone} ms, beside ${waiting} refused calls ${beside} ms`);
  const withdrawal = async () => {
    const body = new TextEncoder().encode(JSON.stringify({ stream: `usage/${meter}` }));
    const answer = await connectEdge(hostile.tenant).request("/admin/quarantine/withdraw", { method: "POST", body });
    return answer.json<{ withdrawn: number; remaining: number }>();
  };
  let withdrawn = 0;
  for (let left = waiting; left > 0; ) {
    const step = await withdrawal();
    expect(step.withdrawn).toBeGreaterThan(0);
    withdrawn += step.withdrawn;
    left = step.remaining;
  }
  expect(withdrawn).toBe(waiting);
  expect(await rowOf(hostile)).toMatchObject({ accepted: waiting + 1, delivered: 1, pending: 0, quarantined: waiting });
});
