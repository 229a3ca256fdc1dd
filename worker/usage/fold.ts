/**
 * Folds facts into the totals of their UTC days, behind the requests' backs and in slices.
 *
 * A slice's totals and the mark of how far the tenant is folded move in one transaction, which is void where
 * another fold, a voided fact or a rebuilt day came between: so a fact is in the totals once, or not yet. A crash
 * leaves nothing half done. A day of which a folded fact was voided is made anew from its facts.
 */
import { decimalText } from "../pricing/decimal.ts";
import { jsonArrays } from "./json-arrays.ts";
import { DAY_MS, dayOf, seriesValues } from "./series.ts";
import { bounded, joined, type Tally, tallyOf, tallyOfRow } from "./tally.ts";
import * as SQL from "./usage-sql.ts";

/** Facts of one slice, and of one page of a day made anew. */
const SLICE_FACTS = 1_000;
/** Slices and days of one run; what is left waits for the next. */
const SLICES_MAX = 50;
const DAYS_MAX = 20;
/** Tenants one sweep looks at. */
const TENANTS_MAX = 1_000;

export interface UsageFold {
  /** Folds what a tenant's facts have in waiting, up to a bound; safe to run twice and side by side. */
  fold(tenant: string): Promise<void>;
  /** The same for every tenant that has something waiting. */
  sweep(): Promise<void>;
}

export function createUsageFold(db: D1Database): UsageFold {
  async function fold(tenant: string): Promise<void> {
    for (let slice = 0; slice < SLICES_MAX; slice++) if ((await foldSlice(db, tenant)) === "done") break;
    for (const day of await SQL.DIRTY.all(db, { tenant, count: DAYS_MAX })) await rebuildDay(db, tenant, day);
  }
  return {
    fold,
    async sweep() {
      for (const { tenant } of await SQL.WAITING.all(db, { count: TENANTS_MAX })) await fold(tenant);
    },
  };
}

/** By JSON texts of subject, day and series. */
type Totals = Map<string, { readonly place: Place; readonly tally: Tally }>;
type Place = Pick<SQL.TotalRow, "subject" | "day" | "series">;

async function foldSlice(db: D1Database, tenant: string): Promise<"more" | "done"> {
  const [progressRows, factRows] = await db.batch([
    SQL.PROGRESS.bind(db, { tenant }),
    SQL.NEXT_FACTS.bind(db, { tenant, count: SLICE_FACTS }),
  ]);
  const facts = SQL.NEXT_FACTS.rows(factRows);
  const last = facts.at(-1);
  if (last === undefined) return "done";
  const [progress] = SQL.PROGRESS.rows(progressRows);
  if (progress === undefined) {
    await SQL.BEGIN.bind(db, { tenant }).run();
    return "more";
  }
  const added = totalsOf(facts.filter((fact) => fact.void === 0));
  const places = `[${[...added.values()].map(({ place }) => `[${placeJson(place)}]`).join(",")}]`;
  for (const row of await SQL.TOTALS_OF.all(db, { tenant, places })) {
    const found = added.get(placeJson(row));
    if (found !== undefined) added.set(placeJson(row), { ...found, tally: joined([tallyOfRow(row), found.tally]) });
  }
  const isFolded = await commit(db, tenant, progress, { folded: last.id, epoch: progress.epoch }, added);
  return isFolded && facts.length < SLICE_FACTS ? "done" : "more";
}

async function rebuildDay(db: D1Database, tenant: string, { subject, day }: SQL.SubjectDay): Promise<void> {
  const progress = await SQL.PROGRESS.first(db, { tenant });
  if (progress === null) return;
  const totals: Totals = new Map();
  const page = { tenant, subject, before: (day + 1) * DAY_MS, count: SLICE_FACTS };
  let after = { afterAt: day * DAY_MS - 1, afterId: Number.MAX_SAFE_INTEGER };
  for (;;) {
    const facts = await SQL.FACTS_OF_DAY.all(db, { ...page, ...after });
    for (const [key, { place, tally }] of totalsOf(facts)) {
      const before = totals.get(key)?.tally;
      totals.set(key, { place, tally: before === undefined ? tally : bounded(joined([before, tally])) });
    }
    const last = facts.at(-1);
    if (last === undefined || facts.length < SLICE_FACTS) break;
    after = { afterAt: last.at, afterId: last.id };
  }
  await commit(db, tenant, progress, { ...progress, epoch: progress.epoch + 1 }, totals, { subject, day });
}

/** @returns false, and nothing is written, where something came between the reading and this. */
async function commit(
  db: D1Database,
  tenant: string,
  from: SQL.Progress,
  to: SQL.Progress,
  totals: Totals,
  rebuilt: SQL.SubjectDay | null = null,
): Promise<boolean> {
  const claim = { tenant, nonce: crypto.randomUUID() };
  const steps = { foldedBefore: from.folded, epochBefore: from.epoch, folded: to.folded, epoch: to.epoch };
  const [advanced] = await db.batch([
    SQL.ADVANCE.bind(db, { ...claim, ...steps }),
    ...(rebuilt === null ? [] : [SQL.DROP_TOTALS.bind(db, { ...claim, ...rebuilt })]),
    ...rowTexts(totals).map((rows) => SQL.PUT_TOTALS.bind(db, { ...claim, totals: rows })),
    ...(rebuilt === null ? [] : [SQL.CLEAN.bind(db, { ...claim, ...rebuilt })]),
  ]);
  return (advanced?.meta.changes ?? 0) > 0;
}

function totalsOf(facts: readonly SQL.ReadFact[]): Totals {
  const values = facts.flatMap((fact) =>
    seriesValues(fact).map(({ series, value }) => ({
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
