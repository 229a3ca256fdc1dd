/** The ledger in numbers: what Prometheus reads, and the last hour by the minute. */
import { expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { minutesOf } from "../../worker/ledger/stats.ts";
import { bindings, connectEdge, event, events, ownIdStream, setupEdge, type TestEdge } from "./support/edge.ts";

const NOW = Date.parse("2026-11-01T10:05:30Z");

async function operatorOf(edge: TestEdge): Promise<Record<string, string>> {
  const key = `operator-of-${edge.tenant}`;
  await bindings.LEDGER.prepare(
    "INSERT INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES (?1, ?2, ?3, 'test', ?4, 0)",
  )
    .bind(`operator-id-${edge.tenant}`, hashApiKey(key), edge.tenant, JSON.stringify(["WEIR.OPERATOR"]))
    .run();
  return { "x-api-key": key };
}

/** The samples of one tenant by metric and stream. */
function samplesOf(text: string, tenant: string): Record<string, number> {
  const found = [...text.matchAll(/^(\w+)\{tenant="([^"]*)",stream="([^"]*)"\} (\S+)$/gm)];
  return Object.fromEntries(
    found
      .filter((sample) => sample[2] === tenant)
      .map(([, name, , stream, value]) => [`${name} ${stream}`, Number(value)]),
  );
}

interface StatsAnswer {
  readonly from: string;
  readonly items: { stream: string; minutes: { at: string; accepted: number }[]; cut_before?: string }[];
}

it("metrics show the ledger of each tenant and stream, the age of what waits, and what holds it", async () => {
  let clock = NOW;
  const edge = await setupEdge({ runtime: { clock: { now: () => clock } } });
  const headers = await operatorOf(edge);
  await edge.putCatalog({ streams: [{ meter_global_id: "m" }] });
  await edge.post("m", `[${[...events(3), "{}"].join(",")}]`, { prefer: "handling=lenient" });
  await edge.post("m", event({ Quantity: 0 }));
  await bindings.LEDGER.prepare(
    `INSERT INTO holds (scope, kind, vendor, destination, tenant, stream, context, verdict, reason, since, until,
      attempts, tell_at, told) VALUES ('a', 'lane', 'zuora', 'default', ?1, ?2, '', 'pause', 'a secret reason', 0, ?3, 1, ?3, 1)`,
  )
    .bind(edge.tenant, '"usage\\m', NOW + 100_000)
    .run();
  clock += 40_000;
  const response = await edge.request("/metrics", { headers });
  expect(response.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const text = await response.text();
  expect(samplesOf(text, edge.tenant)).toEqual({
    "weir_events_accepted_total usage/m": 4,
    "weir_events_duplicates_total usage/m": 1,
    "weir_events_conflicts_total usage/m": 0,
    "weir_events_delivered_total usage/m": 0,
    "weir_events_discarded_total usage/m": 0,
    "weir_events_pending usage/m": 3,
    "weir_quarantine_open usage/m": 1,
    "weir_shipments_open usage/m": 0,
    "weir_oldest_pending_age_seconds usage/m": 40,
  });
  expect(text).toContain(
    `weir_hold_remaining_seconds{kind="lane",vendor="zuora",destination="default",tenant="${edge.tenant}",stream="\\"usage\\\\m",context=""} 60\n`,
  );
  expect(text).not.toContain("secret");
  await edge.services.delivery.sweep();
  const later = samplesOf(await (await edge.request("/metrics", { headers })).text(), edge.tenant);
  expect(later).toMatchObject({ "weir_events_pending usage/m": 0, "weir_oldest_pending_age_seconds usage/m": 0 });
});

it("a call that waits upstream keeps its age and is counted as open", async () => {
  let clock = NOW;
  const vars = { ZUORA_BASE_URL: "http://127.0.0.1:9", BACKOFF_BASE_MS: "600000" };
  const edge = await setupEdge({
    vars,
    runtime: { clock: { now: () => clock }, fetch: () => Promise.reject(new Error("down")) },
  });
  const headers = await operatorOf(edge);
  await edge.putCatalog({ streams: [{ meter_global_id: "m" }] });
  await edge.post("m", event());
  await edge.services.delivery.sweep();
  clock += 90_000;
  const samples = samplesOf(await (await edge.request("/metrics", { headers })).text(), edge.tenant);
  expect(samples).toMatchObject({ "weir_shipments_open usage/m": 1, "weir_oldest_pending_age_seconds usage/m": 90 });
});

it("metrics are the operator's alone", async () => {
  const edge = await setupEdge();
  expect((await edge.request("/metrics")).status).toBe(403);
  expect((await edge.request("/metrics", { headers: { "x-api-key": "nobody" } })).status).toBe(401);
});

it("statistics count what was accepted in each minute of the last hour, and nothing else", async () => {
  let clock = NOW - 3_600_000;
  const edge = await setupEdge({ runtime: { clock: { now: () => clock } } });
  await edge.putCatalog({ streams: [{ meter_global_id: "m" }, ownIdStream("own", "Id")] });
  await edge.post("m", event({ Quantity: -1 }));
  clock = NOW - 60_000;
  await edge.post("m", `[${events(3).join(",")}]`);
  await edge.post("own", event({ Id: "a" }));
  clock = NOW;
  await edge.post("m", `[${events(5).join(",")}]`);
  // A numbered repeat by its own id takes its position, and is no event accepted now.
  const numbered = { "weir-producer": "p", "weir-sequence": "1", prefer: "handling=lenient" };
  await edge.post("own", `[${event({ Id: "a" })},${event({ Id: "b" })},{"Id":"c"}]`, numbered);
  const read = async (query = "") => (await edge.request(`/admin/stats${query}`)).json<StatsAnswer>();
  expect(await read()).toEqual({
    from: "2026-11-01T09:06:00.000Z",
    to: "2026-11-01T10:05:30.000Z",
    items: [
      {
        stream: "usage/m",
        minutes: [
          { at: "2026-11-01T10:04:00.000Z", accepted: 3 },
          { at: "2026-11-01T10:05:00.000Z", accepted: 2 },
        ],
      },
      {
        stream: "usage/own",
        minutes: [
          { at: "2026-11-01T10:04:00.000Z", accepted: 1 },
          { at: "2026-11-01T10:05:00.000Z", accepted: 2 },
        ],
      },
    ],
  });
  expect((await read("?stream=usage/own")).items).toHaveLength(1);
  expect((await edge.request(`/admin/stats?tenant=${edge.tenant}-other`)).status).toBe(403);
  expect(await (await connectEdge((await setupEdge()).tenant).request("/admin/stats")).json()).toMatchObject({
    items: [],
  });
});

it("where more came in than is read, the minute read in part is left out and said so", () => {
  const rows = [
    { minute: 1, accepted: 5, batches: 1 },
    { minute: 2, accepted: 7, batches: 2 },
  ];
  expect(minutesOf("s", rows, 3)).toEqual({ stream: "s", minutes: [{ at: 120_000, accepted: 7 }], cutBefore: 120_000 });
  expect(minutesOf("s", rows, 4)).toMatchObject({ minutes: [{ accepted: 5 }, { accepted: 7 }], cutBefore: null });
});

it("statistics seek the last hour's batches and read no others", async () => {
  await setupEdge();
  const { MINUTES } = await import("../../worker/ledger/stats-sql.ts");
  const plan = await bindings.LEDGER.prepare(`EXPLAIN QUERY PLAN ${MINUTES.sql}`)
    .bind(...MINUTES.names.map(() => null))
    .all<{ detail: string }>();
  expect(plan.results.map((row) => row.detail).join("\n")).toMatch(
    /batches_seq \(tenant=\? AND stream=\? AND seq>\?\)/,
  );
});
