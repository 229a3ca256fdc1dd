/** Reads the ledgers of agent, edge and twin, each through its public routes. */
import { z } from "zod";
import { LOCAL_KEYS } from "../sample/local-keys.ts";

const TIMEOUT_MS = 5_000;

const hopSchema = z.object({
  accepted: z.int(),
  pending: z.int(),
  delivered: z.int(),
  quarantined: z.int(),
  discarded: z.int(),
});

const agentSchema = z.object({ producer: z.string(), ledger: hopSchema });

const edgeRowSchema = hopSchema.extend({
  stream: z.string(),
  duplicates: z.int(),
  conflicts: z.int(),
  first_sequence: z.int().optional(),
  last_sequence: z.int().optional(),
  gaps: z.array(z.tuple([z.int(), z.int()])),
});
const edgeSchema = z.object({ items: z.array(edgeRowSchema) });

const streamCountsSchema = z.object({ events: z.int(), distinct: z.int() });
const twinSchema = streamCountsSchema.extend({
  requests: z.int(),
  by_stream: z.record(z.string(), streamCountsSchema),
});

/** accepted = pending + delivered + quarantined + discarded. */
export type HopLedger = z.infer<typeof hopSchema>;
export type AgentLedger = z.infer<typeof agentSchema>;
export type EdgeRow = z.infer<typeof edgeRowSchema>;
export type TwinCounts = z.infer<typeof twinSchema>;

export interface Ledgers {
  /** Null where it did not answer. */
  readonly agent: AgentLedger | null;
  readonly edge: readonly EdgeRow[] | null;
  readonly twin: TwinCounts | null;
}

export interface LedgerAddresses {
  readonly agent: string;
  readonly edge: string;
  readonly twin: string;
}

/** @param producer only this one's rows of the edge's ledger. */
export async function readLedgers(urls: LedgerAddresses, producer?: string): Promise<Ledgers> {
  const [agent, edge, twin] = await Promise.all([
    read(`${urls.agent}/status`, agentSchema),
    readEdgeLedger(urls.edge, producer),
    read(`${urls.twin}/twin/counts`, twinSchema),
  ]);
  return { agent, edge, twin };
}

/** Of the local tenant; null where the edge did not answer. */
export async function readEdgeLedger(url: string, producer?: string): Promise<readonly EdgeRow[] | null> {
  const query = producer === undefined ? "" : `?producer=${encodeURIComponent(producer)}`;
  const ledger = await read(`${url}/admin/ledger${query}`, edgeSchema, { "x-api-key": LOCAL_KEYS.admin });
  return ledger?.items ?? null;
}

/** The rows of a ledger as one. Not the agent's own sum: what reconciles shares no code with what it checks. */
export function sumOf(rows: readonly HopLedger[]): HopLedger {
  const sum = { accepted: 0, pending: 0, delivered: 0, quarantined: 0, discarded: 0 };
  for (const row of rows) {
    sum.accepted += row.accepted;
    sum.pending += row.pending;
    sum.delivered += row.delivered;
    sum.quarantined += row.quarantined;
    sum.discarded += row.discarded;
  }
  return sum;
}

/** Null while nobody answers; an answer of another shape throws. */
async function read<T>(url: string, schema: z.ZodType<T>, headers: Record<string, string> = {}): Promise<T | null> {
  let body: unknown;
  try {
    const answer = await fetch(url, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) return null;
    body = await answer.json();
  } catch {
    return null;
  }
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  throw new Error(`${url} answered in an unknown shape: ${z.prettifyError(parsed.error)}`);
}
