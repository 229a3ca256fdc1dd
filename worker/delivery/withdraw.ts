/**
 * Takes what waits into quarantine, on a person's word: there it can be corrected, sent again or discarded. A call is
 * taken as a sender takes it, by a lease, and settled by one transaction that looks for it: what is in flight stays,
 * and no sender and no withdrawal counts an event twice.
 */
import type { CallLimits } from "../../shared/vendors/vendor.ts";
import { type Writer, writeAs } from "../database/key-gate.ts";
import { ENTRY_STATUS, entrySpans } from "../ledger/entries.ts";
import { storedEventId } from "../ledger/stored-event.ts";
import type { HoldChange } from "./holds.ts";
import { packing } from "./leases.ts";
import type { Part } from "./pack.ts";
import { type Account, type Lane, laneScopes } from "./scopes.ts";
import { partsOf } from "./shipment.ts";
import * as SQL from "./withdraw-sql.ts";

export interface Withdrawal {
  readonly withdrawn: number;
  readonly remaining: number;
  /** Holds that ended with it. */
  readonly ended: readonly HoldChange[];
}

/** A lane that waits, and how its calls are made. */
export interface WaitingLane {
  readonly lane: Lane;
  readonly account: Account;
  readonly limits: CallLimits;
}

/** Of one withdrawal, about: the last call may go beyond. */
const EVENTS_MAX = 10_000;
const ROUNDS_MAX = 50;
/** Calls of one event each that are taken together. */
const SINGLES_MAX = 200;
const ROWS_MAX = 400;
/** How long a withdrawal may take between taking and settling; after it a sender may have the call. */
const LEASE_MS = 60_000;
/** Characters of events in one statement's value, which D1 bounds to 2 MB. */
const VALUE_CHARS_MAX = 1_000_000;
const REASON_CHARS = 500;

/**
 * @param writer the key it is done with, as of now: each transaction looks at it.
 * @throws KeyEndedError where it ends.
 */
export async function withdrawLanes(
  db: D1Database,
  lanes: readonly WaitingLane[],
  range: SQL.Range,
  writer: () => Writer,
): Promise<Withdrawal> {
  let withdrawn = 0;
  let rounds = 0;
  const ended: HoldChange[] = [];
  for (const of of lanes) {
    const { laneScope } = laneScopes(of.account, of.lane);
    while (withdrawn < EVENTS_MAX && rounds++ < ROUNDS_MAX) {
      const calls = await take(db, of, range, writer());
      if (calls.length === 0) break;
      withdrawn += await settle(db, of, calls, writer());
    }
    const [gone] = await writeAs(db, writer(), [SQL.END_HOLD.bind(db, { ...of.lane, laneScope })]);
    ended.push(...SQL.END_HOLD.rows(gone).map((hold) => ({ kind: "ended" as const, hold })));
  }
  const left = await Promise.all(lanes.map(({ lane }) => SQL.REMAINING.first(db, { ...lane, ...range })));
  return { withdrawn, remaining: left.reduce((sum, row) => sum + (row?.events ?? 0), 0), ended };
}

/** Fixed calls first, then what is packed for it. */
async function take(
  db: D1Database,
  { lane, limits }: WaitingLane,
  range: SQL.Range,
  writer: Writer,
): Promise<SQL.TakenCall[]> {
  const { now } = writer;
  const isSingle = limits.eventsMax === 1;
  const taking = SQL.TAKE.bind(db, {
    ...{ ...lane, ...range, now },
    leaseUntil: now + LEASE_MS,
    count: isSingle ? SINGLES_MAX : 1,
  });
  const [taken, waiting] = await writeAs(db, writer, [
    taking,
    SQL.UNPACKED.bind(db, { ...lane, ...range, probing: isSingle ? 0 : 1, count: ROWS_MAX }),
  ]);
  const calls = SQL.TAKE.rows(taken);
  const unpacked = SQL.UNPACKED.rows(waiting);
  if (calls.length > 0 || unpacked.length === 0) return calls;
  const { statements } = await packing(db, lane, now, unpacked, limits, SINGLES_MAX);
  const results = await writeAs(db, writer, [...statements, taking]);
  return SQL.TAKE.rows(results.at(-1));
}

interface HeldEvent {
  readonly producer: string;
  readonly event: string;
  /** As ADD and REOPEN read it; of what a replay sent again with its quarantine entry. */
  readonly row: readonly [producer: string, batch: number, entry: number, eventId: string, origin: number | null];
}

/** @returns how many events went into quarantine: all of them, or none where a sender has the calls meanwhile. */
async function settle(
  db: D1Database,
  { lane, account }: WaitingLane,
  calls: readonly SQL.TakenCall[],
  writer: Writer,
): Promise<number> {
  const { tenant, stream, context } = lane;
  const held = await eventsOf(db, stream, calls);
  const hold = await SQL.REASON.first(db, laneScopes(account, lane));
  const taken = { calls: JSON.stringify(calls.map(({ id, attempts }) => [id, attempts])), callCount: calls.length };
  const why = {
    reasons: reasonsJson(hold?.status ?? 0, hold?.reason ?? "", calls),
    upstream: hold?.reason ?? "",
    now: writer.now,
  };
  const results = await writeAs(db, writer, [
    ...valuesOf(held.filter(({ row }) => row[4] === null)).map((value) =>
      SQL.ADD.bind(db, { ...taken, tenant, stream, context, ...why, ...value }),
    ),
    ...reopenStatements(db, taken, held, { context, reasons: why.reasons, upstream: why.upstream }),
    ...[...countsOf(held)].map(([producer, events]) =>
      SQL.COUNT.bind(db, { ...taken, tenant, stream, producer, events }),
    ),
    SQL.SETTLE_GROUPS.bind(db, { ...taken, tenant }),
    SQL.CLOSE.bind(db, taken),
  ]);
  return results.at(-1)?.meta.changes === calls.length ? held.length : 0;
}

async function eventsOf(db: D1Database, stream: string, calls: readonly SQL.TakenCall[]): Promise<HeldEvent[]> {
  const parts = calls.flatMap((call) => partsOf(call.parts));
  const batches = JSON.stringify([...new Set(parts.map(({ batch }) => batch))]);
  const rows = new Map((await SQL.BATCHES.all(db, { batches })).map((row) => [row.id, row]));
  return parts.flatMap((part) => eventsOfPart(stream, part, rows.get(part.batch)));
}

type Batch = ReturnType<(typeof SQL.BATCHES)["rows"]>[number];

function eventsOfPart(stream: string, { batch, from, to }: Part, row: Batch | undefined): HeldEvent[] {
  if (row === undefined) throw new Error(`batch ${batch} is not in the ledger`);
  const producer = row.producer ?? "";
  return entrySpans(row.entries).flatMap((span, entry): HeldEvent[] => {
    if (entry < from || entry > to || span.status !== ENTRY_STATUS.stored) return [];
    const event = row.payload.slice(span.start, span.end);
    const id = row.origin_id ?? storedEventId(stream, row, entry, span.ordinal, event);
    const place = [row.origin_batch ?? batch, row.origin_entry ?? entry] as const;
    return [{ producer, event, row: [producer, ...place, id, row.origin] }];
  });
}

/** The text of what was sent again is in that replay's batch: its entry needs it no second time. */
function reopenStatements(
  db: D1Database,
  taken: SQL.Taken,
  held: readonly HeldEvent[],
  why: { readonly context: string; readonly reasons: string; readonly upstream: string },
): D1PreparedStatement[] {
  const origins = held.flatMap(({ row }) => row[4] ?? []);
  return origins.length === 0 ? [] : [SQL.REOPEN.bind(db, { ...taken, origins: JSON.stringify(origins), ...why })];
}

/** In pieces that a statement takes; what is large by itself is bound by itself. */
function valuesOf(held: readonly HeldEvent[]): { held: string; event: string | null }[] {
  const values: { held: string; event: string | null }[] = [];
  let rows: string[] = [];
  let chars = 0;
  const cut = () => {
    if (rows.length > 0) values.push({ held: `[${rows.join(",")}]`, event: null });
    rows = [];
    chars = 0;
  };
  for (const { row, event } of held) {
    const text = JSON.stringify([...row, event]);
    if (text.length > VALUE_CHARS_MAX / 2) {
      values.push({ held: JSON.stringify([row]), event });
      continue;
    }
    if (chars + text.length > VALUE_CHARS_MAX / 2) cut();
    rows.push(text);
    chars += text.length + 1;
  }
  cut();
  return values;
}

function countsOf(held: readonly HeldEvent[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { producer } of held) counts.set(producer, (counts.get(producer) ?? 0) + 1);
  return counts;
}

function reasonsJson(status: number, reason: string, calls: readonly SQL.TakenCall[]): string {
  const reasons = [{ code: status, message: `withdrawn while it waited: ${reason.slice(0, REASON_CHARS)}` }];
  if (calls.some((call) => call.outcome_unknown === 1)) {
    reasons.push({ code: 0, message: "an attempt to send it got no answer: the upstream may have it already" });
  }
  return JSON.stringify(reasons);
}
