/** A whole river of real processes for one test: twin, edge, agent, cleaned up whatever happens. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished } from "vitest";
import type { LedgerRow } from "../../worker/ledger/ledger.ts";
import { LOCAL_KEYS } from "../support/local-keys.ts";
import type { Restartable } from "../support/restartable.ts";
import { tempDir } from "../support/temp-dir.ts";
import { until } from "../support/until.ts";
import { type AgentProcess, runAgent, runEdge, runTwin, twinVars } from "../support/weir-processes.ts";

export const METER = "web-egress";
export const STREAM = `usage/${METER}`;
export const INGEST_PATH = `/meters/streaming/ingestion/${METER}`;

const SAMPLE = fileURLToPath(new URL("../data/web-egress.ndjson", import.meta.url));

/** The 10,000 real events, one source text each. */
export function sampleEvents(): string[] {
  return readFileSync(SAMPLE, "utf8").trimEnd().split("\n");
}

export interface Counts {
  readonly accepted: number;
  readonly duplicates: number;
  readonly conflicts: number;
  readonly quarantined: number;
}

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
  startAgent(options?: Partial<Parameters<typeof runAgent>[0]>): Promise<AgentProcess>;
}

/** @param vars the edge's settings; @param twinArgs further flags of the twin. */
export async function startRiver(vars: Record<string, string> = {}, twinArgs: readonly string[] = []): Promise<River> {
  const state = tempDir("weir-e2e");
  onTestFinished(() => state.remove());
  const twin = await runTwin({ args: twinArgs });
  onTestFinished(async () => void (await twin.stop()));
  const edgeVars = {
    ...twinVars(twin.url),
    BACKOFF_BASE_MS: "50",
    BACKOFF_MAX_MS: "500",
    UPSTREAM_TIMEOUT_MS: "5000",
    ...vars,
  };
  const edge = await runEdge({ persistTo: join(state.path, "edge"), vars: edgeVars });
  onTestFinished(async () => void (await edge.stop()));
  await putCatalog(edge.url, { streams: [{ meter_global_id: METER }] });

  const edgeRows = async (filter = "") => {
    const response = await fetch(`${edge.url}/admin/ledger${filter}`, { headers: { "x-api-key": LOCAL_KEYS.admin } });
    return ((await response.json()) as { items: LedgerRow[] }).items;
  };
  return {
    twin,
    edge,
    folder: state.path,
    edgeRows,
    async twinEvents() {
      const text = await (await fetch(`${twin.url}/twin/events?exact=1`)).text();
      return text
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line).source);
    },
    async twinCounts() {
      return (await (await fetch(`${twin.url}/twin/counts`)).json()) as {
        events: number;
        distinct: number;
        requests: number;
      };
    },
    async faults(script) {
      const response = await fetch(`${twin.url}/twin/faults`, { method: "POST", body: JSON.stringify(script) });
      if (!response.ok) throw new Error(`the twin refused the faults: ${await response.text()}`);
    },
    settled: (timeoutMs = 180_000) =>
      until(
        async () => {
          const rows = await edgeRows();
          return rows.length > 0 && rows.every((row) => row.pending === 0) && rows;
        },
        { what: "the edge to have nothing pending", timeoutMs, everyMs: 100 },
      ),
    async startAgent(options = {}) {
      const agent = await runAgent({ directory: join(state.path, "agent"), destinationUrl: edge.url, ...options });
      onTestFinished(async () => void (await agent.stop()));
      return agent;
    },
  };
}

export async function putCatalog(edgeUrl: string, document: unknown): Promise<void> {
  const response = await fetch(`${edgeUrl}/admin/catalog`, {
    method: "PUT",
    headers: { "x-api-key": LOCAL_KEYS.admin },
    body: JSON.stringify(document),
  });
  if (!response.ok) throw new Error(`the catalog was refused: ${await response.text()}`);
}

export interface PostOptions {
  readonly headers?: Record<string, string>;
  /** Sent as gzipped NDJSON; else as one JSON array. */
  readonly asLines?: boolean;
}

/** Posts events to an edge or an agent. Throws where no answer comes. */
export async function post(url: string, events: readonly string[], options: PostOptions = {}): Promise<Response> {
  const lines = options.asLines ?? false;
  const text = lines ? events.join("\n") : `[${events.join(",")}]`;
  return fetch(`${url}${INGEST_PATH}`, {
    method: "POST",
    headers: {
      "x-api-key": LOCAL_KEYS.ingest,
      "content-type": lines ? "application/x-ndjson" : "application/json",
      "content-encoding": "gzip",
      ...options.headers,
    },
    body: gzipSync(text),
  });
}

/** Posts all events in bodies of a size, several at once, and adds up what the answers say. */
export async function postAll(
  url: string,
  events: readonly string[],
  { size, producer, atOnce = 8 }: { size: number; producer?: string; atOnce?: number },
): Promise<Counts> {
  const sum = { accepted: 0, duplicates: 0, conflicts: 0, quarantined: 0 };
  let next = 0;
  const worker = async () => {
    for (let from = next; from < events.length; from = next) {
      next = from + size;
      const headers: Record<string, string> =
        producer === undefined ? {} : { "weir-producer": producer, "weir-sequence": String(from + 1) };
      const response = await post(url, events.slice(from, from + size), { headers, asLines: true });
      if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
      const counts = (await response.json()) as Counts;
      for (const name of ["accepted", "duplicates", "conflicts", "quarantined"] as const) sum[name] += counts[name];
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return sum;
}

export interface KillRun {
  readonly kills: number;
  /** Events newly acknowledged between two kills. */
  readonly stride: number;
  readonly faults: readonly Record<string, unknown>[];
  readonly clients: number;
  /** Sends until told to stop; writes down what was acknowledged and what got no answer. */
  readonly send: (client: number, books: Books, stop: AbortSignal) => Promise<void>;
}

/** What clients were told: acknowledged, and sent without ever an answer. */
export interface Books {
  readonly owed: Set<string>;
  readonly unsure: Set<string>;
}

/** Kills the agent again and again under its clients, with new faults upstream each time, and lets it drain. */
export async function killAgentUnderLoad(river: River, agent: AgentProcess, run: KillRun): Promise<Books> {
  const books: Books = { owed: new Set(), unsure: new Set() };
  const stop = new AbortController();
  const clients = Array.from({ length: run.clients }, (_, client) => run.send(client, books, stop.signal));
  for (let kill = 0; kill < run.kills; kill++) {
    const wanted = books.owed.size + run.stride;
    const what = "the clients to be answered";
    await until(() => books.owed.size >= wanted, { what, timeoutMs: 180_000, everyMs: 5 });
    await river.faults(run.faults);
    await agent.sigkill();
    await agent.restart();
  }
  stop.abort();
  await Promise.all(clients);
  await agentDrained(agent.url);
  return books;
}

/** Once an agent has nothing pending; its equation must hold each time it is asked. */
async function agentDrained(agentUrl: string): Promise<void> {
  await until(
    async () => {
      const status = (await (await fetch(`${agentUrl}/status`)).json()) as { ledger: Record<string, number> };
      const { accepted, delivered, pending, quarantined, discarded } = status.ledger as Record<string, number>;
      expect(accepted).toBe((delivered ?? 0) + (pending ?? 0) + (quarantined ?? 0) + (discarded ?? 0));
      return pending === 0;
    },
    { what: "the agent to drain", timeoutMs: 300_000, everyMs: 100 },
  );
}
