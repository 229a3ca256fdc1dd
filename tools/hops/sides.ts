/** Reads the three hops, each through its own routes: the agent by its control socket, edge and twin over HTTP. */
import { Agent, request } from "undici";
import { z } from "zod";
import type { Range } from "./ranges.ts";

const TIMEOUT_MS = 60_000;
const PAGE = 1_000;
/** Events that are compared one by one; with more of them a stream is named. */
export const EVENTS_MAX = 2_000_000;

const range = z.tuple([z.int(), z.int()]).transform((pair): Range => pair);
const hop = z.object({
  accepted: z.int(),
  pending: z.int(),
  delivered: z.int(),
  quarantined: z.int(),
  discarded: z.int(),
});

const statusSchema = z.object({ producer: z.string() });
const snapshotsSchema = z.array(
  z.object({
    stream: z.string(),
    last: z.int(),
    ledger: hop,
    positions: z.object({ pending: z.array(range), withheld: z.array(range) }),
  }),
);
export type AgentStream = z.infer<typeof snapshotsSchema>[number];

export interface AgentSide {
  readonly producer: string;
  readonly streams: readonly AgentStream[];
}

/** @param socketPath of a running agent: control.sock in its buffer's directory. */
export async function readAgent(socketPath: string): Promise<AgentSide> {
  const dispatcher = new Agent({ connect: { socketPath }, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });
  const get = async <T>(path: string, schema: z.ZodType<T>): Promise<T> => {
    const answer = await request(`http://agent${path}`, { dispatcher });
    return checked(`the agent's ${path}`, answer.statusCode, await answer.body.text(), schema);
  };
  try {
    const { producer } = await get("/status", statusSchema);
    return { producer, streams: await get("/snapshots", snapshotsSchema) };
  } finally {
    await dispatcher.destroy();
  }
}

const rowSchema = hop.extend({
  stream: z.string(),
  producer: z.string().optional(),
  duplicates: z.int(),
  first_sequence: z.int().optional(),
  last_sequence: z.int().optional(),
  gaps: z.array(range),
  gaps_total: z.int().optional(),
});
export type EdgeLedgerRow = z.infer<typeof rowSchema>;

const eventSchema = z.object({
  id: z.string(),
  stream: z.string(),
  producer: z.string().optional(),
  position: z.int().optional(),
  state: z.string(),
  event: z.unknown(),
});
export type EdgeEvent = z.infer<typeof eventSchema>;

const pageOf = <T>(item: z.ZodType<T>) => z.object({ items: z.array(item), next: z.string().nullable() });

export interface EdgeReader {
  /** Every row, with all its gaps. */
  ledger(): Promise<EdgeLedgerRow[]>;
  /** Every event of a stream, page by page. */
  events(stream: string): AsyncGenerator<EdgeEvent>;
}

/** @param tenant another one than the key's own, for an operator; null: its own. */
export function edgeReader(url: string, key: string, tenant: string | null): EdgeReader {
  const get = async <T>(path: string, query: Record<string, string>, schema: z.ZodType<T>): Promise<T> => {
    const parameters = new URLSearchParams({ ...query, ...(tenant === null ? {} : { tenant }) });
    const answer = await answerOf(`${url}${path}?${parameters}`, { "x-api-key": key });
    return checked(`the edge's ${path}`, answer.status, await answer.text(), schema);
  };
  async function* pages<T>(path: string, query: Record<string, string>, item: z.ZodType<T>): AsyncGenerator<T> {
    const schema = pageOf(item);
    for (let cursor: string | null = ""; cursor !== null; ) {
      const more: Record<string, string> = cursor === "" ? {} : { cursor };
      const page: z.infer<typeof schema> = await get(path, { limit: String(PAGE), ...query, ...more }, schema);
      yield* page.items;
      cursor = page.next;
    }
  }
  const withAllGaps = async (row: EdgeLedgerRow): Promise<EdgeLedgerRow> => {
    const gaps = [...row.gaps];
    while (gaps.length < (row.gaps_total ?? 0)) {
      const query = { stream: row.stream, producer: row.producer ?? "", gaps_after: String(gaps.at(-1)?.[1] ?? 0) };
      const { items } = await get("/admin/ledger", query, pageOf(rowSchema));
      const next = items.find(({ producer }) => producer === row.producer)?.gaps ?? [];
      if (next.length === 0) break;
      gaps.push(...next);
    }
    return { ...row, gaps };
  };
  return {
    async ledger() {
      const rows: EdgeLedgerRow[] = [];
      for await (const row of pages("/admin/ledger", {}, rowSchema)) rows.push(await withAllGaps(row));
      return rows;
    },
    events: (stream) => pages("/admin/events", { stream }, eventSchema),
  };
}

const twinEventSchema = z.object({ stream: z.string(), source: z.string() });

/** What a twin has taken, stream by stream, in order of arrival: parsed, so that it compares with what the edge shows. */
export async function readTwin(url: string): Promise<ReadonlyMap<string, readonly unknown[]>> {
  const answer = await answerOf(`${url}/twin/events?exact=1`, {});
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`the twin answered ${answer.status}`);
  const streams = new Map<string, unknown[]>();
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const { stream, source } = twinEventSchema.parse(JSON.parse(line));
    const events = streams.get(stream) ?? [];
    streams.set(stream, events);
    events.push(JSON.parse(source));
  }
  return streams;
}

async function answerOf(url: string, headers: Record<string, string>): Promise<Response> {
  try {
    return await fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(TIMEOUT_MS) });
  } catch (cause) {
    throw new Error(`no answer from ${new URL(url).origin}`, { cause });
  }
}

const SHOWN = 300;

function checked<T>(what: string, status: number, text: string, schema: z.ZodType<T>): T {
  if (status !== 200) throw new Error(`${what} answered ${status}: ${text.slice(0, SHOWN)}`);
  const parsed = schema.safeParse(JSON.parse(text));
  if (parsed.success) return parsed.data;
  throw new Error(`${what} has an unknown shape: ${z.prettifyError(parsed.error)}`);
}
