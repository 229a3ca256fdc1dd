/** The sample that the local scripts run on: 10,000 real usage events and the catalog that knows their meter. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { LOCAL_KEYS } from "../support/local-keys.ts";

export const SAMPLE_METER = "web-egress";
export const SAMPLE_STREAM = `usage/${SAMPLE_METER}`;
export const SAMPLE_PATH = `/meters/streaming/ingestion/${SAMPLE_METER}`;

/** The events' source texts, in the order in which they happened. */
export function readSampleEvents(): string[] {
  const file = fileURLToPath(new URL("../data/web-egress.ndjson", import.meta.url));
  return readFileSync(file, "utf8").split("\n").slice(0, -1);
}

const catalogSchema = z.looseObject({ streams: z.array(z.looseObject({ meter_global_id: z.string() })).default([]) });

/** Adds the sample's streams to the local tenant's catalog; what stands there already is kept. */
export async function addSampleStreams(edgeUrl: string): Promise<void> {
  const file = fileURLToPath(new URL("./sample-catalog.json", import.meta.url));
  const sample = catalogSchema.parse(JSON.parse(readFileSync(file, "utf8")));
  const catalog = catalogSchema.parse(await callCatalog(edgeUrl, { method: "GET" }));
  const known = new Set(catalog.streams.map((stream) => stream.meter_global_id));
  const added = sample.streams.filter((stream) => !known.has(stream.meter_global_id));
  if (added.length === 0) return;
  const body = JSON.stringify({ ...catalog, streams: [...catalog.streams, ...added] });
  await callCatalog(edgeUrl, { method: "PUT", body });
}

async function callCatalog(edgeUrl: string, init: { method: string; body?: string }): Promise<unknown> {
  const answer = await fetch(`${edgeUrl}/admin/catalog`, {
    ...init,
    headers: { "content-type": "application/json", "x-api-key": LOCAL_KEYS.admin },
    signal: AbortSignal.timeout(10_000),
  });
  if (!answer.ok) throw new Error(`${init.method} /admin/catalog: ${answer.status} ${await answer.text()}`);
  return answer.json();
}
