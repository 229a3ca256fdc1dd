/**
 * Folds facts into the totals of their UTC days, behind the requests' backs and in slices.
 *
 * A slice's totals and the mark of how far the tenant is folded move in one transaction, which is void where
 * another fold, a voided fact or a rebuilt day came between: so a fact is in the totals once, or not yet. A crash
 * leaves nothing half done. A day of which a folded fact was voided is made anew from its facts.
 */
import type { WallClock } from "../../shared/clock.ts";
import { createBudget, type StatementBudget } from "../database/statement-budget.ts";
import { decimalText } from "../pricing/decimal.ts";
import { Remembered } from "../remembered.ts";
import { jsonArrays } from "./json-arrays.ts";
import { type Contexts, DAY_MS, dayOf, seriesValues } from "./series.ts";
import { bounded, joined, type Tally, tallyOf, tallyOfRow } from "./tally.ts";
import * as SQL from "./usage-sql.ts";

/** Facts of one slice, and of one page of a day made anew; of large ones fewer. */
const PAGE = { count: 1_000, weightMax: 4_000_000 } as const;
/** Totals of a day made anew, which all stand in memory at once. */
const DAY_TOTALS_MAX = 20_000;
/** Slices and days of one run; what is left waits for the next. */
const SLICES_MAX = 50;
const DAYS_MAX = 20;
/** A message folds a tenant's once in so long an instance. */
const FOLLOW_MS = 2_000;
/** Tenants one sweep looks at. */
const TENANTS_MAX = 1_000;
/** A tenant whose folding fails is left alone for so long, twice as long each time. */
const ASIDE_MS = { baseMs: 10_000, maxMs: 3_600_000 } as const;
/** Characters kept of why it failed. */
const FAILURE_MAX = 200;

export interface UsageFold {
  /**
   * Folds what a tenant's facts have in waiting, up to a bound; safe to run twice and side by side. Where that fails the
   * tenant is set aside for a while, and told of; it never throws, for nobody else's work may wait for it.
   * @param budget of the whole invocation; its own where it does nothing else.
   * @returns whether it stopped before all was folded.
   */
  fold(tenant: string, budget?: StatementBudget): Promise<boolean>;
  /** The same where this instance did not fold all that the tenant had just now: who calculates reads what is not folded. */
  follow(tenant: string, budget: StatementBudget): Promise<boolean>;
  /** The same for every tenant that has something waiting. @returns those of which something is left. */
  sweep(budget?: StatementBudget): Promise<string[]>;
  /** How many tenants are set aside. */
  setAside(): Promise<number>;
}

/** A slice takes no more, and a day mostly not, one of its pages each: it is not cut. */
const SLICE_STATEMENTS = 30;
const DAY_STATEMENTS = 60;

/** Tells those who run this of a failure. */
export type TellFailure = (message: string, error: unknown, context: Record<string, unknown>) => void;

export function createUsageFold(db: D1Database, clock: WallClock, tell: TellFailure): UsageFold {
  /** @returns whether there may be more. */
  async function foldSome(tenant: string, budget: StatementBudget): Promise<boolean> {
    for (let slice = 0; ; slice++) {
      if (slice === SLICES_MAX || !budget.has(SLICE_STATEMENTS)) return true;
      if ((await foldSlice(budget.db, tenant, clock.now())) === "done") break;
    }
    const days = await SQL.DIRTY.all(budget.db, { tenant, count: DAYS_MAX });
    for (const day of days) {
      if (!budget.has(DAY_STATEMENTS)) return true;
      await rebuildDay(budget.db, tenant, day);
    }
    return days.length === DAYS_MAX;
  }
  async function fold(tenant: string, budget = createBudget(db)): Promise<boolean> {
    try {
      return await foldSome(tenant, budget);
    } catch (error) {
      await setAside({ db: budget.db, tell }, tenant, clock.now(), error);
      return false;
    }
  }
  const followed = new Remembered<true>(TENANTS_MAX);
  return {
    fold,
    async follow(tenant, budget) {
      if (followed.get(tenant, clock.now())) return false;
      const isLeft = await fold(tenant, budget);
      if (!isLeft) followed.set(tenant, true, clock.now() + FOLLOW_MS);
      return isLeft;
    },
    async sweep(budget = createBudget(db)) {
      const left: string[] = [];
      for (const { tenant } of await SQL.WAITING.all(budget.db, { now: clock.now(), count: TENANTS_MAX })) {
        if (!budget.has(SLICE_STATEMENTS) || (await fold(tenant, budget))) left.push(tenant);
      }
      return left;
    },
    async setAside() {
      return (await SQL.ASIDE_COUNT.first(db, {}))?.tenants ?? 0;
    },
  };
}

async function setAside(
  { db, tell }: { readonly db: D1Database; readonly tell: TellFailure },
  tenant: string,
  now: number,
  error: unknown,
): Promise<void> {
  const message = "a tenant's usage could not be folded; it is set aside, and its calculations read it event by event";
  const failure = String(error).slice(0, FAILURE_MAX);
  try {
    const row = await SQL.SET_ASIDE.first(db, { tenant, failure, now, ...ASIDE_MS });
    const until = row === null ? null : new Date(row.aside_until).toISOString();
    tell(message, error, { tenant, failures: row?.failures ?? null, until });
  } catch (cause) {
    tell("a tenant's usage could not be folded, nor set aside", cause, { tenant });
  }
}

/** By JSON texts of subject, day and series. */
type Totals = Map<string, { readonly place: Place; readonly tally: Tally }>;
type Place = Pick<SQL.TotalRow, "subject" | "day" | "series">;

async function foldSlice(db: D1Database, tenant: string, now: number): Promise<"more" | "done"> {
  const [progressRows, factRows] = await db.batch([
    SQL.PROGRESS.bind(db, { tenant }),
    SQL.NEXT_FACTS.bind(db, { tenant, ...PAGE }),
  ]);
  const facts = SQL.NEXT_FACTS.rows(factRows);
  const last = facts.at(-1);
  if (last === undefined) return "done";
  const [progress] = SQL.PROGRESS.rows(progressRows);
  if (progress === undefined) {
    await SQL.BEGIN.bind(db, { tenant }).run();
    return "more";
  }
  if (progress.aside_until > now) return "done";
  const contexts: Contexts = new Map();
  const added = totalsOf(
    facts.filter((fact) => fact.void === 0),
    contexts,
  );
  const places = `[${[...added.values()].map(({ place }) => `[${placeJson(place)}]`).join(",")}]`;
  for (const row of await SQL.TOTALS_OF.all(db, { tenant, places })) {
    const found = added.get(placeJson(row));
    if (found !== undefined) added.set(placeJson(row), { ...found, tally: joined([tallyOfRow(row), found.tally]) });
  }
  const to = { folded: last.id, epoch: progress.epoch };
  const isFolded = await commit(db, tenant, { from: progress, to, totals: added, contexts });
  return isFolded && isLastPage(facts) ? "done" : "more";
}

/** Neither its number of facts nor their weight cut it. */
function isLastPage(facts: readonly SQL.PagedFact[]): boolean {
  return facts.length < PAGE.count && facts.length === (facts[0]?.seen ?? 0);
}

async function rebuildDay(db: D1Database, tenant: string, { subject, day }: SQL.SubjectDay): Promise<void> {
  const progress = await SQL.PROGRESS.first(db, { tenant });
  if (progress === null) return;
  const totals: Totals = new Map();
  const contexts: Contexts = new Map();
  const page = { tenant, subject, before: (day + 1) * DAY_MS, ...PAGE };
  let after = { afterAt: day * DAY_MS - 1, afterId: Number.MAX_SAFE_INTEGER };
  for (;;) {
    const facts = await SQL.FACTS_OF_DAY.all(db, { ...page, ...after });
    for (const [key, { place, tally }] of totalsOf(facts, contexts)) {
      const before = totals.get(key)?.tally;
      totals.set(key, { place, tally: before === undefined ? tally : bounded(joined([before, tally])) });
    }
    if (totals.size > DAY_TOTALS_MAX) throw new Error(`a day has more than ${DAY_TOTALS_MAX} series to be made anew`);
    const last = facts.at(-1);
    if (last === undefined || isLastPage(facts)) break;
    after = { afterAt: last.at, afterId: last.id };
  }
  const to = { folded: progress.folded, epoch: progress.epoch + 1 };
  await commit(db, tenant, { from: progress, to, totals, contexts, rebuilt: { subject, day } });
}

interface Folding {
  readonly from: SQL.Progress;
  readonly to: SQL.Progress;
  readonly totals: Totals;
  /** That their series name by hashes. */
  readonly contexts: Contexts;
  readonly rebuilt?: SQL.SubjectDay;
}

/** @returns false, and nothing is written, where something came between the reading and this. */
async function commit(
  db: D1Database,
  tenant: string,
  { from, to, totals, contexts, rebuilt }: Folding,
): Promise<boolean> {
  const claim = { tenant, nonce: crypto.randomUUID() };
  const steps = { foldedBefore: from.folded, epochBefore: from.epoch, folded: to.folded, epoch: to.epoch };
  const contextRows = jsonArrays([...contexts].map(([hash, context]) => `["${hash}",${context}]`));
  const [advanced] = await db.batch([
    SQL.ADVANCE.bind(db, { ...claim, ...steps }),
    ...(rebuilt === undefined ? [] : [SQL.DROP_TOTALS.bind(db, { ...claim, ...rebuilt })]),
    ...contextRows.map((rows) => SQL.PUT_CONTEXTS.bind(db, { ...claim, contexts: rows })),
    ...rowTexts(totals).map((rows) => SQL.PUT_TOTALS.bind(db, { ...claim, totals: rows })),
    ...(rebuilt === undefined ? [] : [SQL.CLEAN.bind(db, { ...claim, ...rebuilt })]),
  ]);
  return (advanced?.meta.changes ?? 0) > 0;
}

/** @param contexts gets those that the series name by their hashes. */
function totalsOf(facts: readonly SQL.ReadFact[], contexts: Contexts): Totals {
  const values = facts.flatMap((fact) =>
    seriesValues(fact, contexts).map(({ series, value }) => ({
      place: { subject: fact.subject, day: dayOf(fact.at), series },
      value,
    })),
  );
  const totals: Totals = new Map();
  for (const [key, group] of Map.groupBy(values, ({ place }) => placeJson(place))) {
    const [first] = group;
    if (first !== undefined) totals.set(key, { place: first.place, tally: tallyOf(group.map(({ value }) => value)) });
  }
  return totals;
}

/** Members of a JSON array; subject and series are JSON already. */
function placeJson({ subject, day, series }: Place): string {
  return `${subject},${day},${series}`;
}

function rowTexts(totals: Totals): string[] {
  return jsonArrays([...totals.values()].map(({ place, tally }) => rowText(place, bounded(tally))));
}

function rowText(place: Place, { sum, least, greatest, count, distinct }: Tally): string {
  if (least === null || greatest === null) throw new Error("totals of nothing");
  const figures = [decimalText(sum), decimalText(least), decimalText(greatest), count];
  const values = distinct === null ? "null" : JSON.stringify([...distinct]);
  return `[${placeJson(place)},${figures.map((figure) => JSON.stringify(figure)).join(",")},${values}]`;
}
