/** One look after another at the files of a `[[tail]]`: what was left behind first, then those that bear its name. */
import type { FileHandle } from "node:fs/promises";
import type { Logger } from "pino";
import type { Log } from "../buffer/log.ts";
import type { TailPosition } from "../buffer/tables/tails.ts";
import type { LinesHandler } from "../intake/lines-handler.ts";
import type { Clock } from "../runtime/clock.ts";
import {
  type FoundFile,
  filesBeside,
  filesNamed,
  findCopy,
  isPattern,
  openFound,
  openHandle,
  rotatedUnseen,
} from "./beside.ts";
import { type ByteSource, WINDOW_BYTES } from "./byte-source.ts";
import { type ReadOutcome, readOn } from "./read-on.ts";

export interface FollowerOptions {
  readonly path: string;
  readonly stream: string;
  readonly log: Log;
  readonly lines: LinesHandler;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

export interface Follower {
  /** Reads all that is new; what holds it up, in words, or null. */
  look(): Promise<string | null>;
  /** Bytes that were seen in a file and are certainly gone. */
  lostBytes(): number;
  close(): Promise<void>;
}

/** A file that stays open, whatever it is called by now. */
interface OpenFile {
  readonly inode: string;
  readonly handle: FileHandle;
  readonly source: ByteSource;
  /** The largest size that was seen of it. */
  seenBytes: number;
  /** Tick since when it has not grown; null while its name is the one that is followed. */
  quietSince: number | null;
}

/** A writer that has not written for so long has left a file that was renamed or removed. */
const LEFT_AFTER_MS = 60_000;
/** A copy may take some looks to appear under its name. */
const LOOKS_FOR_COPY = 5;
/** Rotated files at rest are looked at once in so many looks. */
const LOOKS_PER_REST = 25;
const FORGOTTEN_KEPT = 64;

export function createFollower(options: FollowerOptions): Follower {
  const { path, stream, log, lines, clock, logger, signal } = options;
  const held = new Map<string, OpenFile>();
  /** Rotated files that were read to their end, with their size then. */
  const resting = new Map<string, number>();
  /** In how many looks no copy was found of a file that is gone. */
  const searched = new Map<string, number>();
  /** Rotated files beside which was looked for others, never seen. */
  const lookedBeside = new Set<string>();
  /** Copies of followed files that a pattern names too. */
  const passedOver = new Set<string>();
  /** Positions no longer needed: a copy of such a file may still turn up. */
  const forgotten: TailPosition[] = [];
  let lost = 0;
  let looks = 0;

  const read = (source: ByteSource, inode: string, position: TailPosition | null): Promise<ReadOutcome> =>
    readOn({ source, path, inode, position, stream, lines, signal });

  async function look(): Promise<string | null> {
    looks++;
    const known = await log.tails({ path });
    const named = await filesNamed(path);
    const inodes = new Set(await Promise.all(named.map(hold)));
    for (const position of known) {
      if (inodes.has(position.inode)) continue;
      const trouble = await readLeft(position, named);
      if (trouble !== null) return trouble;
    }
    // Files found beside those have positions by now.
    const seen = await log.tails({ path });
    for (const file of [...held.values()]) {
      // Renamed or removed before anything was read of it.
      if (inodes.has(file.inode) || seen.some(({ inode }) => inode === file.inode)) continue;
      const outcome = await readHeld(file, null);
      const trouble = outcome.kind === "held-up" ? outcome.reason : await readRotatedWith(file, named);
      if (trouble !== null) return trouble;
    }
    for (const inode of inodes) {
      // Asked anew for each: reading one file may have settled how far another is read.
      const position = (await log.tails({ path })).find((one) => one.inode === inode) ?? null;
      const trouble = await readNamed(inode, position, named);
      if (trouble !== null) return trouble;
    }
    const wanted = new Set([...inodes, ...(await log.tails({ path })).map(({ inode }) => inode)]);
    for (const file of [...held.values()]) if (!wanted.has(file.inode)) await release(file);
    return null;
  }

  /** Opens a file unless it is open; its inode as the open file has it. */
  async function hold(file: FoundFile): Promise<string> {
    const before = held.get(file.inode);
    if (before !== undefined) {
      before.quietSince = null;
      return before.inode;
    }
    const opened = await openHandle(file.path);
    const raced = held.get(opened.inode);
    if (raced === undefined) held.set(opened.inode, { ...opened, seenBytes: 0, quietSince: null });
    else await opened.handle.close();
    return opened.inode;
  }

  /** Reads on in a file under the followed name. */
  async function readNamed(
    inode: string,
    position: TailPosition | null,
    named: readonly FoundFile[],
  ): Promise<string | null> {
    const file = held.get(inode);
    if (file === undefined) return null;
    if (position === null && isPattern(path) && (await isKnownCopy(file, named))) return null;
    const outcome = await readHeld(file, position);
    if (outcome.kind === "held-up") return outcome.reason;
    if (outcome.kind === "read" || outcome.position === null) return null;
    // Cut, or another file under the same inode: the rest of what it was comes first, then what it is now.
    const trouble = await readRest(outcome.position, named);
    if (trouble !== null) return trouble;
    const again = (await log.tails({ path })).find((one) => one.inode === inode);
    return again === undefined ? readNamed(inode, null, named) : null;
  }

  /** Reads on in a file that has lost its name, or that is gone. */
  async function readLeft(position: TailPosition, named: readonly FoundFile[]): Promise<string | null> {
    const { inode } = position;
    const open = held.get(inode);
    if (open !== undefined) return readRenamed(open, position, named);
    if (resting.has(inode) && looks % LOOKS_PER_REST !== 0) return null;
    const beside = await filesBeside(path, named);
    const found = beside.find((file) => file.inode === inode);
    if (found === undefined) {
      if (!resting.delete(inode)) return readRest(position, named);
      // It was read to its end and its writer had left it: compressed now, or taken away.
      await finish(position, beside);
      return null;
    }
    if (resting.get(inode) === found.size) return null;
    if (found.path.endsWith(".gz")) return readCompressed(found, position, named);
    await hold(found);
    const opened = held.get(inode);
    return opened === undefined ? null : readRenamed(opened, position, named);
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
    await release(file);
    if (nlink === 0n) await finish(outcome.position ?? position, await filesBeside(path, named));
    else resting.set(inode, Number(size));
    return null;
  }

  async function readHeld(file: OpenFile, position: TailPosition | null): Promise<ReadOutcome> {
    const { size } = await file.handle.stat({ bigint: true });
    file.seenBytes = Math.max(file.seenBytes, Number(size));
    return read(file.source, file.inode, position);
  }

  /** Finds where the rest of a file went that is not what it was, and reads it; then its position is no longer needed. */
  async function readRest(position: TailPosition, named: readonly FoundFile[]): Promise<string | null> {
    const { inode } = position;
    const copy = await findCopy(position, await filesBeside(path, named));
    const tries = (searched.get(inode) ?? 0) + 1;
    searched.set(inode, tries);
    if (copy === null && tries < LOOKS_FOR_COPY) return null;
    let end = position;
    if (copy?.standing === "same") {
      const source = await copy.open();
      if (source === null) return null;
      try {
        const outcome = await read(source, inode, position);
        if (outcome.kind === "held-up") return outcome.reason;
        if (outcome.kind === "changed") return null;
        end = outcome.position ?? position;
      } finally {
        await source.close();
      }
    }
    report(end, copy?.file.path ?? null);
    if (copy !== null) await keepAs(copy.file, end);
    // Forgotten first: its inode may be that of a file rotated since, which would then pass for one that is known.
    await forget(end);
    searched.delete(inode);
    const file = held.get(inode);
    if (file !== undefined) file.seenBytes = 0;
    return copy === null ? null : readUnseen(copy.file.modified, named);
  }

  /** A copy stands for what it was copied from: it is then no file that was never read. */
  function keepAs({ inode }: FoundFile, position: TailPosition) {
    return log.keepTail({ position: { ...position, inode } });
  }

  /** A file that was read to its end and is gone needs no position; what it was compressed into bears it on. */
  async function finish(position: TailPosition, beside: readonly FoundFile[]): Promise<void> {
    const copy = await findCopy(position, beside);
    if (copy !== null) await keepAs(copy.file, position);
    await forget(position);
  }

  async function forget(position: TailPosition): Promise<void> {
    await log.forgetTail({ path, inode: position.inode });
    forgotten.push(position);
    if (forgotten.length > FORGOTTEN_KEPT) forgotten.shift();
  }

  /** Counts and logs what was seen of a file and is nowhere any more. */
  function report({ inode, offset }: TailPosition, copy: string | null): void {
    const gone = Math.max(0, (held.get(inode)?.seenBytes ?? 0) - offset);
    lost += gone;
    if (gone > 0) logger.error({ path, inode, lostBytes: gone, copy }, "lines of a followed file are gone");
    else if (copy === null) {
      logger.warn(
        { path, inode, offset },
        "a followed file is gone or was cut; what was written last may be gone with it",
      );
    } else logger.info({ path, inode, copy, offset }, "a followed file was rotated; its copy is read to its end");
  }

  /** Once for each file that lost its name: others may have been rotated off it since, between two looks. */
  async function readRotatedWith(file: OpenFile, named: readonly FoundFile[]): Promise<string | null> {
    if (lookedBeside.has(file.inode)) return null;
    const { mtimeNs } = await file.handle.stat({ bigint: true });
    const trouble = await readUnseen(mtimeNs, named);
    if (trouble === null) lookedBeside.add(file.inode);
    return trouble;
  }

  /** Reads files that were rotated off the followed one before they were ever seen. */
  async function readUnseen(since: bigint, named: readonly FoundFile[]): Promise<string | null> {
    if (isPattern(path)) return null;
    const known = [...(await log.tails({ path })), ...forgotten];
    const unseen = await rotatedUnseen(path, since, known, await filesBeside(path, named));
    for (const file of unseen) {
      const outcome = file.path.endsWith(".gz") ? await readWhole(file, null) : await readRotated(file);
      if (outcome?.kind === "held-up") return outcome.reason;
    }
    return null;
  }

  /** Reads a rotated file that its writer may still have open. */
  async function readRotated(found: FoundFile): Promise<ReadOutcome | null> {
    const file = held.get(await hold(found));
    return file?.inode === found.inode ? readHeld(file, null) : null;
  }

  /** Reads on in a gzip that has the inode of what was read: what that was compressed into, or another file by now. */
  async function readCompressed(file: FoundFile, position: TailPosition, named: readonly FoundFile[]) {
    const outcome = await readWhole(file, position);
    if (outcome === null) return null;
    if (outcome.kind === "held-up") return outcome.reason;
    if (outcome.kind === "changed") return readRest(position, named);
    resting.set(file.inode, file.size);
    // Those rotated after it may never have been seen.
    return readUnseen(file.modified, named);
  }

  /** Reads a file that no writer has open any more; null where another file bears its name by now. */
  async function readWhole(file: FoundFile, position: TailPosition | null): Promise<ReadOutcome | null> {
    const source = await openFound(file);
    if (source === null) return null;
    try {
      return await read(source, file.inode, position);
    } finally {
      await source.close();
    }
  }

  /** Whether a file that a pattern names anew is the copy of one that is followed; it is then passed over. */
  async function isKnownCopy(file: OpenFile, named: readonly FoundFile[]): Promise<boolean> {
    const known = await log.tails({ path });
    const found = named.find(({ inode }) => inode === file.inode);
    if (found === undefined) return false;
    for (const position of known) {
      // Fewer bytes may be alike by chance: two files that begin with the same line.
      if (position.headBytes < WINDOW_BYTES || (await findCopy(position, [found])) === null) continue;
      if (!passedOver.has(file.inode)) {
        logger.warn({ path, copy: found.path }, "a file begins as one that is followed: taken for its copy, not read");
      }
      passedOver.add(file.inode);
      return true;
    }
    return false;
  }

  async function release(file: OpenFile): Promise<void> {
    held.delete(file.inode);
    lookedBeside.delete(file.inode);
    await file.source.close();
  }

  return {
    look,
    lostBytes: () => lost,
    async close() {
      for (const file of [...held.values()]) await release(file);
    },
  };
}
