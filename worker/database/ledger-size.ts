/**
 * How large the ledger is, by what D1 says with every answer. D1 takes no write beyond 10 GB, settlements of calls already
 * made among them, so new events are refused before that, and what is left is for delivery and retention.
 *
 * `meta.size_after` counts pages in use: those that retention freed are not in it, and take new rows before the file grows.
 */

/** What of D1's answers says how large it is; 0 where a statement gives nothing. */
type SizeMeta = { readonly size_after?: number } | undefined;

export interface LedgerSize {
  /** Refuse new events from so many bytes on. */
  readonly bytesMax: number;
  /** Notes what an answer of the database says. Later answers replace it. */
  note(meta: SizeMeta): void;
  /** The database itself refused a write for its size. */
  noteFull(): void;
  /** Asks the database now. @returns bytes in use. */
  read(): Promise<number>;
  /** Whether new events are to be refused. Costs nothing while there is room; else one small read each few seconds. */
  isFull(): Promise<boolean>;
}

/** After so long another isolate's retention may have made room: one request then asks. */
const ASK_AGAIN_MS = 5_000;

export function createLedgerSize(db: D1Database, bytesMax: number, now: () => number): LedgerSize {
  let bytes: number | null = null;
  let notedAt = 0;
  const note = (meta: SizeMeta) => {
    const size = meta?.size_after ?? 0;
    if (size <= 0) return;
    bytes = size;
    notedAt = now();
  };
  const read = async () => {
    const { meta } = await db.prepare("SELECT 1").all();
    note(meta);
    return meta.size_after;
  };
  const isBeyond = () => bytes !== null && bytes >= bytesMax;
  return {
    bytesMax,
    note,
    noteFull() {
      bytes = Math.max(bytes ?? 0, bytesMax);
      notedAt = now();
    },
    read,
    async isFull() {
      if (!isBeyond()) return false;
      if (now() - notedAt < ASK_AGAIN_MS) return true;
      // The others go by what is known meanwhile: nobody waits for another's question.
      notedAt = now();
      await read();
      return isBeyond();
    },
  };
}
