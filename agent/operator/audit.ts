/** The agent's ledger against the edge's: what was delivered must be there, and nothing else. */
import { z } from "zod";
import { digestHex, type LedgerDigest } from "../../shared/ledger-digest.ts";
import type { Log } from "../buffer/log.ts";
import type { PositionsOutcome } from "../buffer/transactions/positions.ts";
import { AgentError } from "../runtime/agent-error.ts";
import type { Transport } from "../upload/transport.ts";

/** Ends inclusive. */
export type Range = readonly [first: number, last: number];

export interface StreamAudit {
  readonly stream: string;
  readonly agent: {
    readonly accepted: number;
    readonly delivered: number;
    readonly pending: number;
    readonly quarantined: number;
    readonly discarded: number;
  };
  readonly edge: {
    readonly positions: number;
    readonly first_sequence: number | null;
    readonly last_sequence: number | null;
  };
  /** Delivered by the agent's ledger, not there by the edge's. */
  readonly missing: readonly Range[];
  /** There by the edge's ledger, never sent by the agent's. */
  readonly extra: readonly Range[];
  readonly digest: "equal" | "differs" | "not compared";
  /** What the edge did not list, so that it could not be compared. */
  readonly gaps_not_listed: number;
  /** Positions that were made to wait again, to be sent once more. */
  readonly repaired?: number;
}

export interface Snapshot {
  readonly stream: string;
  readonly last: number;
  readonly ledger: StreamAudit["agent"];
  readonly positions: PositionsOutcome;
}

const rowSchema = z.looseObject({
  stream: z.string(),
  first_sequence: z.int().nullish(),
  last_sequence: z.int().nullish(),
  gaps: z.array(z.tuple([z.int(), z.int()])).default([]),
  gaps_total: z.int().optional(),
  digest: z.string().optional(),
  /** Absent where the digest is one over ids, of an older edge. */
  digested: z.int().optional(),
});

export type EdgeRow = z.infer<typeof rowSchema>;

const ledgerSchema = z.looseObject({ items: z.array(rowSchema) });

/**
 * The edge's rows of a producer, all gaps listed.
 * @throws AgentError DESTINATION where the edge does not tell.
 */
export async function fetchEdgeLedger(transport: Transport, producer: string, signal: AbortSignal): Promise<EdgeRow[]> {
  const ask = (query: string) =>
    fetchRows(transport, `/ledger?producer=${encodeURIComponent(producer)}${query}`, signal);
  const rows = await ask("");
  return Promise.all(rows.map((row) => withAllGaps(row, ask)));
}

type AskRows = (query: string) => Promise<EdgeRow[]>;

/** A row that changes while its further gaps are asked for is asked for anew, so often. */
const READINGS_MAX = 5;

/** An edge lists its gaps in pages; all of one reading belong to the same positions, as their digest tells. */
async function withAllGaps(row: EdgeRow, ask: AskRows): Promise<EdgeRow> {
  const again = async (after: number): Promise<EdgeRow | undefined> => {
    const rows = await ask(`&stream=${encodeURIComponent(row.stream)}&gaps_after=${after}`);
    return rows.find(({ stream }) => stream === row.stream);
  };
  let first = row;
  for (let reading = 1; ; reading++) {
    const gaps = [...first.gaps];
    while (gaps.length < (first.gaps_total ?? 0)) {
      const after = gaps.at(-1)?.[1] ?? 0;
      const page = await again(after);
      const isSame = page?.digest === first.digest;
      const more = isSame ? (page?.gaps ?? []).filter(([from]) => from > after) : [];
      if (more.length === 0) break;
      gaps.push(...more);
    }
    const isWhole = gaps.length >= (first.gaps_total ?? 0);
    if (isWhole || reading >= READINGS_MAX) return { ...first, gaps };
    first = (await again(0)) ?? first;
  }
}

async function fetchRows(transport: Transport, path: string, signal: AbortSignal): Promise<EdgeRow[]> {
  const result = await transport.send({ method: "GET", path, headers: {} }, signal);
  if (result.kind !== "answer") {
    throw new AgentError(
      "DESTINATION",
      `the edge gave no answer: ${result.kind === "no-response" ? result.message : "aborted"}`,
    );
  }
  const parsed = ledgerSchema.safeParse(parseJson(result.body));
  if (result.status === 200 && parsed.success) return parsed.data.items;
  throw new AgentError("DESTINATION", `the edge answered ${result.status} to GET ${path} and told no ledger`);
}

function parseJson(body: string | null): unknown {
  try {
    return JSON.parse(body ?? "");
  } catch {
    return null;
  }
}

export async function takeSnapshots(log: Log): Promise<Snapshot[]> {
  const streams = [...log.streams()].map(({ stream }) => stream);
  return Promise.all(
    streams.map(async (stream) => {
      const positions = await log.positions({ stream });
      const ledger = log.stream(stream);
      if (ledger === null) throw new RangeError(`no stream ${stream}`);
      const { accepted, delivered, pending, quarantined, discarded, nextPosition } = ledger;
      return {
        stream,
        last: nextPosition - 1,
        ledger: { accepted, delivered, pending, quarantined, discarded },
        positions,
      };
    }),
  );
}

/**
 * The digest that an edge must have, from the log as it is now; null where that cannot be said.
 * @param taken the positions that the edge holds, asked for before.
 */
export async function digestFor(log: Log, stream: string, taken: readonly Range[]): Promise<LedgerDigest | null> {
  return (await log.digest({ stream, taken })).digest;
}

/**
 * Compares one stream. What waits may be there already, its answer lost, so it is neither missing nor extra.
 * @param before the agent's side as it was before the edge was asked, so that what was delivered meanwhile is no
 * difference.
 * @param due the digest that an edge must have that holds what this one holds; null where that is not known.
 */
export function compareStream(before: Snapshot, edge: EdgeRow | undefined, due: LedgerDigest | null): StreamAudit {
  const { stream, ledger, last, positions } = before;
  const taken = edge === undefined ? [] : takenBy(edge);
  const gapsListed = (edge?.gaps ?? []).length;
  const notListed = Math.max(0, (edge?.gaps_total ?? gapsListed) - gapsListed);
  const open = [...positions.pending, ...positions.withheld].sort((a, b) => a[0] - b[0]);
  const delivered = subtract(last > 0 ? [[1, last]] : [], open);
  const missing = subtract(delivered, taken);
  // Later ones were taken in after the snapshot; and nothing is known of what lies behind gaps that were not listed.
  const seen = notListed === 0 ? last : Math.min(last, edge?.gaps.at(-1)?.[1] ?? 0);
  const extra = subtract(cutAt(taken, seen), subtract([[1, Math.max(1, last)]], positions.withheld));
  const digest = notListed > 0 ? "not compared" : compareDigests(due, edge, sizeOf(taken));
  return {
    stream,
    agent: ledger,
    edge: {
      positions: sizeOf(taken),
      first_sequence: edge?.first_sequence ?? null,
      last_sequence: edge?.last_sequence ?? null,
    },
    missing,
    extra,
    digest,
    gaps_not_listed: notListed,
  };
}

export function isEqual(audit: StreamAudit): boolean {
  return (
    audit.missing.length === 0 && audit.extra.length === 0 && audit.digest !== "differs" && audit.gaps_not_listed === 0
  );
}

/** The positions that an edge holds, as far as it listed its gaps. */
export function takenBy({ first_sequence: first, last_sequence: last, gaps }: EdgeRow): Range[] {
  return first == null || last == null ? [] : subtract([[first, last]], gaps);
}

function cutAt(ranges: readonly Range[], last: number): Range[] {
  return ranges.filter(([from]) => from <= last).map(([from, to]) => [from, Math.min(to, last)]);
}

/** What of `ranges` is in none of `others`; both in order. */
export function subtract(ranges: readonly Range[], others: readonly Range[]): Range[] {
  const left: Range[] = [];
  let next = 0;
  for (const [first, last] of ranges) {
    let from = first;
    while (next < others.length && (others[next]?.[1] ?? 0) < from) next++;
    for (let i = next; i < others.length; i++) {
      const [cutFrom, cutTo] = others[i] ?? [0, 0];
      if (cutFrom > last) break;
      if (cutFrom > from) left.push([from, cutFrom - 1]);
      from = Math.max(from, cutTo + 1);
    }
    if (from <= last) left.push([from, last]);
  }
  return left;
}

export function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** Compares nothing that does not cover the same events: what either side took before it kept such a digest is in none. */
function compareDigests(due: LedgerDigest | null, edge: EdgeRow | undefined, positions: number): StreamAudit["digest"] {
  if (due === null || edge?.digest === undefined || edge.digested !== positions) return "not compared";
  return digestHex(due) === edge.digest ? "equal" : "differs";
}
