/** The table of answers, met by the edge's delivery over workerd's own fetch. */
import { describe, expect, inject, it } from "vitest";
import { rowUrl } from "../vendors/answer-url.ts";
import { type Meaning, rowsFor } from "../vendors/answers.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge } from "./support/edge.ts";

const CHARGE = {
  ...{ product_item_id: "p", pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" },
  value: { number: "1" },
};

/** Where one event of a vendor's is posted, and its stream. */
const EVENTS = {
  zuora: { path: "/meters/streaming/ingestion/m", stream: "usage/m", body: event() },
  solvimon: { path: "/v1/ingest/charge-data", stream: "charge", body: JSON.stringify(CHARGE) },
};

const HOUR_MS = 3_600_000;

/** An edge with one event for a vendor that answers by the row. */
async function setup(vendor: "zuora" | "solvimon", { at }: { readonly at: number }) {
  const base = await setupEdge();
  await bindings.LEDGER.prepare("DELETE FROM holds").run();
  const url = rowUrl(inject("answersUrl"), at, vendor, base.tenant);
  let now = Date.now();
  const edge = connectEdge(base.tenant, {
    vars: { ZUORA_BASE_URL: url, SOLVIMON_BASE_URL: url, SOLVIMON_API_KEY: "key", BACKOFF_MAX_MS: "60000" },
    runtime: { clock: { now: () => now }, random: () => 0 },
  });
  const { path, stream, body } = EVENTS[vendor];
  if (vendor === "zuora") await edge.putCatalog({ streams: [{ meter_global_id: "m" }] });
  const posted = await edge.request(path, { method: "POST", body: new TextEncoder().encode(body) });
  expect(posted.ok).toBe(true);
  return {
    edge,
    deliver: () => edge.services.delivery.deliver({ tenant: edge.tenant, stream }),
    now: () => now,
    pass: () => {
      now += HOUR_MS;
    },
  };
}

/** What became of the event, as the ledger and its tables tell. */
async function meaningOf(edge: TestEdge, now: number): Promise<Meaning> {
  const [ledger] = await edge.ledger();
  if (ledger?.delivered === 1) return { kind: "delivered" };
  if (ledger?.quarantined === 1) return { kind: "quarantined" };
  expect(ledger).toMatchObject({ accepted: 1, pending: 1 });
  const attempt = await bindings.LEDGER.prepare(
    `SELECT verdict, next_at FROM attempts JOIN shipments ON shipments.id = shipment
     WHERE tenant = ?1 ORDER BY attempt DESC LIMIT 1`,
  )
    .bind(edge.tenant)
    .first<{ verdict: Meaning["kind"]; next_at: number }>();
  const { results: holds } = await bindings.LEDGER.prepare("SELECT kind, verdict FROM holds").all<{
    kind: "credentials" | "lane";
    verdict: string;
  }>();
  const held = holds.find(({ verdict }) => verdict === attempt?.verdict);
  if (held === undefined) throw new Error("it is pending and waits for nothing");
  switch (attempt?.verdict) {
    case "wait":
      // Without jitter here, to the millisecond what was asked for.
      return { kind: "wait", seconds: (attempt.next_at - now) / 1000 };
    case "pause":
      return { kind: "pause", holds: held.kind };
    default:
      // Likewise: its backoff is over at once.
      if (attempt?.verdict === "retry") return { kind: "retry", seconds: (attempt.next_at - now) / 1000 };
      return { kind: "delivered" };
  }
}

describe.each(["zuora", "solvimon"] as const)("%s", (vendor) => {
  it.each(rowsFor(vendor).map((row) => [row.name, row] as const))("%s", async (_, row) => {
    const { edge, deliver, now, pass } = await setup(vendor, row);
    for (let tries = 1; tries < Math.max(row.replies.length, row.tokens?.length ?? 0); tries++) {
      await deliver();
      pass();
    }
    await deliver();
    expect(await meaningOf(edge, now())).toEqual(row.meaning);
  });
});
