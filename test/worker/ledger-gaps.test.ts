/** A ledger with more gaps than one answer lists: all of them can be read, page after page. */
import { beforeAll, expect, it } from "vitest";
import type { LedgerRow } from "../../worker/ledger/ledger.ts";
import { setupEdge, type TestEdge } from "./support/edge.ts";

const LISTED_MAX = 1000;
const GAPS = LISTED_MAX + 20;

let edge: TestEdge;

/** Every other position from 1 on is taken: each even one is a gap. */
beforeAll(async () => {
  edge = await setupEdge();
  await edge.putCatalog({ streams: [{ meter_global_id: "m" }] });
  for (let position = 1; position <= 2 * GAPS + 1; position += 2) {
    const event = `{"CustomerId":"c${position}","UsageIdentifier":"u","UsageDate":"2026-01-02T03:04:05Z","Quantity":1}`;
    const headers = { "weir-producer": "p", "weir-sequence": String(position) };
    expect((await edge.post("m", event, headers)).status).toBe(200);
  }
}, 240_000);

async function row(query = ""): Promise<LedgerRow> {
  const response = await edge.request(`/ledger?producer=p${query}`);
  expect(response.status).toBe(200);
  const { items } = (await response.json()) as { items: LedgerRow[] };
  expect(items).toHaveLength(1);
  return items[0] as LedgerRow;
}

const gapsFrom = (first: number, count: number) =>
  Array.from({ length: count }, (_, i) => [first + 2 * i, first + 2 * i]);

const ENDS = { first_sequence: 1, last_sequence: 2 * GAPS + 1, gaps_total: GAPS };

it("lists the first thousand gaps, and says how many there are", async () => {
  expect(await row()).toMatchObject({ ...ENDS, gaps: gapsFrom(2, LISTED_MAX) });
});

it("lists those after a position, whose ends stay the row's own", async () => {
  expect(await row(`&gaps_after=${2 * LISTED_MAX}`)).toMatchObject({ ...ENDS, gaps: gapsFrom(2002, 20) });
  expect(await row("&gaps_after=7")).toMatchObject({ ...ENDS, gaps: gapsFrom(8, LISTED_MAX) });
  expect(await row("&gaps_after=8")).toMatchObject({ ...ENDS, gaps: gapsFrom(10, LISTED_MAX) });
  expect(await row(`&gaps_after=${2 * GAPS}`)).toMatchObject({ ...ENDS, gaps: [] });
  expect(await row(`&gaps_after=${Number.MAX_SAFE_INTEGER}&stream=usage/m`)).toMatchObject({ ...ENDS, gaps: [] });
});

it("refuses what is no position, naming the parameter", async () => {
  for (const wrong of ["-1", "x", "1.5", "9007199254740993"]) {
    const response = await edge.request(`/ledger?producer=p&gaps_after=${wrong}`);
    expect([wrong, response.status, await response.json()]).toMatchObject([
      wrong,
      400,
      { reasons: [{ field: "gaps_after" }] },
    ]);
  }
});
