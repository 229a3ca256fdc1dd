/** One look after another at the files of a `[[tail]]`: what was left behind first, then those that bear its name. */
import type { Logger } from "pino";
import type { Log } from "../buffer/log.ts";
import type { TailPosition } from "../buffer/tables/tails.ts";
import type { LinesHandler } from "../intake/lines-handler.ts";
import type { Clock } from "../runtime/clock.ts";
import { type FoundFile, filesNamed, findCopy, isPattern } from "./beside.ts";
import { type ByteSource, WINDOW_BYTES } from "./byte-source.ts";
import { createLeftFiles } from "./left-files.ts";
import { createOpenFiles, type OpenFile } from "./open-files.ts";
import { createPositions } from "./positions.ts";
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

const REFUSED_TOLD_MAX = 1_000;

export function createFollower({ path, stream, log, lines, clock, logger, signal }: FollowerOptions): Follower {
  const files = createOpenFiles();
  const positions = createPositions(log, path);
  const left = createLeftFiles({ path, files, positions, read, readHeld, clock, logger });
  /** Copies of followed files that a pattern names too. */
  const passedOver = new Set<string>();
  /** Why files that a pattern names are not followed: told once each. */
  const refused = new Set<string>();

  function read(source: ByteSource, inode: string, position: TailPosition | null): Promise<ReadOutcome> {
    return readOn({ source, path, inode, position, stream, lines, signal });
  }

  async function readHeld(file: OpenFile, position: TailPosition | null): Promise<ReadOutcome> {
    const { size, mtimeNs } = await file.handle.stat({ bigint: true });
    file.seenBytes = Math.max(file.seenBytes, Number(size));
    file.modified = mtimeNs;
    return read(file.source, file.inode, position);
  }

  async function look(): Promise<string | null> {
    left.begin();
    const known = await positions.all();
    const named = await filesNamed(path);
    const held = await Promise.all(named.map(files.holdNamed));
    const inodes = new Set(held.flatMap((file) => (file.kind === "held" ? [file.inode] : [])));
    const refusals = held.flatMap((file) => (file.kind === "refused" ? [file.reason] : []));
    // One of many that a pattern names holds up no other.
    if (isPattern(path)) refusals.forEach(tellOnce);
    else if (refusals[0] !== undefined) return refusals[0];
    for (const position of known) {
      if (inodes.has(position.inode)) continue;
      const trouble = await left.readLeft(position, named);
      if (trouble !== null) return trouble;
    }
    const trouble = (await readNeverRead(inodes, named)) ?? (await readAllNamed(inodes, named));
    if (trouble !== null) return trouble;
    const wanted = new Set([...inodes, ...(await positions.all()).map(({ inode }) => inode)]);
    for (const file of files.all()) if (!wanted.has(file.inode)) await files.release(file);
    return null;
  }

  function tellOnce(reason: string): void {
    if (refused.has(reason)) return;
    if (refused.size >= REFUSED_TOLD_MAX) refused.clear();
    refused.add(reason);
    logger.warn({ path, reason }, "a file that a pattern names is not followed");
  }

  /** Reads files that were renamed or removed before anything was read of them. */
  async function readNeverRead(inodes: ReadonlySet<string>, named: readonly FoundFile[]): Promise<string | null> {
    // Files found beside others have positions by now.
    const seen = await positions.all();
    for (const file of files.all()) {
      if (inodes.has(file.inode) || seen.some(({ inode }) => inode === file.inode)) continue;
      const outcome = await readHeld(file, null);
      const trouble = outcome.kind === "held-up" ? outcome.reason : await left.readRotatedWith(file, named);
      if (trouble !== null) return trouble;
    }
    return null;
  }

  async function readAllNamed(inodes: ReadonlySet<string>, named: readonly FoundFile[]): Promise<string | null> {
    for (const inode of inodes) {
      // Asked anew for each: reading one file may have settled how far another is read.
      const trouble = await readNamed(inode, await positions.of(inode), named);
      if (trouble !== null) return trouble;
    }
    return null;
  }

  /** Reads on in a file under the followed name. */
  async function readNamed(
    inode: string,
    position: TailPosition | null,
    named: readonly FoundFile[],
  ): Promise<string | null> {
    const file = files.get(inode);
    if (file === null) return null;
    if (position === null && isPattern(path) && (await isKnownCopy(file, named))) return null;
    const outcome = await readHeld(file, position);
    if (outcome.kind === "held-up") return outcome.reason;
    if (outcome.kind === "read") return null;
    // Cut while its first lines were read: they were not accepted, and may stand in a copy that nobody has seen.
    if (outcome.position === null) return left.readUnseen(file.modified, named);
    // Cut, or another file under the same inode: the rest of what it was comes first, then what it is now.
    const trouble = await left.readRest(outcome.position, named);
    if (trouble !== null) return trouble;
    return (await positions.of(inode)) === null ? readNamed(inode, null, named) : null;
  }

  /** Whether a file that a pattern names anew is the copy of one that is followed; it is then passed over. */
  async function isKnownCopy(file: OpenFile, named: readonly FoundFile[]): Promise<boolean> {
    const known = await positions.all();
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

  return { look, lostBytes: left.lostBytes, close: files.close };
}
