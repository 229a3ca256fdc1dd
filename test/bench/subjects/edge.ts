/** The edge as `npm run edge` has it, and its floor: each a process group of its own, with a folder of its own. */
import { fileURLToPath } from "node:url";
import { DEFAULT_FIELDS } from "../../../shared/events/stream-schema.ts";
import { type NodeProcess, spawnNode } from "../../../tools/processes/node-process.ts";
import { LOCAL_KEYS } from "../../../tools/sample/local-keys.ts";
import { readSampleCatalog } from "../../../tools/sample/sample.ts";
import { METERS } from "../meters.ts";
import { type Subject, started } from "./subject.ts";

const EDGE = fileURLToPath(new URL("../../../tools/edge/main.ts", import.meta.url));
const FLOOR = fileURLToPath(new URL("../floors/worker-server.ts", import.meta.url));

export interface EdgeOptions {
  /** Of D1 and the queues; kept over restarts. */
  readonly folder: string;
  /** Where events go; null: nowhere, they stay pending. */
  readonly sinkUrl?: string | null;
  /** Where workerd's inspector listens; null: nowhere. */
  readonly inspectorPort?: number | null;
}

/** Starts the edge with the sample's prices and the streams of {@link METERS}. */
export async function startEdge({ folder, sinkUrl = null, inspectorPort = null }: EdgeOptions): Promise<Subject> {
  const vars =
    sinkUrl === null ? {} : { ZUORA_BASE_URL: sinkUrl, ZUORA_CLIENT_ID: "bench", ZUORA_CLIENT_SECRET: "bench" };
  const settings = Object.entries(vars).flatMap(([name, value]) => ["--var", `${name}:${value}`]);
  const inspector = inspectorPort === null ? [] : ["--inspector-port", String(inspectorPort)];
  const edge = await started(spawnNode(EDGE, ["--port", "0", "--persist-to", folder, ...settings, ...inspector]));
  try {
    await putCatalog(edge.url);
    return edge;
  } catch (error) {
    await edge.stop();
    throw error;
  }
}

/** Starts the floor's Worker in the same runtime. */
export function startEdgeFloor(folder: string): Promise<Subject> {
  const floor: NodeProcess = spawnNode(FLOOR, [folder]);
  return started(floor);
}

async function putCatalog(url: string): Promise<void> {
  const catalog = readSampleCatalog();
  const idField = { name: "EventId", type: "string", required: true };
  const streams = [
    ...catalog.streams,
    { meter_global_id: METERS.plain },
    { meter_global_id: METERS.ids, fields: [...DEFAULT_FIELDS, idField], event_id_field: "EventId" },
  ];
  const answer = await fetch(`${url}/admin/catalog`, {
    method: "PUT",
    headers: { "content-type": "application/json", "x-api-key": LOCAL_KEYS.admin, "if-match": "*" },
    body: JSON.stringify({ ...catalog, streams }),
  });
  if (!answer.ok) throw new Error(`the catalog was refused: ${answer.status} ${await answer.text()}`);
}
