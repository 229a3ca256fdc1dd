/**
 * An admin's write looks at the key it came with in the transaction that writes: what an instance remembers of a key
 * may be seconds old, and a revoked key changes nothing any more.
 */
import { d1FailureOf } from "./d1-errors.ts";
import { statement } from "./statement.ts";

/** The key a write came with, and now in milliseconds since 1970. */
export interface Writer {
  readonly apiKeyId: string;
  readonly now: number;
}

/** True for a key that is neither revoked nor expired. */
export const KEY_VALID = `EXISTS (SELECT 1 FROM api_keys WHERE id = :apiKeyId AND revoked_at IS NULL
    AND (expires_at IS NULL OR expires_at > :now))`;

/** Fails, and with it the whole transaction, where the key has ended: an empty text is no JSON. */
const GATE = statement<Writer>(`SELECT json(CASE WHEN ${KEY_VALID} THEN '1' ELSE '' END)`);

const STANDS = statement<Writer, { readonly valid: 0 | 1 }>(`SELECT ${KEY_VALID} AS valid`);

/** The key was revoked or expired after the request was let in; nothing was written. */
export class KeyEndedError extends Error {
  readonly code = "KEY_ENDED";
}

/**
 * Runs statements in one transaction if the key is still valid.
 * @returns their results, without the gate's.
 * @throws KeyEndedError where it is not; what D1 throws otherwise.
 */
export async function writeAs(
  db: D1Database,
  { apiKeyId, now }: Writer,
  statements: readonly D1PreparedStatement[],
): Promise<D1Result[]> {
  try {
    const [, ...results] = await db.batch([GATE.bind(db, { apiKeyId, now }), ...statements]);
    return results;
  } catch (cause) {
    // The gate's own failure is one of SQLite's.
    if (!["never", "constraint", "unknown"].includes(d1FailureOf(cause))) throw cause;
    const standing = await STANDS.first(db, { apiKeyId, now });
    if (standing?.valid === 1) throw cause;
    throw new KeyEndedError("the key has ended", { cause });
  }
}
