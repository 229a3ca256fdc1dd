/** What a read costs when the ledger has grown: the rows that D1 reads for a page are as many as before. */
import { beforeAll, describe, expect, it } from "vitest";
import { bindings, connectEdge, setupEdge } from "./support/edge.ts";
import { fillings, LARGE, type LedgerSize } from "./support/large-ledger.ts";
import { tapRuntime } from "./support/tapped.ts";

const NOW = Date.parse("2026-11-21T12:00:00Z");
const OF_BOTH = { eventsABatch: 2, facts: 2_000, now: NOW, spanMs: 1_800_000 };
/** Beyond every bound of a page already; and four times as much. */
const LESS = {
  ...OF_BOTH,
  batches: 5_000,
  producers: 1_250,
  keys: 30_000,
  gaps: 3_000,
  pending: 1_200,
  quarantined: 2_400,
};
const MORE = {
  ...OF_BOTH,
  batches: 20_000,
  producers: 5_000,
  keys: 120_000,
  gaps: 12_000,
  pending: 4_800,
  quarantined: 9_600,
};

/** No page of any list reads more. */
const ROWS_MAX = 15_000;

const LISTS = ["", "limit=1000", "limit=1", `stream=${LARGE}`];
const FILTERS = [
  ...["pending", "delivered", "quarantined", "discarded"].map((state) => `state=${state}`),
  ...["producer=p7", "producer=nobody", "producer=p7&state=delivered", "producer=p300&state=pending"],
  ...["customer=cus_000001", "customer=nobody", "own_id=a", "key=a"],
  ...["from=2026-11-21T11:50:00Z", "to=2026-11-21T11:31:00Z", "from=2026-11-21T11:40:00Z&to=2026-11-21T11:41:00Z"],
];
const READS = [
  ...LISTS.map((query) => `/admin/events?${query}`),
  ...FILTERS.flatMap((filter) => [`/admin/events?${filter}`, `/admin/events?${filter}&stream=${LARGE}`]),
  "/v1/events",
  "/admin/events/usev_25EW6L1rX2fsWa6pUt9B",
  ...LISTS.map((query) => `/admin/ledger?${query}`),
  ...["producer=p7", "producer=gappy", "producer=gappy&gaps_after=2001"].map((query) => `/admin/ledger?${query}`),
  ...["producer=p7", "producer=gappy", "producer=gappy&gaps_after=2001"].map((query) => `/ledger?${query}`),
  ...["open", "discarded", "replayed"]
    .flatMap((state) => ["1", "1000"].map((n) => `state=${state}&limit=${n}`))
    .map((query) => `/admin/quarantine?${query}`),
  ...["/admin/stats", `/admin/stats?stream=${LARGE}`, "/delivery?producer=p7", "/readyz", "/schemas"],
  ...["/admin/catalog", "/admin/api-keys", "/admin/settings", "/admin/tenants", "/admin/destinations"],
];

interface Read {
  readonly status: number;
  readonly rows: number;
  readonly text: string;
}

/** Fills a tenant's ledger, and reads it by every route. */
async function readsOf(size: Omit<LedgerSize, "tenant">): Promise<Map<string, Read>> {
  const { tenant } = await setupEdge();
  await bindings.LEDGER.prepare("UPDATE api_keys SET permissions = ?1 WHERE tenant = ?2")
    .bind(JSON.stringify(["METER_DATA.INGEST", "WEIR.ADMIN", "WEIR.OPERATOR"]), tenant)
    .run();
  for (const { sql, values } of fillings({ ...size, tenant }))
    await bindings.LEDGER.prepare(sql)
      .bind(...values)
      .run();
  let rows = 0;
  const { bindings: own, fetch } = tapRuntime({
    after: (step) => {
      rows += (step.meta ?? []).reduce((sum, meta) => sum + meta.rows_read, 0);
    },
  });
  const edge = connectEdge(tenant, { bindings: own, runtime: { fetch, clock: { now: () => NOW } } });
  const found = new Map<string, Read>();
  for (const path of READS) {
    rows = 0;
    const answer = await edge.request(path);
    const text = await answer.text();
    found.set(path, { status: answer.status, rows, text });
  }
  return found;
}

describe("a ledger four times as large", () => {
  let before = new Map<string, Read>();
  let after = new Map<string, Read>();
  beforeAll(async () => {
    before = await readsOf(LESS);
    after = await readsOf(MORE);
  }, 120_000);

  it.each(READS)("costs %s no more rows", (path) => {
    const small = before.get(path);
    const large = after.get(path);
    expect(large?.status).toBe(path.includes("/usev_") ? 404 : 200);
    expect(large?.rows).toBeLessThanOrEqual((small?.rows ?? 0) * 1.1 + 20);
    expect(large?.rows).toBeLessThanOrEqual(ROWS_MAX);
  });

  it.each<[string, number]>([
    ["/admin/events?producer=p7", 8],
    ["/admin/events?producer=p7&state=delivered", 6],
    ["/admin/events?producer=p300&state=pending", 2],
    ["/admin/events?producer=nobody", 0],
  ])("has all of what is rare on the first page of %s", (path, count) => {
    const { items, next } = JSON.parse(after.get(path)?.text ?? "");
    expect([items.length, next]).toEqual([count, null]);
  });

  it("has the first of what waits on the first page, however much was delivered before it", () => {
    const { items } = JSON.parse(after.get("/admin/events?state=pending")?.text ?? "");
    expect(items).toHaveLength(100);
  });
});
