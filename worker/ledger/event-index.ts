/**
 * Keeps the index of events that only their producer's position makes known, behind the requests' backs and in slices.
 *
 * A slice's entries and the marks of how far its streams are indexed move in one transaction, and so do a part's blocks
 * and what they are cut into; each is void where another change of the tenant's index came between. So an event is in
 * the index, or behind its stream's mark, and a crash leaves nothing half done. The marks go by `seq`, which rises with
 * every commit: a batch that commits late is behind them.
 */
import { kindOf } from "../../shared/events/kind.ts";
import { PositionDigits } from "../../shared/identity.ts";
import { createBudget, type StatementBudget } from "../database/statement-budget.ts";
import { logFailure } from "../log.ts";
import { Remembered } from "../remembered.ts";
import { jsonArrays } from "../usage/json-arrays.ts";
import { ENTRY_STATUS, entrySpans } from "./entries.ts";
import { blockText, FANOUT, type IndexEntry, LEVEL_MAX, splitBlocks } from "./index-entries.ts";
import * as SQL from "./index-sql.ts";
import { mayLackOwnId } from "./ordinal.ts";
import { rowIdTime } from "./row-id.ts";

/** A slice has so many events, about; fewer wait for more of them, so that a block is worth its row. */
const SLICE_EVENTS_MAX = 8_192;
const SLICE_EVENTS_MIN = 2_048;
/** Batches looked at for one slice, of all streams together; so many are a slice however few their events. */
export const SLICE_BATCHES = 1_000;
/** Streams of one slice. */
export const SLICE_STREAMS = 50;
/** What waits so long is a slice however little it is. */
const WAIT_MS_MAX = 600_000;
/** Slices, and parts cut, in one run for a tenant. */
const STEPS_MAX = 8;
/** Streams and tenants that one sweep looks at and works for. */
const SWEEP_STREAMS = 20_000;
const SWEEP_TENANTS = 20;
/** Steps of one sweep, of seven statements about: what is left waits for the next. */
const SWEEP_STEPS = 30;
/** A step takes no more. */
const STEP_STATEMENTS = 24;
/** A nudge runs it for a tenant once in so long an instance. */
const FOLLOW_MS = 5_000;

export interface EventIndex {
  /**
   * Takes up what a tenant has in waiting, where this instance did not do so just now. Never fails: the sweep comes.
   * @param budget of the whole invocation; its own where it does nothing else.
   * @returns whether the budget stopped it.
   */
  follow(tenant: string, now: number, budget?: StatementBudget): Promise<boolean>;
  /** The same for tenants that have something waiting, a bounded number at a time. @returns who was stopped. */
  sweep(now: number, budget?: StatementBudget): Promise<string[]>;
}

export function createEventIndex(db: D1Database): EventIndex {
  const followed = new Remembered<true>(1_000);
  /** Where the last sweep stopped: with more tenants than one sweep works for, each has its turn. */
  let sweptTo = "";

  /** One tenant's trouble stops no other's. @returns how many steps it took, and whether the budget stopped it. */
  async function run(
    tenant: string,
    now: number,
    budget: StatementBudget,
  ): Promise<{ readonly steps: number; readonly isStopped: boolean }> {
    let steps = 0;
    const isStopped = () => !budget.has(STEP_STATEMENTS);
    try {
      for (let slice = 0; slice < STEPS_MAX && !isStopped(); slice++, steps++)
        if (!(await addSlice(budget.db, tenant, now))) break;
      for (let split = 0; split < STEPS_MAX && !isStopped(); split++, steps++)
        if (!(await splitOne(budget.db, tenant))) break;
    } catch (cause) {
      logFailure("events could not be indexed; the sweep tries again", cause, { tenant });
    }
    return { steps, isStopped: isStopped() };
  }

  return {
    async follow(tenant, now, budget = createBudget(db)) {
      if (followed.get(tenant, now)) return false;
      followed.set(tenant, true, now + FOLLOW_MS);
      const { isStopped } = await run(tenant, now, budget);
      if (isStopped) followed.delete(tenant);
      return isStopped;
    },
    async sweep(now, budget = createBudget(db)) {
      const tenants = await waitingTenants(budget.db, sweptTo);
      let steps = 0;
      for (const tenant of tenants) {
        const ran = await run(tenant, now, budget);
        steps += ran.steps;
        sweptTo = tenant;
        if (ran.isStopped) return [tenant];
        if (steps >= SWEEP_STEPS) return [];
      }
      if (tenants.length < SWEEP_TENANTS) sweptTo = "";
      return [];
    },
  };
}

/** No tenant's name comes behind it. */
const LAST_TENANT = "\u{10FFFF}";

async function waitingTenants(db: D1Database, behind: string): Promise<string[]> {
  // Behind all streams of the tenant where the last sweep stopped.
  const from = behind === "" ? { tenant: "", stream: "" } : { tenant: behind, stream: LAST_TENANT };
  const bounds = { lastTenant: LAST_TENANT, visits: SWEEP_STREAMS, count: SWEEP_STREAMS };
  const found = await SQL.WAITING.all(db, { ...from, ...bounds });
  return [...new Set(found.map(({ tenant }) => tenant))].slice(0, SWEEP_TENANTS);
}

/** Streams of a tenant that have batches behind their marks. */
export function waitingOf(db: D1Database, tenant: string): D1PreparedStatement {
  const of = { tenant, stream: "", lastTenant: tenant };
  return SQL.WAITING.bind(db, { ...of, visits: SWEEP_STREAMS, count: SLICE_STREAMS });
}

interface Slice {
  readonly batches: readonly SQL.WaitingBatch[];
  readonly events: number;
  /** Nothing waits behind it. */
  readonly isAll: boolean;
}

/** @returns whether there may be more. */
async function addSlice(db: D1Database, tenant: string, now: number): Promise<boolean> {
  const [waitingRows, progressRows] = await db.batch([waitingOf(db, tenant), SQL.PROGRESS.bind(db, { tenant })]);
  const waiting = SQL.WAITING.rows(waitingRows);
  if (waiting.length === 0) return false;
  const [progress] = SQL.PROGRESS.rows(progressRows);
  if (progress === undefined) {
    await SQL.BEGIN.bind(db, { tenant }).run();
    return true;
  }
  const slice = await nextSlice(db, tenant, waiting);
  if (slice.isAll && slice.events < SLICE_EVENTS_MIN && slice.batches.length < SLICE_BATCHES) {
    const oldest = Math.min(...slice.batches.map(({ seq }) => rowIdTime(seq)));
    if (now - oldest < WAIT_MS_MAX) return false;
  }
  const entries = await entriesOf(db, slice.batches);
  const marks = [...Map.groupBy(slice.batches, ({ stream }) => stream)].map(([stream, batches]) => [
    stream,
    Math.max(...batches.map(({ seq }) => seq)),
  ]);
  const change = { tenant, nonce: crypto.randomUUID() };
  const block = { level: 0, version: progress.version, blocks: JSON.stringify([[0, blockText(entries)]]) };
  await db.batch([
    SQL.ADVANCE.bind(db, { ...change, ...progress }),
    ...(entries.length === 0 ? [] : [SQL.PUT_BLOCKS.bind(db, { ...change, ...block })]),
    SQL.PUT_MARKS.bind(db, { ...change, marks: JSON.stringify(marks) }),
  ]);
  return !slice.isAll;
}

/** Of each stream the batches that follow its mark, without a hole; together about as many events as a block holds. */
async function nextSlice(db: D1Database, tenant: string, waiting: readonly SQL.WaitingStream[]): Promise<Slice> {
  const marks = JSON.stringify(waiting.map(({ stream, mark }) => [stream, mark]));
  const count = Math.max(1, Math.floor(SLICE_BATCHES / waiting.length));
  const rows = await SQL.NEXT.all(db, { tenant, marks, count });
  const batches: SQL.WaitingBatch[] = [];
  let events = 0;
  for (const batch of rows.sort((a, b) => a.seq - b.seq)) {
    if (events >= SLICE_EVENTS_MAX) return { batches, events, isAll: false };
    batches.push(batch);
    events += positionsOf(batch).length;
  }
  const isFull = [...Map.groupBy(rows, ({ stream }) => stream).values()].some((share) => share.length === count);
  return { batches, events, isAll: !isFull && waiting.length < SLICE_STREAMS };
}

/** The positions of a batch whose events nothing else may make known. */
export function positionsOf({ first, last }: Pick<SQL.WaitingBatch, "first" | "last">): {
  readonly first: number;
  readonly length: number;
} {
  return first === null || last === null ? { first: 0, length: 0 } : { first, length: last - first + 1 };
}

async function entriesOf(db: D1Database, batches: readonly SQL.WaitingBatch[]): Promise<IndexEntry[]> {
  const mixed = batches.filter((batch) => batch.own_ids === 1 && batch.first !== null).map(({ id }) => id);
  const held = mixed.length === 0 ? [] : await SQL.ENTRIES.all(db, { batches: JSON.stringify(mixed) });
  const spans = new Map(held.map(({ id, entries }) => [id, entrySpans(entries)]));
  return batches.flatMap((batch) => {
    const { id, stream, producer } = batch;
    if (producer === null) return [];
    const kind = kindOf(stream);
    const digitsOf = new PositionDigits(kind, stream, producer);
    const { first, length } = positionsOf(batch);
    const entries: IndexEntry[] = [];
    for (let entry = 0; entry < length; entry++) {
      const span = spans.get(id)?.[entry];
      if (span !== undefined && !(mayLackOwnId(span.ordinal) && span.status !== ENTRY_STATUS.positionOnly)) continue;
      entries.push({ digits: digitsOf.of(first + entry), batch: id, entry });
    }
    return entries;
  });
}

type Parts = readonly [level: number, first: number, last: number];
const ALL_OF_LEVEL_0: Parts = [0, 0, 0];

/**
 * Cuts one part that has enough blocks into those of the next level.
 * @returns whether there may be another.
 */
async function splitOne(db: D1Database, tenant: string): Promise<boolean> {
  const progress = await SQL.PROGRESS.first(db, { tenant });
  if (progress === null) return false;
  const splits: Parts[] = JSON.parse(progress.splits);
  for (;;) {
    const [level, first, last] = splits.at(-1) ?? ALL_OF_LEVEL_0;
    const full = await SQL.FULL.first(db, { tenant, level, first, last, blocks: FANOUT });
    if (full !== null) {
      await split(db, tenant, { level, part: full.part }, progress.version, splits);
      return true;
    }
    if (splits.pop() === undefined) break;
  }
  if (progress.splits !== "[]") {
    await SQL.ADVANCE.bind(db, { tenant, nonce: crypto.randomUUID(), version: progress.version, splits: "[]" }).run();
  }
  return false;
}

async function split(
  db: D1Database,
  tenant: string,
  of: { readonly level: number; readonly part: number },
  version: number,
  splits: readonly Parts[],
): Promise<void> {
  const blocks = await SQL.BLOCKS.all(db, { tenant, ...of, count: FANOUT });
  const level = of.level + 1;
  const children = splitBlocks(
    blocks.map(({ entries }) => entries),
    level,
  );
  const change = { tenant, nonce: crypto.randomUUID() };
  const below: readonly Parts[] = level < LEVEL_MAX ? [[level, of.part * FANOUT, of.part * FANOUT + FANOUT - 1]] : [];
  const versions = JSON.stringify(blocks.map((block) => block.version));
  const texts = [...children].map((child) => JSON.stringify(child));
  await db.batch([
    SQL.ADVANCE.bind(db, { ...change, version, splits: JSON.stringify([...splits, ...below]) }),
    ...jsonArrays(texts).map((part) => SQL.PUT_BLOCKS.bind(db, { ...change, level, version, blocks: part })),
    SQL.DROP_BLOCKS.bind(db, { ...change, ...of, versions }),
  ]);
}
