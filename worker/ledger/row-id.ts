/** Two thousand ids a millisecond, and in order of time: new rows go to the end of the table. */
const IDS_PER_MS = 2048;

/**
 * A row id made of time and random bits, below 2^53 until the year 2109. Two writers may draw the same one; the
 * insert then fails on the primary key and the writer draws again.
 */
export function createRowId(nowMs: number, random: number): number {
  return nowMs * IDS_PER_MS + Math.floor(random * IDS_PER_MS);
}

/** When a row id was made, milliseconds since 1970. */
export function rowIdTime(id: number): number {
  return Math.floor(id / IDS_PER_MS);
}

/** Whether a write failed only because its row id was drawn before: drawing again mends it. */
export function isDrawnTwice(error: unknown): boolean {
  return error instanceof Error && error.message.includes("UNIQUE constraint failed: batches.id");
}
