/** What lies beside a followed file: what it was renamed to, what it was copied to, what was rotated unseen. */
import { constants } from "node:fs";
import { type FileHandle, glob, open, readdir, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { TailPosition } from "../buffer/tables/tails.ts";
import { type ByteSource, gzipSource, plainSource } from "./byte-source.ts";
import { beginsLike, type Standing, standingOf } from "./mark.ts";
import { trustedPath } from "./trusted-path.ts";

export interface FoundFile {
  readonly path: string;
  readonly inode: string;
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly modified: bigint;
}

/** Where the rest of a file was found that is no longer there under its inode. */
export interface Copy {
  readonly file: FoundFile;
  /** "shorter": it holds nothing that was not read before. */
  readonly standing: Exclude<Standing, "other">;
  /** Null where it is gone or another file by now. */
  open(): Promise<ByteSource | null>;
}

/** A compressed file is never followed itself: it is looked into for what its original held. */
const COMPRESSED = /\.(?:gz|xz|bz2|zst)$/;
/** What rotation puts behind a file's name: a number or a date, perhaps gzipped. */
const ROTATED = /^[.-]\d{1,14}(?:[.-]\d{1,14})*(?:\.gz)?$/;

export function isPattern(path: string): boolean {
  return /[*?[{]/.test(path);
}

/** The files that a path or a pattern names now, the one written last at the end. */
export async function filesNamed(path: string): Promise<FoundFile[]> {
  if (!isPattern(path)) return (await fileAt(path)) ?? [];
  const found: FoundFile[] = [];
  for await (const name of glob(path)) if (!COMPRESSED.test(name)) found.push(...((await fileAt(name)) ?? []));
  return inOrder(found);
}

/** The files in the directories that a path or a pattern reaches. */
export async function filesBeside(path: string, named: readonly FoundFile[]): Promise<FoundFile[]> {
  const directories = new Set(named.map((file) => dirname(file.path)));
  if (!isPattern(path)) directories.add(dirname(path));
  const found: FoundFile[] = [];
  for (const directory of directories) {
    for (const name of await readdir(directory)) found.push(...((await fileAt(join(directory, name))) ?? []));
  }
  return inOrder(found);
}

/** Finds a copy of what was read up to `position`: under its inode's former name, a copy, or a gzipped one. */
export async function findCopy(position: TailPosition, files: readonly FoundFile[]): Promise<Copy | null> {
  const candidates = files.filter(({ inode }) => inode !== position.inode);
  for (const wantsGzip of [false, true]) {
    for (const file of candidates) {
      if (file.path.endsWith(".gz") !== wantsGzip || (!wantsGzip && COMPRESSED.test(file.path))) continue;
      const standing = await standingIn(file, position);
      if (standing !== "other") return { file, standing, open: () => openFound(file) };
    }
  }
  return null;
}

const NANOSECONDS = 1_000_000_000n;

/**
 * Files rotated off `path` that were never read: not last written to before the second of `since`, and copies of nothing
 * known. By the second, because logrotate gives what it compresses the time of its original without the fraction.
 * @param since nanoseconds since 1970: when what was read last was written to last.
 */
export async function rotatedUnseen(
  path: string,
  since: bigint,
  known: readonly TailPosition[],
  files: readonly FoundFile[],
): Promise<FoundFile[]> {
  const inodes = new Set(known.map(({ inode }) => inode));
  const unseen: FoundFile[] = [];
  for (const file of files) {
    const name = basename(file.path);
    if (!name.startsWith(basename(path)) || !ROTATED.test(name.slice(basename(path).length))) continue;
    if (file.modified / NANOSECONDS < since / NANOSECONDS || inodes.has(file.inode) || file.size === 0) continue;
    if (!(await isCopyOfKnown(file, known))) unseen.push(file);
  }
  return unseen;
}

/** Null where another file bears its name by now, for names move on while a directory is looked through, or it is refused. */
export async function openFound({ path, inode }: FoundFile): Promise<ByteSource | null> {
  const opened = await openHandle(path).catch(() => null);
  if (opened?.kind !== "open") return null;
  if (opened.inode !== inode) {
    await opened.handle.close();
    return null;
  }
  return path.endsWith(".gz") ? gzipSource(opened.handle) : opened.source;
}

async function isCopyOfKnown(file: FoundFile, known: readonly TailPosition[]): Promise<boolean> {
  const source = await openFound(file);
  if (source === null) return true;
  try {
    for (const position of known) if (await beginsLike(source, position)) return true;
    return false;
  } catch {
    // Half written, as a gzip in the making is: its original is still there, and is what is read.
    return true;
  } finally {
    await source.close();
  }
}

async function standingIn(file: FoundFile, position: TailPosition): Promise<Standing> {
  const source = await openFound(file);
  if (source === null) return "other";
  try {
    return await standingOf(source, position);
  } catch {
    // Gone meanwhile, or no whole gzip: it is looked at again with the next look.
    return "other";
  } finally {
    await source.close();
  }
}

/** A list of one, or null where there is no regular file. */
async function fileAt(path: string): Promise<FoundFile[] | null> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  if (found === null || !found.isFile()) return null;
  return [{ path, inode: String(found.ino), size: Number(found.size), modified: found.mtimeNs }];
}

function inOrder(files: FoundFile[]): FoundFile[] {
  return files.sort((a, b) => (a.modified < b.modified ? -1 : a.modified > b.modified ? 1 : 0));
}

export type Opened =
  | {
      readonly kind: "open";
      readonly handle: FileHandle;
      readonly inode: string;
      /** Reads by the handle, whatever becomes of the file's name. */
      readonly source: ByteSource;
    }
  /** It is no regular file, or lies behind a link that is not followed. */
  | { readonly kind: "refused"; readonly reason: string };

/** A name may move on between its being looked at and its being opened. */
const TRIES = 3;
/** A pipe that somebody puts there would hold up whoever opens it, and a link is none that was looked at. */
const FLAGS = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

/** Opens the very file that a path leads to by links that are followed. @throws the file system's error. */
export async function openHandle(path: string): Promise<Opened> {
  for (let tries = 0; tries < TRIES; tries++) {
    const way = await trustedPath(path);
    if (way.kind === "refused") return way;
    const handle = await open(way.path, FLAGS);
    const { dev, ino } = await handle.stat({ bigint: true });
    const isSame = dev === way.found.dev && ino === way.found.ino;
    if (isSame && way.found.isFile()) return { kind: "open", handle, inode: String(ino), source: plainSource(handle) };
    await handle.close();
    if (isSame) return { kind: "refused", reason: `${path} is no regular file` };
  }
  return { kind: "refused", reason: `${path} leads to another file each time it is opened` };
}
