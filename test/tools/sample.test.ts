import { describe, expect, test } from "vitest";
import { mergedCatalog, readSampleCatalog } from "../../tools/sample/sample.ts";

const NOTHING = { streams: [], meters: [], product_items: [], customers: [], subscriptions: [], pricing_plans: [] };
const sample = readSampleCatalog();

describe("the sample's catalog", () => {
  test("is loaded whole where there is none", () => {
    expect(mergedCatalog({ ...NOTHING, settings: { catalog: "pass" } }, sample)).toEqual(sample);
  });

  test("adds prices, and the stream's way to them, where only streams are", () => {
    const mine = { meter_global_id: "mine" };
    const merged = mergedCatalog(
      { ...NOTHING, streams: [{ meter_global_id: "web-egress", name: "Own" }, mine] },
      sample,
    );
    expect(merged).toMatchObject({ meters: sample.meters, pricing_plans: sample.pricing_plans });
    expect(merged.streams).toMatchObject([{ name: "Own", feeds: sample.streams[0]?.["feeds"] }, mine]);
  });

  test("leaves prices that are there alone, and feeds nothing that they do not know", () => {
    const own = { ...NOTHING, meters: [{ id: "m", reference: "m" }] };
    expect(mergedCatalog(own, sample)).toEqual({
      ...own,
      streams: [{ meter_global_id: "web-egress", name: "Web egress" }],
    });
  });

  test("added twice changes nothing", () => {
    expect(mergedCatalog(mergedCatalog(NOTHING, sample), sample)).toEqual(mergedCatalog(NOTHING, sample));
  });
});
