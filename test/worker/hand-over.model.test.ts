/**
 * A run of calls far longer than an invocation: each hands on to the next by a message, and none makes a call that
 * another has made. A charge is a call of its own at Solvimon.
 */
import { expect, it } from "vitest";
import type { Nudge } from "../../worker/env.ts";
import { modelRuns } from "../support/model-runs.ts";
import { connectEdge, setupEdge, twinUrl } from "./support/edge.ts";

const CHARGES = modelRuns({ full: 2_000, short: 200 });
const A_REQUEST = 100;
const STATEMENTS_MAX = 600;
const HOURS_MS = 3_600_000;
const CHARGE = {
  ...{ product_item_id: "p", pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" },
  value: { number: "1.50" },
};

it(
  `${CHARGES.toLocaleString("en")} charges are handed from invocation to invocation, and no call is made twice`,
  async () => {
    const { tenant } = await setupEdge();
    const calls = new Map<string, number>();
    const due: { readonly body: Nudge; readonly at: number }[] = [];
    // Nobody waits for a message's delay: the clock goes on to its end.
    let ahead = 0;
    const now = () => Date.now() + ahead;
    const send = async (body: Nudge, { delaySeconds = 0 }: QueueSendOptions = {}) =>
      void due.push({ body, at: now() + 1_000 * delaySeconds });
    const edge = connectEdge(tenant, {
      vars: { SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key" },
      bindings: { NUDGES: { send } as unknown as Queue<Nudge> },
      runtime: {
        fetch: (input, init) => {
          const key = new Headers(init?.headers).get("idempotency-key") ?? "";
          calls.set(key, (calls.get(key) ?? 0) + 1);
          return fetch(input, init);
        },
      },
    });
    for (let sent = 0; sent < CHARGES; sent += A_REQUEST) {
      const count = Math.min(A_REQUEST, CHARGES - sent);
      const charge_datas = Array.from({ length: count }, (_, n) => ({ ...CHARGE, reference: `${tenant}-${sent + n}` }));
      const body = new TextEncoder().encode(JSON.stringify({ charge_datas }));
      expect((await edge.request("/v1/ingest/charge-datas", { method: "POST", body })).status).toBe(200);
    }
    let invocations = 0;
    for (let next = due.shift(); next !== undefined; next = due.shift()) {
      ahead += Math.max(0, next.at - now());
      await edge.services.delivery.deliver(next.body);
      invocations++;
    }
    console.log(`${CHARGES} charges in ${invocations} invocations of ${edge.peaks.statements} statements at most`);
    expect(calls.size).toBe(CHARGES);
    expect(Math.max(...calls.values())).toBe(1);
    expect(edge.peaks.statements).toBeLessThanOrEqual(STATEMENTS_MAX);
    expect(invocations).toBeGreaterThan(CHARGES / STATEMENTS_MAX);
    expect(await edge.ledger()).toMatchObject([{ accepted: CHARGES, delivered: CHARGES, pending: 0, quarantined: 0 }]);
    // None was left to a lease's end.
    const later = connectEdge(tenant, { runtime: { clock: { now: () => now() + HOURS_MS } } });
    await later.services.delivery.sweep();
    expect(calls.size).toBe(CHARGES);
  },
  HOURS_MS,
);
