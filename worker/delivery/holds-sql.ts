/** The statements of holds: what waits, tried by one call at a time, ended by the first that gets through. */
import type { HoldRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import { LEASED, type Lease } from "./outbox-sql.ts";
import type { LaneScopes } from "./scopes.ts";

export type HoldColumns = Omit<HoldRow, "attempts" | "probing_until">;

/** As the log tells of it. */
export type ToldHold = Omit<HoldRow, "tell_at">;

const TOLD = `scope, kind, vendor, destination, tenant, stream, context, verdict, status, reason, since, until, attempts,
  probing_until, told`;

/**
 * Begins a hold, or goes on with it; it never gets shorter by a later one. Of passing trouble the log tells only
 * once it has lasted (`told` 0).
 */
export const HOLD = statement<Lease & HoldColumns, ToldHold>(`INSERT INTO holds
  (scope, kind, vendor, destination, tenant, stream, context, verdict, status, reason, since, until, attempts, tell_at, told)
SELECT :scope, :kind, :vendor, :destination, :tenant, :stream, :context, :verdict, :status, :reason, :since, :until, 1,
  :tell_at, :told WHERE ${LEASED}
ON CONFLICT (scope) DO UPDATE SET verdict = excluded.verdict, status = excluded.status, reason = excluded.reason,
  until = max(until, excluded.until), attempts = attempts + 1, probing_until = 0
RETURNING ${TOLD}`);

/**
 * Ends the holds that an attempt has shown to be over. An answer that is neither 401 nor 429 says so of what is wide
 * (`wide` 1), also where it refuses the lane itself; a call that got through says so of its lane too (`own` 1).
 */
export const RELEASE = statement<Lease & LaneScopes & { wide: 0 | 1; own: 0 | 1 }, ToldHold>(`DELETE FROM holds
WHERE scope IN (iif(:wide, :destinationScope, ''), iif(:wide, :credentialsScope, ''), iif(:own, :laneScope, ''))
  AND ${LEASED}
RETURNING ${TOLD}`);

/** The attempt that tried is over and has shown nothing: another may try. */
export const PROBED = statement<Lease & LaneScopes>(`UPDATE holds SET probing_until = 0
WHERE scope IN (:destinationScope, :credentialsScope, :laneScope) AND probing_until > 0 AND ${LEASED}`);

/** Those whose turn it is to be told of: each once, whoever asks. */
export const TELL = statement<
  { now: number; next: number; count: number },
  ToldHold
>(`UPDATE holds SET tell_at = :next, told = 1
WHERE scope IN (SELECT scope FROM holds WHERE tell_at <= :now ORDER BY tell_at LIMIT :count) RETURNING ${TOLD}`);

/** Of those named, a JSON array, what nothing has tried since a moment though it could: nothing waits for it any more. */
export const FORGET = statement<{ scopes: string; before: number }, ToldHold>(`DELETE FROM holds
WHERE scope IN (SELECT value FROM json_each(:scopes)) AND until <= :before AND probing_until <= :before
RETURNING ${TOLD}`);

/** All of them, by name; there is a row only for what waits. */
export const LIST = statement<{ after: string; count: number }, ToldHold>(
  `SELECT ${TOLD} FROM holds WHERE scope > :after ORDER BY scope LIMIT :count`,
);
