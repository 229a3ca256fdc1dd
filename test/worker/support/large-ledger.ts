/**
 * Fills a ledger of any size by a few SQL statements, the same in workerd's D1 and in `node:sqlite`: what a tenant has
 * after months, made in seconds. Counts, ranges and calls agree with the batches, so that every read finds what it would.
 */
import { ENTRY_BYTES } from "../../../worker/ledger/entries.ts";
import { createRowId } from "../../../worker/ledger/row-id.ts";

export interface LedgerSize {
  readonly tenant: string;
  /** Of `usage/large`, each of one of the producers by turns; all delivered but the last `pending`. */
  readonly batches: number;
  readonly eventsABatch: number;
  readonly producers: number;
  /** Of `usage/keyed`: events known by keys, ten a batch. */
  readonly keys: number;
  /** Of meter data, folded into days. */
  readonly facts: number;
  /** Positions missing in the numbers of the producer `gappy`. */
  readonly gaps: number;
  /** The last batches of `usage/large` that no call has taken yet. */
  readonly pending: number;
  /** Entries in quarantine, half of them open, of batches all over `usage/large`. */
  readonly quarantined: number;
  /** Milliseconds since 1970: when the last batch came; and how long before it the first. */
  readonly now: number;
  readonly spanMs: number;
}

export interface Filling {
  readonly sql: string;
  readonly values: readonly string[];
}

export const LARGE = "usage/large";
export const KEYED = "usage/keyed";

const KEYS_A_BATCH = 10;
const BATCHES_A_CALL = 10;
const GAPPY = "gappy";
const DAY_MS = 86_400_000;
/** Subjects that the facts are spread over, and over thirty days. */
const SUBJECTS = 1_000;
const FACT_DAYS = 30;
/** A keyed batch's id lies so much above that of the other stream's batch of its time. */
const KEYED_OFFSET = 1_024;
const BLOCK = 1_000_000_000_000;

/** The numbers from 0, so many. Numbers stand in the text: bound, they would be no integers. */
const numbers = (count: number) =>
  `WITH RECURSIVE n(i) AS (SELECT 0 WHERE ${count} > 0 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ${count})`;

export function fillings(size: LedgerSize): Filling[] {
  return [...batchFillings(size), ...fateFillings(size), ...countFillings(size), ...factFillings(size)];
}

function eventText(i: number): string {
  const n = String(i).padStart(6, "0");
  return `{"CustomerId":"cus_${n}","UsageIdentifier":"egress_bytes","UsageDate":"2026-11-01T10:05:03Z","Quantity":1${n}}`;
}

/** Hashes of zeros, the event's length, its number in the request, stored. */
function entriesHex(count: number): string {
  const length = eventText(0).length.toString(16).padStart(8, "0");
  const hash = "00".repeat(ENTRY_BYTES - 9);
  return Array.from({ length: count }, (_, i) => `${hash}${length}${i.toString(16).padStart(8, "0")}00`).join("");
}

function payload(count: number): string {
  return Array.from({ length: count }, (_, i) => eventText(i)).join(",");
}

/** By a batch's number, an expression: its id, which is its seq too. */
type IdOf = (i: string) => string;

function idOf({ tenant, now, spanMs }: LedgerSize, count: number, offset: number): IdOf {
  const first = createRowId(now - spanMs, 0) + offset + numberOf(tenant);
  const step = Math.max(1, Math.floor(createRowId(spanMs, 0) / Math.max(1, count)));
  return (i) => `(${first} + ${i} * ${step})`;
}

const BATCH_COLUMNS =
  "id, nonce, tenant, stream, producer, first, last, context, sent_ids, received_at, entries, payload, seq";

function batchFillings(size: LedgerSize): Filling[] {
  const { tenant, batches, eventsABatch: events, producers, keys } = size;
  const large = idOf(size, batches, 0);
  const keyedBatches = Math.ceil(keys / KEYS_A_BATCH);
  const keyed = idOf(size, keyedBatches, KEYED_OFFSET);
  return [
    {
      sql: `${numbers(batches)} INSERT INTO batches (${BATCH_COLUMNS})
      SELECT ${large("n.i")}, '', ?1, '${LARGE}', 'p' || (n.i % ${producers}), n.i / ${producers} * ${events} + 1,
        (n.i / ${producers} + 1) * ${events}, '', '', ${large("n.i")} / 2048, unhex(?2), ?3, ${large("n.i")} FROM n`,
      values: [tenant, entriesHex(events), payload(events)],
    },
    {
      sql: `${numbers(keyedBatches)} INSERT INTO batches (${BATCH_COLUMNS})
      SELECT ${keyed("n.i")}, '', ?1, '${KEYED}', NULL, NULL, NULL, '', '', ${keyed("n.i")} / 2048, unhex(?2), ?3,
        ${keyed("n.i")} FROM n`,
      values: [tenant, entriesHex(KEYS_A_BATCH), payload(KEYS_A_BATCH)],
    },
    {
      sql: `${numbers(keys)} INSERT INTO keys (key, batch, entry)
      SELECT key, ${keyed(`(i / ${KEYS_A_BATCH})`)}, i % ${KEYS_A_BATCH}
      FROM (SELECT randomblob(16) AS key, i FROM n ORDER BY key)`,
      values: [],
    },
    ...[LARGE, KEYED].map((stream) => ({
      sql: `INSERT INTO index_marks (tenant, stream, seq)
      SELECT ?1, ?2, max(seq) FROM batches WHERE tenant = ?1 AND stream = ?2 AND replay_of IS NULL HAVING max(seq) > 0`,
      values: [tenant, stream],
    })),
  ];
}

/** Calls of ten batches each, delivered at the first attempt. */
function callFillings(
  { tenant }: LedgerSize,
  stream: string,
  firstCall: number,
  id: IdOf,
  count: number,
  events: number,
): Filling[] {
  const call = `n.i / ${BATCHES_A_CALL} + ${firstCall}`;
  return [
    {
      sql: `${numbers(count)} INSERT INTO shipments (id, tenant, stream, context, call_key, parts, events, bytes, state, attempts, created_at)
      SELECT ${call}, ?1, ?2, '', ${call}, json_group_array(json_array(${id("n.i")}, 0, ${events - 1})),
        ${events} * count(*), ${events * 110} * count(*), 'delivered', 1, ${id("n.i")} / 2048
      FROM n GROUP BY ${call}`,
      values: [tenant, stream],
    },
    {
      sql: `${numbers(count)} INSERT INTO shipment_parts (batch, shipment) SELECT ${id("n.i")}, ${call} FROM n`,
      values: [],
    },
    {
      sql: `${numbers(Math.ceil(count / BATCHES_A_CALL))} INSERT INTO attempts (shipment, attempt, at, duration_ms, status, verdict)
      SELECT n.i + ${firstCall}, 1, 0, 10, 200, 'delivered' FROM n`,
      values: [],
    },
  ];
}

/** What was delivered; the last batches wait, and some events in quarantine. */
function fateFillings(size: LedgerSize): Filling[] {
  const { tenant, batches, eventsABatch: events, pending, quarantined, keys } = size;
  const keyedBatches = Math.ceil(keys / KEYS_A_BATCH);
  const large = idOf(size, batches, 0);
  const first = (numberOf(tenant) + 1) * BLOCK;
  const every = Math.max(1, Math.floor((batches - pending) / Math.max(1, quarantined)));
  return [
    ...callFillings(size, LARGE, first, large, batches - pending, events),
    ...callFillings(size, KEYED, first + BLOCK / 2, idOf(size, keyedBatches, KEYED_OFFSET), keyedBatches, KEYS_A_BATCH),
    {
      sql: `${numbers(pending)} INSERT INTO outbox (tenant, stream, batch, context, entries, events, bytes)
      SELECT ?1, '${LARGE}', ${large(`(n.i + ${batches - pending})`)}, '', ${events}, ${events}, ${events * 110} FROM n`,
      values: [tenant],
    },
    {
      sql: `${numbers(quarantined)} INSERT INTO quarantine (number, tenant, stream, producer, batch, entry, event_id, event, context, reasons, created_at, state)
      SELECT n.i + 1, ?1, '${LARGE}', 'p' || (n.i * ${every} % ${size.producers}), ${large(`(n.i * ${every})`)}, 0, 'usev_' || n.i, ?2, '', '[]', 0,
        iif(n.i % 2 = 0, 'open', 'discarded') FROM n`,
      values: [tenant, eventText(0)],
    },
  ];
}

/** So that what tenants have keeps apart: another number for each, below a thousand. */
function numberOf(tenant: string): number {
  let sum = 0;
  for (const char of tenant) sum = (sum * 31 + char.charCodeAt(0)) % 1_000;
  return sum;
}

function countFillings({ tenant, batches, eventsABatch, producers, keys, gaps, pending }: LedgerSize): Filling[] {
  const each = (batches * eventsABatch) / producers;
  const delivered = Math.floor(((batches - pending) * eventsABatch) / producers);
  return [
    {
      sql: `${numbers(producers)} INSERT INTO counters (tenant, stream, producer, accepted, delivered, spans)
      SELECT ?1, '${LARGE}', 'p' || n.i, ${each}, ${delivered}, 1 FROM n`,
      values: [tenant],
    },
    {
      sql: `${numbers(producers)} INSERT INTO ranges (tenant, stream, producer, first, last)
      SELECT ?1, '${LARGE}', 'p' || n.i, 1, ${each} FROM n`,
      values: [tenant],
    },
    {
      sql: `INSERT INTO counters (tenant, stream, producer, accepted, delivered)
      SELECT ?1, '${KEYED}', '', ${keys}, ${keys} WHERE ${keys} > 0`,
      values: [tenant],
    },
    {
      sql: `INSERT INTO counters (tenant, stream, producer, accepted, delivered, spans)
      SELECT ?1, '${LARGE}', '${GAPPY}', ${gaps + 1}, ${gaps + 1}, ${gaps + 1} WHERE ${gaps} > 0`,
      values: [tenant],
    },
    {
      sql: `${numbers(gaps === 0 ? 0 : gaps + 1)} INSERT INTO ranges (tenant, stream, producer, first, last)
      SELECT ?1, '${LARGE}', '${GAPPY}', 2 * n.i + 1, 2 * n.i + 1 FROM n`,
      values: [tenant],
    },
  ];
}

/** Facts of a thousand customers over thirty days, all folded. */
function factFillings({ tenant, facts, now }: LedgerSize): Filling[] {
  const firstDay = Math.floor(now / DAY_MS) - FACT_DAYS;
  const subject = `'[[null,"api-traffic"],[null,"cus_' || (n.i % ${SUBJECTS}) || '"]]'`;
  const at = `(${firstDay} + n.i / ${SUBJECTS} % ${FACT_DAYS}) * ${DAY_MS} + n.i % ${DAY_MS}`;
  return [
    {
      sql: `${numbers(facts)} INSERT INTO facts (tenant, id, subject, at, entry, context, quantities)
      SELECT ?1, n.i + 1, ${subject}, ${at}, 0, '[null,[]]', '[[null,"requests",null,"1"]]' FROM n`,
      values: [tenant],
    },
    {
      sql: `INSERT INTO day_totals (tenant, subject, day, series, sum, least, greatest, count, distinct_values)
      SELECT tenant, subject, at / ${DAY_MS}, '[null,"requests",null,null,[]]', count(*), '1', '1', count(*), '["1"]'
      FROM facts WHERE tenant = ?1 GROUP BY subject, at / ${DAY_MS}`,
      values: [tenant],
    },
    {
      sql: `INSERT INTO usage_progress (tenant, folded, epoch, nonce) SELECT ?1, ${facts}, 0, '' WHERE ${facts} > 0`,
      values: [tenant],
    },
  ];
}
