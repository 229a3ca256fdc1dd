/** A whole river of real processes: twin, edge, agents; closed as one. */
import { join } from "node:path";
import type { Restartable } from "../../tools/processes/restartable.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import {
  type AgentProcess,
  type AgentProcessOptions,
  runAgent,
  runEdge,
  runTwin,
  twinVars,
} from "../../tools/processes/weir-processes.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import type { LedgerRow } from "../../worker/ledger/ledger.ts";

/** The usage meter that every river's catalog has. */
export const METER = "web-egress";

export interface River {
  readonly twin: Restartable;
  readonly edge: Restartable;
  /** Folder for further state of this test. */
  readonly folder: string;
  edgeRows(filter?: string): Promise<LedgerRow[]>;
  /** Exact source texts at the twin, in order of arrival. */
  twinEvents(): Promise<string[]>;
  twinCounts(): Promise<{ events: number; distinct: number; requests: number }>;
  faults(script: readonly Record<string, unknown>[]): Promise<void>;
  /** Once the edge has nothing pending. */
  settled(timeoutMs?: number): Promise<LedgerRow[]>;
  startAgent(options?: Partial<AgentProcessOptions>): Promise<AgentProcess>;
  /** Ends every process and removes the folder. */
  close(): Promise<void>;
}

export interface RiverOptions {
  /** The edge's settings beside those that point it at the twin. */
  readonly vars?: Readonly<Record<string, string>>;
  /** Further flags of the twin. */
  readonly twinArgs?: readonly string[];
  /** Meters of the catalog beside {@link METER}. */
  readonly meters?: readonly string[];
}

export async function openRiver({ vars = {}, twinArgs = [], meters = [] }: RiverOptions = {}): Promise<River> {
  const state = tempDir("weir-river");
  const started: Restartable[] = [];
  const close = async () => {
    for (const part of started.reverse()) await part.stop();
    state.remove();
  };
  const begin = async <T extends Restartable>(starting: Promise<T>): Promise<T> => {
    const part = await starting;
    started.push(part);
    return part;
  };
  try {
    const twin = await begin(runTwin({ args: twinArgs }));
    const fast = { BACKOFF_BASE_MS: "50", BACKOFF_MAX_MS: "500", UPSTREAM_TIMEOUT_MS: "5000" };
    const settings = { ...twinVars(twin.url), ...fast, ...vars };
    const edge = await begin(runEdge({ persistTo: join(state.path, "edge"), vars: settings }));
    await putCatalog(edge.url, { streams: [METER, ...meters].map((meter_global_id) => ({ meter_global_id })) });
    const startAgent: River["startAgent"] = (options = {}) =>
      begin(runAgent({ directory: join(state.path, "agent"), destinationUrl: edge.url, ...options }));
    return { ...riverOf(twin, edge), folder: state.path, startAgent, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function riverOf(twin: Restartable, edge: Restartable): Omit<River, "folder" | "startAgent" | "close"> {
  const edgeRows = async (filter = "") => {
    const response = await fetch(`${edge.url}/admin/ledger${filter}`, { headers: { "x-api-key": LOCAL_KEYS.admin } });
    return ((await response.json()) as { items: LedgerRow[] }).items;
  };
  return {
    twin,
    edge,
    edgeRows,
    twinEvents: () => twinSources(twin.url),
    async twinCounts() {
      const counts = await (await fetch(`${twin.url}/twin/counts`)).json();
      return counts as { events: number; distinct: number; requests: number };
    },
    faults: (script) => postFaults(twin.url, script),
    settled: (timeoutMs = 180_000) =>
      until(
        async () => {
          const rows = await edgeRows();
          return rows.length > 0 && rows.every((row) => row.pending === 0) && rows;
        },
        { what: "the edge to have nothing pending", timeoutMs, everyMs: 100 },
      ),
  };
}

/** Exact source texts at a twin, in order of arrival. */
export async function twinSources(twinUrl: string): Promise<string[]> {
  const text = await (await fetch(`${twinUrl}/twin/events?exact=1`)).text();
  return text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => (JSON.parse(line) as { source: string }).source);
}

/** Adds faults to a twin's script. */
export async function postFaults(twinUrl: string, script: readonly Record<string, unknown>[]): Promise<void> {
  const response = await fetch(`${twinUrl}/twin/faults`, { method: "POST", body: JSON.stringify(script) });
  if (!response.ok) throw new Error(`the twin refused the faults: ${await response.text()}`);
}

export async function putCatalog(edgeUrl: string, document: unknown): Promise<void> {
  const response = await fetch(`${edgeUrl}/admin/catalog`, {
    method: "PUT",
    headers: { "x-api-key": LOCAL_KEYS.admin, "if-match": "*" },
    body: JSON.stringify(document),
  });
  if (!response.ok) throw new Error(`the catalog was refused: ${await response.text()}`);
}
