/**
 * From a directory, in whatever state a crash, a full disk or a bad one left it, to a log that takes events.
 * A log that is damaged is set aside whole and a new one begun, whose new name on the wire keeps its positions
 * apart from those that were given before.
 */
import { rmSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { SteadyClock } from "../../../shared/clock.ts";
import { AgentError } from "../../runtime/agent-error.ts";
import { type Bounds, boundsOf } from "./bounds.ts";
import { missingCommits } from "./commit-count.ts";
import {
  BUFFER_FILE,
  clearSuspect,
  hasWriteAheadLog,
  isDamage,
  isDiskFull,
  isSuspect,
  openDatabase,
  translate,
  visibleDamage,
} from "./database.ts";
import { makeDirectory, syncDirectory } from "./directory.ts";
import { demandFit } from "./fitness.ts";
import { takeLock } from "./lock.ts";
import { isNoRoom, openReserve, type Reserve } from "./reserve.ts";
import { type SetAside, setAside } from "./set-aside.ts";
import { verify, verifyEdges } from "./verify.ts";

/** Told earlier versions that there was a write-ahead log, and was left there where a process just ended. */
const EARLIER_MARKER = "in-use";

/** A file up to this size is read whole at each opening; a larger one only where something is known to be wrong. */
const CHECKED_BYTES_MAX = 24 * 1024 * 1024;

export interface OpenedDirectory {
  readonly db: DatabaseSync;
  readonly bounds: Bounds;
  readonly reserve: Reserve;
  readonly setAside: SetAside | null;
  release(): void;
}

/** @throws AgentError BUFFER_HELD, BUFFER_NEWER, BUFFER_UNSAFE or BUFFER_BROKEN. */
export function openDirectory(directory: string, bytesMax: number, clock: SteadyClock): OpenedDirectory {
  const bounds = boundsOf(bytesMax);
  let lock: { release(): void } | null = null;
  try {
    demandFit(directory);
    makeDirectory(directory);
    lock = takeLock(directory);
    const reserve = openReserve(directory, bounds.reserveBytes, clock.tick);
    const opened = withReserve(reserve, () => openOrSetAside(directory, bounds, clock));
    reserve.restore();
    return { ...opened, bounds, reserve, release: lock.release };
  } catch (error) {
    lock?.release();
    throw translate(error, directory);
  }
}

/** Does what may need room, once more with the reserve given up where the disk is full. */
function withReserve<T>(reserve: Reserve, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(isDiskFull(error) || isNoRoom(error)) || !reserve.spend()) throw error;
    return act();
  }
}

function openOrSetAside(directory: string, bounds: Bounds, { now }: SteadyClock) {
  let damage = visibleDamage(directory);
  if (damage === null) {
    const tried = tryOpen(directory, bounds);
    if (typeof tried !== "string") return { db: tried, setAside: null };
    damage = tried;
  }
  const aside = setAside(directory, damage, now());
  clearSuspect(directory);
  const db = openDatabase(directory, bounds);
  syncDirectory(directory);
  return { db, setAside: aside };
}

/** The database, or what is wrong with it. */
function tryOpen(directory: string, bounds: Bounds): DatabaseSync | string {
  let db: DatabaseSync | null = null;
  // A write-ahead log that is there was judged by itself: of a torn one only what nobody was told of is gone.
  const isAlone = !hasWriteAheadLog(directory);
  try {
    db = openDatabase(directory, bounds);
    const missing = isAlone ? missingCommits(directory, db) : null;
    const [damage = missing] = isChecked(directory) ? verify(db) : verifyEdges(db);
    if (damage === null) {
      clearSuspect(directory);
      rmSync(join(directory, EARLIER_MARKER), { force: true });
      // The names of the log's files last before anything in them is answered for.
      syncDirectory(directory);
      return db;
    }
    db.close();
    return damage;
  } catch (error) {
    if (db?.isOpen) db.close();
    const strange = error instanceof AgentError && error.code === "BUFFER_FOREIGN";
    if (!isDamage(error) && !strange) throw error;
    return error instanceof Error ? error.message : String(error);
  }
}

function isChecked(directory: string): boolean {
  return isSuspect(directory) || statSync(join(directory, BUFFER_FILE)).size <= CHECKED_BYTES_MAX;
}
