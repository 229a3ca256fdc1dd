/** What the ledger holds of a request that it did not simply accept: read in one round trip. */
import { CONTENT_HASH_BYTES } from "../../shared/identity.ts";
import { ENTRY_BYTES, ENTRY_STATUS, entrySpans } from "./entries.ts";
import * as SQL from "./filing-sql.ts";
import type { Filing } from "./ledger.ts";
import type { Known, KnownContent } from "./plan.ts";

export interface Held {
  readonly keyValid: boolean;
  /** Whether the producer's name is the key's, or nobody's. */
  readonly owned: boolean;
  readonly catalogVersion: number;
  /** A claim of this request that is in the ledger: its transaction, whose end was unclear, did commit. */
  readonly committed: number | null;
  readonly known: Known;
}

/** @param claims by which the request was tried so far. */
export async function lookUp(db: D1Database, filing: Filing, claims: readonly number[], now: number): Promise<Held> {
  const { tenant, stream, producer, apiKeyId, events, nonce, sentIds } = filing;
  const ownership = { owner: filing.owner, isListed: filing.isListed ? (1 as const) : (0 as const) };
  const of = { tenant, stream, producer: producer ?? "", apiKeyId, now };
  const named = events.flatMap((event) => (event.key === null ? [] : [event.key]));
  const keys = JSON.stringify(named);
  const groups = new Set(events.flatMap((event) => (event.group === null ? [] : [event.group.id])));
  const statements = [SQL.STANDING.bind(db, { ...of, ...ownership, claims: JSON.stringify(claims), nonce })];
  // Only what is asked of something: each statement takes a single event's request longer than the event does.
  if (named.length > 0) statements.push(SQL.KNOWN_KEYS.bind(db, { keys }), SQL.CORRECTED_KEYS.bind(db, { keys }));
  if (groups.size > 0) statements.push(SQL.CLOSED_GROUPS.bind(db, { tenant, groups: JSON.stringify([...groups]) }));
  const first = events[0]?.position ?? null;
  const last = events.at(-1)?.position ?? null;
  if (first !== null && last !== null) {
    const run = { tenant, stream, producer, first, last, sentIds };
    statements.push(SQL.HELD_POSITIONS.bind(db, run), SQL.CORRECTED_POSITIONS.bind(db, run));
  }
  const results = await db.batch(statements);
  const standings = results.shift();
  const [known, corrected] = named.length > 0 ? results.splice(0, 2) : [];
  const closed = groups.size > 0 ? results.shift() : undefined;
  const [held, correctedHeld] = results;
  const [standing] = SQL.STANDING.rows(standings);
  if (standing === undefined) throw new Error("the ledger did not say how a claim stands");
  const hashes = [...SQL.KNOWN_KEYS.rows(known), ...SQL.CORRECTED_KEYS.rows(corrected)];
  return {
    keyValid: standing.key_valid === 1,
    owned: standing.owned === 1,
    catalogVersion: standing.catalog_version,
    committed: standing.committed,
    known: {
      keys: hashesBy(hashes, ({ key }) => key),
      closedGroups: new Set(SQL.CLOSED_GROUPS.rows(closed).map(({ id }) => id)),
      positions: contentsOf(
        SQL.HELD_POSITIONS.rows(held),
        hashesBy(SQL.CORRECTED_POSITIONS.rows(correctedHeld), ({ position }) => position),
        { first: first ?? 0, last: last ?? 0 },
      ),
    },
  };
}

function hashesBy<Row extends { readonly hash: string }, K>(
  rows: readonly Row[],
  keyOf: (row: Row) => K,
): Map<K, string[]> {
  const found = new Map<K, string[]>();
  for (const row of rows) {
    const hashes = found.get(keyOf(row)) ?? [];
    hashes.push(row.hash.toLowerCase());
    found.set(keyOf(row), hashes);
  }
  return found;
}

/** What the entries of a run hold, each with its position's corrections; nothing of what went elsewhere. */
function contentsOf(
  held: readonly SQL.HeldRow[],
  corrections: ReadonlyMap<number, readonly string[]>,
  run: { readonly first: number; readonly last: number },
): Map<number, KnownContent> {
  const positions = new Map<number, KnownContent>();
  for (const { first, last, same_ids, has_left, entries, payload } of held) {
    if (has_left === 1 && entries === "") {
      const to = Math.min(last, run.last);
      for (let position = Math.max(first, run.first); position <= to; position++)
        positions.set(position, same_ids === 1 ? LEFT : ELSEWHERE);
      continue;
    }
    const hex = entries.toLowerCase();
    for (const [i, { start, end, status }] of entrySpans(hex).entries()) {
      const position = first + i;
      if (position < run.first || position > run.last) continue;
      const at = i * ENTRY_BYTES * 2;
      const hash = hex.slice(at, at + CONTENT_HASH_BYTES * 2);
      const isText = status === ENTRY_STATUS.stored;
      const hashes = [...(isText ? [] : [hash]), ...(corrections.get(position) ?? [])];
      const content =
        has_left === 1 && isText ? contentThatLeft(hash) : { text: isText ? payload.slice(start, end) : null, hashes };
      positions.set(position, same_ids === 1 ? content : ELSEWHERE);
    }
  }
  return positions;
}

/** What was taken there is delivered and has left: whatever its number brings again is taken for a repeat. */
const LEFT: KnownContent = { text: null, hashes: [], hasLeft: true };

/** Of a batch that keeps its entries, for they know keys by their hash; an event without one is known by its position. */
function contentThatLeft(hash: string): KnownContent {
  return /^0*$/.test(hash) ? LEFT : { text: null, hashes: [hash] };
}

const ELSEWHERE: KnownContent = { text: null, hashes: [] };
