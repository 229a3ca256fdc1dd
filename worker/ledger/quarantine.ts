/**
 * Events that wait for a person. An entry leaves by a replay (it is pending again, as it was or corrected, and
 * keeps its id) or by a discard; either way it stays on record and is known as a duplicate.
 */
import type { ClockAndRandom } from "../../shared/clock.ts";
import { CONTENT_HASH_BYTES, toHex } from "../../shared/identity.ts";
import { type Writer, writeAs } from "../database/key-gate.ts";
import type { Measure } from "../usage/measure.ts";
import { ENTRY_STATUS, encodeEntries } from "./entries.ts";
import { factJson } from "./fact.ts";
import * as FACTS from "./facts-sql.ts";
import * as FILING from "./filing-sql.ts";
import * as SQL from "./quarantine-sql.ts";
import { createRowId, isDrawnTwice } from "./row-id.ts";
import type { QuarantineState } from "./stored-event.ts";

export type QuarantineItem = SQL.QuarantineItem;
export type QuarantineEntry = SQL.QuarantineEntry;

/** An event as it is to be sent again. */
export interface Replay {
  readonly source: string;
  readonly hash: Uint8Array;
  readonly ownIdField: string | null;
  /** Entity, org and platform ids it goes up with: JSON, or "" for none. */
  readonly context: string;
  /** True where its content differs from what was quarantined: it is then known by both. */
  readonly corrected: boolean;
  /** Ledger key in hex that the corrected event is to be known by as well. */
  readonly key: string | null;
  /** What it adds to the usage that is priced. */
  readonly measure: Measure | null;
}

export type SettleOutcome =
  | { readonly kind: "done" }
  /** It was replayed or discarded before. */
  | { readonly kind: "settled" }
  /** The corrected event is one that was accepted before under another id. */
  | { readonly kind: "known-elsewhere" };

/** Which open entries are meant; what is absent is any. */
export interface QuarantineFilter {
  readonly stream?: string | undefined;
  /** Of one of its reasons. */
  readonly code?: string | undefined;
  /** Its ids headers, whole: JSON of an UpstreamContext, or "" for none. */
  readonly context?: string | undefined;
  /** The ids that it goes up with, as its headers named them; null for none. */
  readonly entity?: string | null | undefined;
  readonly org?: string | null | undefined;
  readonly platform?: string | null | undefined;
  /** When it came into quarantine, milliseconds since 1970, ends included. */
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Their numbers. */
  readonly ids?: readonly number[] | undefined;
}

export type Matched = Pick<QuarantineEntry, "id" | "number" | "batch" | "entry">;

/** Open entries that one question looks at: a filter that matches little must not read them all. */
const WINDOW = 10_000;

function matchValues(tenant: string, filter: QuarantineFilter, after: number): SQL.MatchValues {
  const ids = (of: string | null | undefined) => (of === undefined ? null : (of ?? ""));
  return {
    tenant,
    after,
    stream: filter.stream ?? null,
    code: filter.code ?? null,
    context: filter.context ?? null,
    entity: ids(filter.entity),
    org: ids(filter.org),
    platform: ids(filter.platform),
    from: filter.from ?? 0,
    to: filter.to ?? Number.MAX_SAFE_INTEGER,
    ids: filter.ids === undefined ? null : JSON.stringify(filter.ids),
    window: WINDOW,
  };
}

export interface Quarantine {
  list(tenant: string, state: QuarantineState, after: number, count: number): Promise<QuarantineItem[]>;
  find(tenant: string, number: number): Promise<QuarantineEntry | null>;
  /** The first of the open entries that a filter finds, in order of their numbers. */
  match(tenant: string, filter: QuarantineFilter, after: number, count: number): Promise<Matched[]>;
  /** How many open entries a filter finds. */
  count(tenant: string, filter: QuarantineFilter, after: number): Promise<SQL.MatchCount>;
  /** @throws KeyEndedError as every write here. */
  replay(tenant: string, entry: QuarantineEntry, replay: Replay, writer: Writer): Promise<SettleOutcome>;
  discard(tenant: string, entry: Matched, reason: string, writer: Writer): Promise<SettleOutcome>;
}

export function createQuarantine(db: D1Database, runtime: ClockAndRandom): Quarantine {
  return {
    list: (tenant, state, after, count) => SQL.LIST.all(db, { tenant, state, after, count }),
    match: (tenant, filter, after, count) => SQL.MATCH.all(db, { ...matchValues(tenant, filter, after), count }),
    async count(tenant, filter, after) {
      const counted = await SQL.MATCH_COUNT.first(db, matchValues(tenant, filter, after));
      if (counted === null) throw new Error("a count came without a row");
      return counted;
    },
    find: (tenant, number) => SQL.ENTRY.first(db, { number, tenant }),
    replay: (tenant, entry, replay, writer) => replayEntry(db, runtime.random, writer, tenant, entry, replay),
    async discard(tenant, { id, batch, entry }, reason, writer) {
      const results = await writeAs(db, writer, [
        ...FACTS.VOID_BY_DISCARD.map((voiding) => voiding.bind(db, { id, tenant, batch, entry })),
        SQL.COUNT_DISCARD.bind(db, { id, tenant }),
        SQL.DISCARD.bind(db, { id, tenant, now: writer.now, reason }),
      ]);
      return { kind: results.at(-1)?.meta.changes === 1 ? "done" : "settled" };
    },
  };
}

/** Row ids drawn for one replay. */
const DRAWS_MAX = 4;

async function replayEntry(
  db: D1Database,
  random: () => number,
  writer: Writer,
  tenant: string,
  entry: QuarantineEntry,
  replay: Replay,
): Promise<SettleOutcome> {
  const key = await keyToAdd(db, entry, replay);
  if (key === "known-elsewhere") return { kind: "known-elsewhere" };
  for (let draw = 1; ; draw++) {
    const claim = { claimId: createRowId(writer.now, random()), nonce: crypto.randomUUID() };
    const statements = replayStatements(db, claim, tenant, entry, { ...replay, key }, writer.now);
    try {
      const [claimed] = await writeAs(db, writer, statements);
      return { kind: (claimed?.meta.changes ?? 0) > 0 ? "done" : "settled" };
    } catch (error) {
      if (!isDrawnTwice(error) || draw === DRAWS_MAX) throw error;
    }
  }
}

/** The first of them claims: its changes say whether the transaction did anything. */
function replayStatements(
  db: D1Database,
  claim: FILING.Claim,
  tenant: string,
  held: QuarantineEntry,
  { source, hash, context, ownIdField, corrected, key, measure }: Replay,
  now: number,
): D1PreparedStatement[] {
  const { id, stream, producer, batch, entry } = held;
  const place = { ...claim, batch, entry };
  const entries = encodeEntries([{ hash, length: source.length, ordinal: 1, status: ENTRY_STATUS.stored }]);
  const bytes = new TextEncoder().encode(source).length;
  const rows = JSON.stringify([[claim.claimId, 1, 1, bytes]]);
  const correctedHash = toHex(hash.subarray(0, CONTENT_HASH_BYTES));
  return [
    SQL.REPLAY.bind(db, { ...claim, id, tenant, now, context, ownIdField, entries, payload: source }),
    FILING.OUTBOX.bind(db, { ...claim, tenant, stream, context, rows }),
    ...(corrected ? [SQL.CORRECTION.bind(db, { ...place, hash: correctedHash })] : []),
    ...(key === null ? [] : [SQL.CORRECTED_KEY.bind(db, { ...place, key })]),
    ...factStatements(db, claim, tenant, held, corrected, measure),
    SQL.COUNT_REPLAY.bind(db, { ...claim, tenant, stream, producer }),
    SQL.MARK_REPLAYED.bind(db, { ...claim, id, now }),
  ];
}

/** What is corrected counts as corrected; what Weir kept back counts from now on; else it counts already. */
function factStatements(
  db: D1Database,
  claim: FILING.Claim,
  tenant: string,
  { batch, entry, has_fact, reported_at, received_at }: QuarantineEntry,
  corrected: boolean,
  measure: Measure | null,
): D1PreparedStatement[] {
  const voiding = corrected
    ? FACTS.VOID_BY_REPLAY.map((each) => each.bind(db, { ...claim, tenant, batch, entry }))
    : [];
  if (measure === null || (has_fact === 1 && !corrected)) return voiding;
  const facts = JSON.stringify([factJson(entry, measure, reported_at, received_at)]);
  return [
    ...voiding,
    FACTS.ADD_FACTS.bind(db, { ...claim, tenant, facts }),
    FACTS.ADD_FACT_RUNS.bind(db, { ...claim, tenant, runs: `[[${batch},0,0]]`, count: 1 }),
  ];
}

/** The key a corrected event brings, unless it leads to this very event already. */
async function keyToAdd(db: D1Database, { batch, entry }: QuarantineEntry, { key }: Replay): Promise<string | null> {
  if (key === null) return null;
  const held = await SQL.KEY.first(db, { key });
  if (held === null) return key;
  return held.batch === batch && held.entry === entry ? null : "known-elsewhere";
}
