/**
 * Events that wait for a person. An entry leaves by a replay (it is pending again, as it was or corrected, and
 * keeps its id) or by a discard; either way it stays on record and is known as a duplicate.
 */
import type { ClockAndRandom } from "../../shared/clock.ts";
import { toHex } from "../../shared/identity.ts";
import type { Measure } from "../usage/measure.ts";
import { ENTRY_STATUS, encodeEntries, HASH_BYTES } from "./entries.ts";
import { factJson } from "./fact.ts";
import * as FACTS from "./facts-sql.ts";
import * as FILING from "./filing-sql.ts";
import type { Claim } from "./look-up.ts";
import * as SQL from "./quarantine-sql.ts";
import { createRowId, isDrawnTwice } from "./row-id.ts";
import type { QuarantineState } from "./stored-event.ts";

export interface QuarantineItem {
  readonly id: number;
  readonly event_id: string;
  readonly stream: string;
  /** Source text. */
  readonly event: string;
  /** JSON array of faults. */
  readonly reasons: string;
  readonly upstream: string | null;
  readonly created_at: number;
  readonly state: QuarantineState;
  readonly settled_at: number | null;
  readonly note: string | null;
}

export interface QuarantineEntry {
  readonly id: number;
  readonly event_id: string;
  readonly stream: string;
  readonly producer: string;
  readonly event: string;
  readonly context: string;
  /** Where the event's identity is filed. */
  readonly batch: number;
  readonly entry: number;
  readonly state: QuarantineState;
  readonly first: number | null;
  readonly idempotency_key: string | null;
  /** When the event was first received, here and, if it says so, by an agent on the way. */
  readonly received_at: number;
  readonly told_at: string | null;
  /** 1 where it counts as usage already: the upstream refused it, not the door. */
  readonly has_fact: 0 | 1;
}

/** An event as it is to be sent again. */
export interface Replay {
  readonly source: string;
  readonly hash: Uint8Array;
  readonly ownIdField: string | null;
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
  /** The corrected event is one that was taken before under another id. */
  | { readonly kind: "known-elsewhere" };

export interface Quarantine {
  list(tenant: string, state: QuarantineState, after: number, count: number): Promise<QuarantineItem[]>;
  find(tenant: string, id: number): Promise<QuarantineEntry | null>;
  replay(tenant: string, entry: QuarantineEntry, replay: Replay): Promise<SettleOutcome>;
  discard(tenant: string, entry: QuarantineEntry, reason: string): Promise<SettleOutcome>;
}

export function createQuarantine(db: D1Database, of: ClockAndRandom): Quarantine {
  return {
    async list(tenant, state, after, count) {
      return (await db.prepare(SQL.LIST).bind(tenant, state, after, count).all<QuarantineItem>()).results;
    },
    find: (tenant, id) => db.prepare(SQL.ENTRY).bind(id, tenant).first<QuarantineEntry>(),
    replay: (tenant, entry, replay) => replayEntry(db, of, tenant, entry, replay),
    async discard(tenant, entry, reason) {
      const voiding = [FACTS.DIRTY_BY_DISCARD, FACTS.EPOCH_BY_DISCARD, FACTS.VOID_BY_DISCARD].map((sql) =>
        db.prepare(sql).bind(entry.id, tenant, tenant, entry.batch, entry.entry),
      );
      const results = await db.batch([
        ...voiding,
        db.prepare(SQL.COUNT_DISCARD).bind(entry.id, tenant),
        db.prepare(SQL.DISCARD).bind(entry.id, tenant, of.clock.now(), reason),
      ]);
      return { kind: results.at(-1)?.meta.changes === 1 ? "done" : "settled" };
    },
  };
}

async function replayEntry(
  db: D1Database,
  of: ClockAndRandom,
  tenant: string,
  entry: QuarantineEntry,
  replay: Replay,
): Promise<SettleOutcome> {
  const key = await keyToAdd(db, entry, replay);
  if (key === "known-elsewhere") return { kind: "known-elsewhere" };
  for (let draw = 1; ; draw++) {
    try {
      return await tryReplay(db, of, tenant, entry, replay, key);
    } catch (error) {
      if (!isDrawnTwice(error) || draw === DRAWS_MAX) throw error;
    }
  }
}

/** Row ids drawn for one replay. */
const DRAWS_MAX = 4;

async function tryReplay(
  db: D1Database,
  { clock, random }: ClockAndRandom,
  tenant: string,
  entry: QuarantineEntry,
  replay: Replay,
  key: string | null,
): Promise<SettleOutcome> {
  const now = clock.now();
  const claim: Claim = { id: createRowId(now, random()), nonce: crypto.randomUUID() };
  const by = (sql: string, ...values: unknown[]) => db.prepare(sql).bind(claim.id, claim.nonce, ...values);
  const { source, hash, ownIdField } = replay;
  const entries = encodeEntries([{ hash, length: source.length, index: 0, status: ENTRY_STATUS.stored }]);
  const bytes = new TextEncoder().encode(source).length;
  const results = await db.batch([
    by(SQL.REPLAY, entry.id, tenant, now, ownIdField, entries, source),
    by(FILING.OUTBOX, tenant, entry.stream, claim.id, entry.context, 1, 1, bytes),
    ...(replay.corrected ? [by(SQL.CORRECTION, entry.batch, entry.entry, toHex(hash.subarray(0, HASH_BYTES)))] : []),
    ...(key === null ? [] : [by(SQL.CORRECTED_KEY, key, entry.batch, entry.entry)]),
    ...factStatements(by, tenant, entry, replay),
    by(SQL.COUNT_REPLAY, tenant, entry.stream, entry.producer),
    by(SQL.MARK_REPLAYED, entry.id, now),
  ]);
  return { kind: (results[0]?.meta.changes ?? 0) > 0 ? "done" : "settled" };
}

/** What is corrected counts as corrected; what the door kept back counts from now on; else it counts already. */
function factStatements(
  by: (sql: string, ...values: unknown[]) => D1PreparedStatement,
  tenant: string,
  entry: QuarantineEntry,
  { corrected, measure }: Replay,
): D1PreparedStatement[] {
  const place = [tenant, entry.batch, entry.entry];
  const voiding = corrected
    ? [FACTS.DIRTY_BY_REPLAY, FACTS.EPOCH_BY_REPLAY, FACTS.VOID_BY_REPLAY].map((sql) => by(sql, ...place))
    : [];
  if (measure === null || (entry.has_fact === 1 && !corrected)) return voiding;
  const facts = [factJson(entry.entry, measure, entry.told_at, entry.received_at)];
  const adding = [by(FACTS.FACTS, tenant, JSON.stringify(facts)), by(FACTS.FACT_RUN, tenant, entry.batch, 1)];
  return [...voiding, ...adding];
}

/** The key a corrected event brings, unless it leads to this very event already. */
async function keyToAdd(db: D1Database, entry: QuarantineEntry, replay: Replay): Promise<string | null> {
  if (replay.key === null) return null;
  const held = await db.prepare(SQL.KEY).bind(replay.key).first<{ batch: number; entry: number }>();
  if (held === null) return replay.key;
  return held.batch === entry.batch && held.entry === entry.entry ? null : "known-elsewhere";
}
