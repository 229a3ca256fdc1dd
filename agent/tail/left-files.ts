/** What rotation left behind of followed files: renamed, copied, compressed, removed, or rotated before it was ever seen. */
import type { Logger } from "pino";
import type { TailPosition } from "../buffer/tables/tails.ts";
import type { Clock } from "../runtime/clock.ts";
import { type FoundFile, filesBeside, findCopy, isPattern, openFound, rotatedUnseen } from "./beside.ts";
import type { ByteSource } from "./byte-source.ts";
import type { OpenFile, OpenFiles } from "./open-files.ts";
import type { Positions } from "./positions.ts";
import type { ReadOutcome } from "./read-on.ts";

export interface LeftFilesOptions {
  readonly path: string;
  readonly files: OpenFiles;
  readonly positions: Positions;
  /** Reads a source on to its end. */
  readonly read: (source: ByteSource, inode: string, position: TailPosition | null) => Promise<ReadOutcome>;
  readonly readHeld: (file: OpenFile, position: TailPosition | null) => Promise<ReadOutcome>;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Each gives what holds it up, in words, or null. `named` are the files under the followed name now. */
export interface LeftFiles {
  /** Begins another look. */
  begin(): void;
  /** Reads on in a file that has lost its name, or that is gone. */
  readLeft(position: TailPosition, named: readonly FoundFile[]): Promise<string | null>;
  /** Finds where the rest of a file went that is not what it was, and reads it; then its position is no longer needed. */
  readRest(position: TailPosition, named: readonly FoundFile[]): Promise<string | null>;
  /** Once for each file that lost its name: others may have been rotated off it since, between two looks. */
  readRotatedWith(file: OpenFile, named: readonly FoundFile[]): Promise<string | null>;
  /**
   * Reads files that were rotated off the followed one before they were ever seen.
   * @param since when what was read last was written to last; nanoseconds since 1970.
   */
  readUnseen(since: bigint, named: readonly FoundFile[]): Promise<string | null>;
  /** Bytes that were seen in a file and are certainly gone. */
  lostBytes(): number;
}

/** A writer that has not written for so long has left a file that was renamed or removed. */
const LEFT_AFTER_MS = 60_000;
/** A copy may take some looks to appear under its name. */
const LOOKS_FOR_COPY = 5;
/** Rotated files at rest are looked at once in so many looks. */
const LOOKS_PER_REST = 25;

export function createLeftFiles(options: LeftFilesOptions): LeftFiles {
  const { path, files, positions, read, readHeld, clock, logger } = options;
  /** Rotated files that were read to their end, with their size then. */
  const resting = new Map<string, number>();
  /** In how many looks no copy was found of a file that is gone. */
  const searched = new Map<string, number>();
  let lost = 0;
  let looks = 0;

  async function readLeft(position: TailPosition, named: readonly FoundFile[]): Promise<string | null> {
    const { inode } = position;
    const open = files.get(inode);
    if (open !== null) return readRenamed(open, position, named);
    if (resting.has(inode) && looks % LOOKS_PER_REST !== 0) return null;
    const beside = await filesBeside(path, named);
    const found = beside.find((file) => file.inode === inode);
    if (found === undefined) {
      if (!resting.delete(inode)) return readRest(position, named);
      // It was read to its end and its writer had left it: compressed now, or taken away.
      await positions.finish(position, beside);
      return null;
    }
    if (resting.get(inode) === found.size) return null;
    if (found.path.endsWith(".gz")) return readCompressed(found, position, named);
    const opened = await files.holdFound(found);
    return opened === null ? null : readRenamed(opened, position, named);
  }

  async function readRenamed(file: OpenFile, position: TailPosition, named: readonly FoundFile[]) {
    const { inode } = file;
    const { size, nlink } = await file.handle.stat({ bigint: true });
    const hasGrown = Number(size) > file.seenBytes;
    const outcome = await readHeld(file, position);
    if (outcome.kind === "held-up") return outcome.reason;
    if (outcome.kind === "changed") return readRest(position, named);
    const trouble = await readRotatedWith(file, named);
    if (trouble !== null) return trouble;
    if (hasGrown || file.quietSince === null) file.quietSince = clock.tick();
    if (clock.tick() - file.quietSince < LEFT_AFTER_MS) return null;
    await files.release(file);
    if (nlink === 0n) await positions.finish(outcome.position ?? position, await filesBeside(path, named));
    else resting.set(inode, Number(size));
    return null;
  }

  async function readRest(position: TailPosition, named: readonly FoundFile[]): Promise<string | null> {
    const { inode } = position;
    const copy = await findCopy(position, await filesBeside(path, named));
    const tries = (searched.get(inode) ?? 0) + 1;
    searched.set(inode, tries);
    if (copy === null && tries < LOOKS_FOR_COPY) return null;
    let end = position;
    if (copy?.standing === "same") {
      const outcome = await readAndClose(await copy.open(), inode, position);
      if (outcome === null || outcome.kind === "changed") return null;
      if (outcome.kind === "held-up") return outcome.reason;
      end = outcome.position ?? position;
    }
    report(end, copy?.file.path ?? null);
    if (copy !== null) await positions.keepAs(copy, end);
    // Forgotten first: its inode may be that of a file rotated since, which would then pass for one that is known.
    await positions.forget(end);
    searched.delete(inode);
    const file = files.get(inode);
    if (file !== null) file.seenBytes = 0;
    return copy === null ? null : readUnseen(copy.file.modified, named);
  }

  /** Counts and logs what was seen of a file and is nowhere any more. */
  function report({ inode, offset }: TailPosition, copy: string | null): void {
    const gone = Math.max(0, (files.get(inode)?.seenBytes ?? 0) - offset);
    lost += gone;
    if (gone > 0) logger.error({ path, inode, lostBytes: gone, copy }, "lines of a followed file are gone");
    else if (copy === null) {
      logger.warn(
        { path, inode, offset },
        "a followed file is gone or was cut; what was written last may be gone with it",
      );
    } else logger.info({ path, inode, copy, offset }, "a followed file was rotated; its copy is read to its end");
  }

  async function readRotatedWith(file: OpenFile, named: readonly FoundFile[]): Promise<string | null> {
    if (file.isLookedBeside) return null;
    const { mtimeNs } = await file.handle.stat({ bigint: true });
    const trouble = await readUnseen(mtimeNs, named);
    if (trouble === null) file.isLookedBeside = true;
    return trouble;
  }

  async function readUnseen(since: bigint, named: readonly FoundFile[]): Promise<string | null> {
    if (isPattern(path)) return null;
    const beside = await filesBeside(path, named);
    const trouble = await readOpenedOnly();
    if (trouble !== null) return trouble;
    const unseen = await rotatedUnseen(path, since, await positions.everKnown(), beside);
    for (const file of unseen) {
      const isWhole = file.path.endsWith(".gz");
      const outcome = isWhole ? await readAndClose(await openFound(file), file.inode, null) : await readRotated(file);
      if (outcome?.kind === "held-up") return outcome.reason;
    }
    return null;
  }

  /**
   * Reads files that were opened and of which nothing was read yet. One of them may lie beside by now as a copy, made since
   * this look began: only what was read is known again in its copy, and would else be read there and here.
   */
  async function readOpenedOnly(): Promise<string | null> {
    const known = new Set((await positions.all()).map(({ inode }) => inode));
    for (const file of files.all()) {
      if (known.has(file.inode)) continue;
      const outcome = await readHeld(file, null);
      if (outcome.kind === "held-up") return outcome.reason;
    }
    return null;
  }

  /** Reads a rotated file that its writer may still have open. */
  async function readRotated(found: FoundFile): Promise<ReadOutcome | null> {
    const file = await files.holdFound(found);
    return file === null ? null : readHeld(file, null);
  }

  /** Reads on in a gzip that has the inode of what was read: what that was compressed into, or another file by now. */
  async function readCompressed(file: FoundFile, position: TailPosition, named: readonly FoundFile[]) {
    const outcome = await readAndClose(await openFound(file), file.inode, position);
    if (outcome === null) return null;
    if (outcome.kind === "held-up") return outcome.reason;
    if (outcome.kind === "changed") return readRest(position, named);
    resting.set(file.inode, file.size);
    // Those rotated after it may never have been seen.
    return readUnseen(file.modified, named);
  }

  /** Reads a file that no writer has open any more; null where another file bears its name by now. */
  async function readAndClose(source: ByteSource | null, inode: string, position: TailPosition | null) {
    if (source === null) return null;
    try {
      return await read(source, inode, position);
    } finally {
      await source.close();
    }
  }

  return {
    begin() {
      looks++;
    },
    readLeft,
    readRest,
    readRotatedWith,
    readUnseen,
    lostBytes: () => lost,
  };
}
