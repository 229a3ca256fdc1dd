/**
 * A plan as the statements of its one transaction. Their number follows from the bytes of a request, not from how many
 * rows or runs of positions its events make: what is small goes by the thousand.
 */
import { jsonArrays } from "../usage/json-arrays.ts";
import { factJson } from "./fact.ts";
import * as FACTS from "./facts-sql.ts";
import * as SQL from "./filing-sql.ts";
import type { Filing } from "./ledger.ts";
import type { Plan, PlannedRow } from "./plan.ts";

/** For a plan that files nothing. */
export function countOnly(db: D1Database, filing: Filing, plan: Plan, now: number): D1PreparedStatement {
  return SQL.COUNT_ONLY.bind(db, { ...counterColumns(filing, plan), ...gateOf(filing, now) });
}

/** A row to be, with its id. */
interface NumberedRow extends PlannedRow {
  readonly id: number;
}

/** The first of them claims: its changes say whether the transaction did anything. */
export function filingStatements(
  db: D1Database,
  filing: Filing,
  plan: Plan,
  claim: SQL.Claim,
  now: number,
): D1PreparedStatement[] {
  const rows = plan.rows.map((row, i): NumberedRow => ({ ...row, id: claim.claimId + i }));
  const groups = JSON.stringify(plan.groups);
  return [
    ...batchStatements(db, filing, plan, rows, claim, now),
    ...keyStatements(db, rows, claim),
    ...outboxStatements(db, filing, rows, claim),
    ...quarantineStatements(db, filing, rows, claim, now),
    ...factStatements(db, filing, rows, claim),
    ...(plan.groups.length === 0 ? [] : [SQL.GROUPS.bind(db, { ...claim, tenant: filing.tenant, groups })]),
    ...countingStatements(db, filing, plan, claim),
  ];
}

function gateOf({ apiKeyId, catalogVersion, owner, isListed }: Filing, now: number) {
  return { apiKeyId, catalogVersion, owner, isListed: isListed ? (1 as const) : (0 as const), now };
}

/** A row or event of so many bytes, about, is bound by itself: as JSON it would be copied twice, and may be twice as long. */
const LARGE_ROW = 65_536;

/** The claim, then the other rows in their order: large ones by themselves, small ones together. */
function batchStatements(
  db: D1Database,
  filing: Filing,
  plan: Plan,
  [first, ...further]: readonly NumberedRow[],
  claim: SQL.Claim,
  now: number,
): D1PreparedStatement[] {
  if (first === undefined) return [];
  const common = commonColumns(filing, claim);
  const gate = { ...gateOf(filing, now), runs: JSON.stringify(plan.runs), groups: closedGroups(plan) };
  const statements = [SQL.CLAIM.bind(db, { ...common, ...ownColumns(filing, first), ...gate })];
  const { nonce: _, ...shared } = common;
  let small: string[] = [];
  const fileSmall = () => {
    statements.push(...jsonArrays(small).map((rows) => SQL.FURTHER_ROWS.bind(db, { ...claim, ...shared, rows })));
    small = [];
  };
  for (const row of further) {
    if (row.payload.length + row.entries.length < LARGE_ROW) {
      const { id, times, entries, payload } = ownColumns(filing, row);
      small.push(JSON.stringify([id, row.first, row.last, times, entries, payload]));
      continue;
    }
    fileSmall();
    statements.push(SQL.FURTHER_ROW.bind(db, { ...claim, ...shared, ...ownColumns(filing, row) }));
  }
  fileSmall();
  return statements;
}

function closedGroups({ groups }: Plan): string {
  return JSON.stringify(groups.map(([id]) => id));
}

function commonColumns(filing: Filing, { nonce }: SQL.Claim) {
  const { tenant, stream, producer, context, sentIds, idempotencyKey, ownIdField, receivedAt } = filing;
  return { nonce, tenant, stream, producer, context, sentIds, idempotencyKey, ownIdField, receivedAt };
}

function ownColumns({ times }: Filing, { id, first, last, indexes, entries, payload }: NumberedRow) {
  const own = times ? JSON.stringify(indexes.map((index) => times[index] ?? null)) : null;
  return { id, first, last, times: own, entries, payload };
}

function keyStatements(db: D1Database, rows: readonly NumberedRow[], claim: SQL.Claim): D1PreparedStatement[] {
  const texts: string[] = [];
  for (const [behind, { keys }] of rows.entries()) {
    for (let entry = 0; entry < keys.length; entry++) {
      if (keys[entry] !== "") texts.push(`"${keys[entry]}${String(entry).padStart(7, "0")}${behind}"`);
    }
  }
  return jsonArrays(texts).map((part) => SQL.KEYS.bind(db, { ...claim, keys: part }));
}

function outboxStatements(
  db: D1Database,
  { tenant, stream, context }: Filing,
  rows: readonly NumberedRow[],
  claim: SQL.Claim,
): D1PreparedStatement[] {
  const encoder = new TextEncoder();
  const texts = rows
    .filter(({ events }) => events > 0)
    .map(({ id, entryCount, events, payload }) =>
      JSON.stringify([id, entryCount, events, encoder.encode(payload).length]),
    );
  return jsonArrays(texts).map((part) => SQL.OUTBOX.bind(db, { ...claim, tenant, stream, context, rows: part }));
}

function quarantineStatements(
  db: D1Database,
  { tenant, stream, producer, context }: Filing,
  rows: readonly NumberedRow[],
  claim: SQL.Claim,
  now: number,
): D1PreparedStatement[] {
  const of = { ...claim, tenant, stream, producer: producer ?? "", context, now };
  const statements: D1PreparedStatement[] = [];
  let small: string[] = [];
  const fileSmall = () => {
    statements.push(...jsonArrays(small).map((held) => SQL.QUARANTINE.bind(db, { ...of, held, event: null })));
    small = [];
  };
  for (const { id, quarantined } of rows)
    for (const { entry, event } of quarantined) {
      const isLarge = event.source.length >= LARGE_ROW;
      const held = [id, entry, event.id, isLarge ? null : event.source, JSON.stringify(event.reasons)];
      if (!isLarge) {
        small.push(JSON.stringify(held));
        continue;
      }
      fileSmall();
      statements.push(SQL.QUARANTINE.bind(db, { ...of, held: JSON.stringify([held]), event: event.source }));
    }
  fileSmall();
  return statements;
}

function factStatements(
  db: D1Database,
  { tenant, times, receivedAt }: Filing,
  rows: readonly NumberedRow[],
  claim: SQL.Claim,
): D1PreparedStatement[] {
  const runs: [number, number, number][] = [];
  const facts: string[] = [];
  for (const { id, measured } of rows) {
    if (measured.length === 0) continue;
    runs.push([id, facts.length, facts.length + measured.length - 1]);
    for (const { entry, event, measure } of measured) {
      facts.push(JSON.stringify(factJson(entry, measure, times?.[event.index] ?? null, receivedAt)));
    }
  }
  if (facts.length === 0) return [];
  return [
    ...jsonArrays(facts).map((part) => FACTS.ADD_FACTS.bind(db, { ...claim, tenant, facts: part })),
    FACTS.ADD_FACT_RUNS.bind(db, { ...claim, tenant, runs: JSON.stringify(runs), count: facts.length }),
  ];
}

/** The counts, and the positions taken. */
function countingStatements(db: D1Database, filing: Filing, plan: Plan, claim: SQL.Claim): D1PreparedStatement[] {
  const counts = { ...claim, ...counterColumns(filing, plan) };
  const from = plan.runs[0]?.[0];
  const to = plan.runs.at(-1)?.[1];
  if (from === undefined || to === undefined) return [SQL.COUNT.bind(db, counts)];
  const of = { ...claim, tenant: filing.tenant, stream: filing.stream, producer: filing.producer ?? "" };
  const runs = { runs: JSON.stringify(plan.runs), from, to };
  return [
    SQL.COUNT_POSITIONS.bind(db, { ...counts, ...runs }),
    SQL.ADD_RANGES.bind(db, { ...of, ...runs }),
    SQL.DROP_RANGES.bind(db, { ...of, from, to }),
  ];
}

function counterColumns(filing: Filing, { counts, digest }: Plan): SQL.CounterColumns {
  const { accepted, quarantined, duplicate, conflict, closed } = counts;
  return {
    tenant: filing.tenant,
    stream: filing.stream,
    producer: filing.producer ?? "",
    owner: filing.owner,
    accepted: accepted + quarantined,
    duplicates: duplicate,
    conflicts: conflict + closed,
    quarantined,
    digestHigh: digest.high,
    digestLow: digest.low,
    digested: digest.count,
  };
}
