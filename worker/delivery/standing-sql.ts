/** The statements behind how delivery stands. */
import type { HoldRow } from "../database/rows.ts";
import { statement } from "../database/statement.ts";
import { OLDEST_UNPACKED } from "../ledger/stats-sql.ts";

/** A hold without the vendor's words. */
export type HeldRow = Pick<
  HoldRow,
  "kind" | "vendor" | "destination" | "tenant" | "stream" | "verdict" | "status" | "since"
> & {
  /** 1 where it was the token that was refused. */
  readonly token: 0 | 1;
};

/** What waits, the widest first. */
export const HELD = statement<
  { count: number },
  HeldRow
>(`SELECT kind, vendor, destination, tenant, stream, verdict, status, since, reason LIKE 'token: %' AS token
FROM holds WHERE scope > '' ORDER BY scope LIMIT :count`);

export interface ProducerStream {
  readonly stream: string;
  readonly pending: number;
  readonly oldest_unpacked: number | null;
  readonly oldest_packed: number | null;
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
  (SELECT parts ->> '$[0][0]' FROM shipments WHERE state = 'open' AND shipments.tenant = totals.tenant
    AND shipments.stream = totals.stream ORDER BY id LIMIT 1) AS oldest_packed
FROM found CROSS JOIN counters AS totals
  ON totals.tenant = :tenant AND totals.stream = found.stream AND totals.producer = :producer`);
