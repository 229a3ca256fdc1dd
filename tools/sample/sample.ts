/** The sample that the local scripts run on: 10,000 real usage events and the catalog that knows their meter. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { LOCAL_KEYS } from "./local-keys.ts";

export const SAMPLE_METER = "web-egress";
export const SAMPLE_STREAM = `usage/${SAMPLE_METER}`;
export const SAMPLE_PATH = `/meters/streaming/ingestion/${SAMPLE_METER}`;

/** The events' source texts, in the order in which they happened. */
export function readSampleEvents(): string[] {
  const file = fileURLToPath(new URL("./web-egress.ndjson", import.meta.url));
  return readFileSync(file, "utf8").split("\n").slice(0, -1);
}

const PRICING_SECTIONS = ["meters", "product_items", "customers", "subscriptions", "pricing_plans"] as const;

const entries = z.array(z.looseObject({})).default([]);
const catalogSchema = z.looseObject({
  streams: z.array(z.looseObject({ meter_global_id: z.string() })).default([]),
  meters: entries,
  product_items: entries,
  customers: entries,
  subscriptions: entries,
  pricing_plans: entries,
});
export type SampleCatalog = z.infer<typeof catalogSchema>;

/** The sample's catalog: the streams' schemas and a price of every type. */
export function readSampleCatalog(): SampleCatalog {
  const file = fileURLToPath(new URL("./sample-catalog.json", import.meta.url));
  return catalogSchema.parse(JSON.parse(readFileSync(file, "utf8")));
}

/** Adds the sample's catalog to the local tenant's; what stands there already is kept. */
export async function addSampleCatalog(edgeUrl: string): Promise<void> {
  const answer = await callCatalog(edgeUrl, { method: "GET" });
  const catalog = catalogSchema.parse(await answer.json());
  const merged = mergedCatalog(catalog, readSampleCatalog());
  if (JSON.stringify(merged) === JSON.stringify(catalog)) return;
  await callCatalog(edgeUrl, {
    method: "PUT",
    headers: { "if-match": answer.headers.get("etag") ?? "" },
    body: JSON.stringify(merged),
  });
}

/**
 * The catalog with the sample's streams and, where it has no prices of its own, all that the sample prices:
 * halves of two price lists would refer to what is not there.
 */
export function mergedCatalog(catalog: SampleCatalog, sample: SampleCatalog): SampleCatalog {
  const isPriced = PRICING_SECTIONS.some((section) => catalog[section].length > 0);
  const samples = new Map(sample.streams.map((stream) => [stream.meter_global_id, stream]));
  const known = catalog.streams.map((stream) => {
    const feeds = samples.get(stream.meter_global_id)?.["feeds"];
    return isPriced || feeds === undefined ? stream : { feeds, ...stream };
  });
  const knownIds = new Set(known.map((stream) => stream.meter_global_id));
  const added = sample.streams
    .filter((stream) => !knownIds.has(stream.meter_global_id))
    .map(({ feeds, ...stream }) => (isPriced || feeds === undefined ? stream : { ...stream, feeds }));
  const priced = isPriced ? {} : Object.fromEntries(PRICING_SECTIONS.map((section) => [section, sample[section]]));
  return { ...catalog, ...priced, streams: [...known, ...added] };
}

interface CatalogCall {
  readonly method: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

async function callCatalog(edgeUrl: string, call: CatalogCall): Promise<Response> {
  const answer = await fetch(`${edgeUrl}/admin/catalog`, {
    ...call,
    headers: { "content-type": "application/json", "x-api-key": LOCAL_KEYS.admin, ...call.headers },
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`${call.method} /admin/catalog: ${answer.status} ${await answer.text()}`);
  return answer;
}
