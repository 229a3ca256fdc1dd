/** Who waits for what: kept in the ledger with each settlement, told in the log, read by those who watch. */
import { printable } from "../../shared/printable.ts";
import { logLine } from "../log.ts";
import * as SQL from "./holds-sql.ts";
import type { Lease } from "./outbox-sql.ts";
import { laneScopes } from "./scopes.ts";
import type { Settlement, Shipment } from "./shipment.ts";

/** What waits since when, until when and why; times in milliseconds since 1970. */
export type StandingHold = SQL.ToldHold;

export interface HoldChange {
  readonly kind: "begun" | "goes-on" | "ended";
  readonly hold: StandingHold;
}

/** The log tells of a hold when it begins, then once in this time, and when it ends. */
const TELL_EVERY_MS = 60_000;
/** Holds told of in one look. */
const TOLD_MAX = 100;
/** What nothing has tried for so long after it could has nothing left that waits. */
const FORGOTTEN_AFTER_MS = 600_000;

export interface HoldStatements {
  /** Of a settlement, before the one that ends the call. */
  readonly statements: readonly D1PreparedStatement[];
  /** @param results of the batch that begins with them. */
  changesOf(results: readonly D1Result[]): HoldChange[];
}

/** What begins or goes on, and what ends. */
export function holdStatements(
  db: D1Database,
  lease: Lease,
  shipment: Shipment,
  settlement: Settlement,
  now: number,
): HoldStatements {
  const scopes = laneScopes(shipment.account, shipment);
  const release = (own: 0 | 1) => SQL.RELEASE.bind(db, { ...lease, ...scopes, wide: 1, own });
  if (settlement.kind !== "postponed")
    return { statements: [release(1)], changesOf: ([released]) => endedBy(released) };
  const { hold, letIn } = settlement;
  const begins = SQL.HOLD.bind(db, {
    ...lease,
    ...hold,
    ...shipment.account,
    scope: scopes[`${hold.kind}Scope`],
    ...(hold.kind === "lane" ? laneOf(shipment) : NO_LANE),
    since: now,
    tell_at: now + TELL_EVERY_MS,
    // Passing trouble mostly passes before anybody could look.
    told: hold.verdict === "retry" ? 0 : 1,
  });
  return letIn
    ? { statements: [begins, release(0)], changesOf: ([begun, released]) => [...begunBy(begun), ...endedBy(released)] }
    : { statements: [begins, SQL.PROBED.bind(db, { ...lease, ...scopes })], changesOf: ([begun]) => begunBy(begun) };
}

const NO_LANE = { tenant: "", stream: "", context: "" };

function laneOf({ tenant, stream, context }: Shipment): typeof NO_LANE {
  return { tenant, stream, context };
}

function begunBy(result: D1Result | undefined): HoldChange[] {
  return SQL.HOLD.rows(result).flatMap((hold) => (hold.attempts === 1 ? [{ kind: "begun" as const, hold }] : []));
}

function endedBy(result: D1Result | undefined): HoldChange[] {
  return SQL.RELEASE.rows(result).map((hold) => ({ kind: "ended" as const, hold }));
}

export interface Holds {
  /** All that waits, by name, at most `count` after the scope `after`. */
  list(after: string, count: number): Promise<StandingHold[]>;
  /** Those whose minute has passed; what nothing waits for any more is ended. */
  due(now: number): Promise<HoldChange[]>;
}

export function createHolds(db: D1Database): Holds {
  return {
    list: (after, count) => SQL.LIST.all(db, { after, count }),
    async due(now) {
      const told = await SQL.TELL.all(db, { now, next: now + TELL_EVERY_MS, count: TOLD_MAX });
      const before = now - FORGOTTEN_AFTER_MS;
      const idle = told.filter(({ until, probing_until }) => Math.max(until, probing_until) <= before);
      if (idle.length === 0) return told.map((hold) => ({ kind: "goes-on", hold }));
      const scopes = JSON.stringify(idle.map(({ scope }) => scope));
      const ended = new Set((await SQL.FORGET.all(db, { scopes, before })).map(({ scope }) => scope));
      return told.map((hold) => ({ kind: ended.has(hold.scope) ? "ended" : "goes-on", hold }));
    },
  };
}

const MESSAGE = { begun: "delivery waits", "goes-on": "delivery still waits", ended: "delivery waits no longer" };

/**
 * A line of the log for each that begins, goes on or ends: names and the beginning of the response's text, never an
 * event. Passing trouble of which nothing was said ends unsaid.
 */
export function logHolds(changes: readonly HoldChange[]): void {
  for (const { kind, hold } of changes) {
    if (hold.told === 0) continue;
    const { kind: holds, vendor, destination, tenant, stream, context, status, attempts } = hold;
    const whose = holds === "lane" ? { tenant, stream, context } : {};
    const since = new Date(hold.since).toISOString();
    const reason = printable(hold.reason);
    const level = kind === "ended" ? "info" : "warn";
    logLine(level, MESSAGE[kind], { holds, vendor, destination, ...whose, status, reason, attempts, since });
  }
}
