/** Whose a producer's name is on each stream: by the key that used it first, or as an admin moved it. */
import { type Writer, writeAs } from "../database/key-gate.ts";
import { statement } from "../database/statement.ts";

/** Streams on which one call moves a name. */
const STREAMS_MAX = 1000;

export interface Producers {
  /**
   * Gives a name to a key on one stream, or on all where it was used (null).
   * @param lineage see `api_keys.lineage`. @returns the streams, none where the name was not used.
   * @throws KeyEndedError where the writer's key has ended.
   */
  move(tenant: string, producer: string, lineage: string, stream: string | null, writer: Writer): Promise<string[]>;
}

/** The tenant's streams are found by one seek each, and the producer's row by another. */
export const MOVE = statement<
  { tenant: string; producer: string; owner: string; stream: string | null; count: number },
  { readonly stream: string }
>(`UPDATE counters SET owner = :owner WHERE tenant = :tenant AND producer = :producer AND stream IN (
  WITH RECURSIVE found(stream) AS (
    SELECT min(stream) FROM counters WHERE tenant = :tenant
    UNION ALL SELECT (SELECT min(stream) FROM counters WHERE tenant = :tenant AND stream > found.stream) FROM found
    WHERE stream IS NOT NULL LIMIT :count)
  SELECT stream FROM found WHERE :stream IS NULL OR stream = :stream)
RETURNING stream`);

export function createProducers(db: D1Database): Producers {
  return {
    async move(tenant, producer, lineage, stream, writer) {
      const values = { tenant, producer, owner: lineage, stream, count: STREAMS_MAX };
      const [moved] = await writeAs(db, writer, [MOVE.bind(db, values)]);
      return MOVE.rows(moved).map((row) => row.stream);
    },
  };
}
