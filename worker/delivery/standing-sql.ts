/** The statements behind how delivery stands. Lanes are counted to a bound an account, so that none hides another's. */
import { statement } from "../database/statement.ts";
import { OLDEST_PACKED, OLDEST_UNPACKED } from "../ledger/stats-sql.ts";
import { IN_DOUBT, SENT_TO } from "./outbox-sql.ts";
import type { HoldKind } from "./scopes.ts";

/** Holds of an account that look alike, without the vendor's words. */
export interface Alike {
  readonly kind: HoldKind;
  /** Of lanes, where they are asked for by tenant; "" else. */
  readonly stream: string;
  readonly status: number | null;
  /** 1 where it was the token that was refused. */
  readonly token: 0 | 1;
  /** Since when the first of them. */
  readonly since: number;
  readonly count: number;
}

export interface HeldAccount {
  readonly vendor: string;
  readonly destination: string;
  /** JSON [[kind, stream, status, token, since, count], …]. */
  readonly held: string;
}

/** Holds of the account in scope, all of its lanes or one tenant's: their names begin with the account's. */
function heldOf(lane: string, stream: string): string {
  const columns = `kind, ${stream} AS stream, status, reason LIKE 'token: %' AS token, since`;
  const names = "account.value ->> 0, account.value ->> 1";
  const prefix = `rtrim(json_array('lane', ${names}${lane}), ']')`;
  return `SELECT account.value ->> 0 AS vendor, account.value ->> 1 AS destination,
  (SELECT json_group_array(json_array(kind, stream, status, token, since, alike)) FROM (
    SELECT kind, stream, status, token, min(since) AS since, count(*) AS alike FROM (
      SELECT ${columns} FROM holds WHERE scope IN (json_array('destination', ${names}), json_array('credentials', ${names}))
      UNION ALL SELECT * FROM (SELECT ${columns} FROM holds
        WHERE scope > ${prefix} || ',"' AND scope < ${prefix} || ',#' LIMIT :lanesMax))
    GROUP BY kind, stream, status, token)) AS held
FROM json_each(:accounts) AS account`;
}

/** What waits at accounts. `accounts`: JSON [[vendor, destination], …]. */
export const HELD = statement<{ accounts: string; lanesMax: number }, HeldAccount>(heldOf("", "''"));

/** What waits at accounts of what is one tenant's, its lanes by stream. */
export const HELD_OF_TENANT = statement<{ accounts: string; tenant: string; lanesMax: number }, HeldAccount>(
  heldOf(", :tenant", "stream"),
);

export interface HeldLanes {
  readonly vendor: string;
  readonly destination: string;
  readonly tenant: string;
  readonly stream: string;
  readonly lanes: number;
}

/** Lanes that wait, by account and stream. */
export const LANES_HELD = statement<
  { lanesMax: number; count: number },
  HeldLanes
>(`SELECT vendor, destination, tenant, stream, count(*) AS lanes FROM (SELECT vendor, destination, tenant, stream
  FROM holds WHERE scope > '["lane",' AND scope < '["lane"-' ORDER BY scope LIMIT :lanesMax)
GROUP BY vendor, destination, tenant, stream LIMIT :count`);

export interface ProducerStream {
  readonly stream: string;
  readonly pending: number;
  readonly oldest_unpacked: number | null;
  readonly oldest_packed: number | null;
  /** Destinations that calls in doubt are bound to, JSON. */
  readonly bound: string;
}

/** A producer's streams, found by one seek each however many producers a tenant has. */
export const PRODUCER_STREAMS = statement<
  { tenant: string; producer: string; count: number },
  ProducerStream
>(`WITH RECURSIVE found(stream) AS (
  SELECT min(stream) FROM counters WHERE tenant = :tenant
  UNION ALL SELECT (SELECT min(stream) FROM counters WHERE tenant = :tenant AND stream > found.stream) FROM found
  WHERE stream IS NOT NULL LIMIT :count)
SELECT totals.stream, totals.accepted - totals.delivered - totals.quarantined - totals.discarded AS pending,
  ${OLDEST_UNPACKED} AS oldest_unpacked,
  ${OLDEST_PACKED} AS oldest_packed,
  (SELECT json_group_array(DISTINCT sent_to) FROM (SELECT ${SENT_TO} AS sent_to, in_flight, outcome_unknown FROM shipments
    WHERE state = 'open' AND shipments.tenant = totals.tenant AND shipments.stream = totals.stream LIMIT 100)
    WHERE ${IN_DOUBT}) AS bound
FROM found CROSS JOIN counters AS totals
  ON totals.tenant = :tenant AND totals.stream = found.stream AND totals.producer = :producer`);
