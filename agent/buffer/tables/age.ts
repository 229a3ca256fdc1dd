/**
 * How long the log has been open, over all its runs. What is kept for a while is dated by it and not by the time of
 * day: that may be wrong at a start and jump by years once the network tells the right one, which must neither make
 * anything old at once nor keep it for ever. Time in which no agent runs does not count.
 */
import type { DatabaseSync } from "node:sqlite";
import { METADATA, metadataWriter, readMetadataEntry } from "./metadata.ts";
import { number } from "./rows.ts";

export interface Age {
  /** Milliseconds. */
  now(): number;
  /** Writes it down now and then, for the next run; within a transaction. */
  keep(): void;
}

/** What a restart may lose where nothing was kept meanwhile; more often would be an fsync for little. */
const KEEP_EVERY_MS = 600_000;

/** @param tick milliseconds that never jump. */
export function openAge(db: DatabaseSync, tick: () => number): Age {
  const newest = number(
    db,
    `SELECT max(coalesce((SELECT kept_at FROM key_runs ORDER BY id DESC LIMIT 1), 0),
                coalesce((SELECT kept_at FROM retained ORDER BY id DESC LIMIT 1), 0)) AS at`,
  );
  const write = metadataWriter(db);
  let kept = Number(readMetadataEntry(db, METADATA.openMs) ?? 0);
  // What was dated since shows how far it had come, so that it goes on even where no run lasts long.
  const before = Math.max(kept, newest());
  const openedAt = tick();
  const now = () => before + Math.floor(tick() - openedAt);
  return {
    now,
    keep() {
      const at = now();
      if (at - kept < KEEP_EVERY_MS) return;
      write([METADATA.openMs, String(at)]);
      kept = at;
    },
  };
}
