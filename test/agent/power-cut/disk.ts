/**
 * What a power cut leaves of the files that a program wrote. Pure.
 *
 * Durable is what an fsync that came back had to cover: all that was done to that file before the fsync began. Of
 * the rest anything may be left, whatever the order it was done in: each write is there, missing or torn at the
 * edges of sectors, each change of size is there or not, a file that grew without its bytes reads as zeros there.
 *
 * A name is durable by an fsync of its directory alone, as POSIX has it; ext4 and others keep a new file's name at
 * that file's own fsync too, and what survives here survives there. Names that were not synced are kept in the order
 * in which they were made, as a journal does: a cut leaves some first part of them, in each directory by itself.
 */
import { basename, dirname } from "node:path";
import type { Random } from "../../shared/random-json.ts";
import { type FileChange, FileImage } from "./file-image.ts";

/** Lines of the trace: an operation may have happened once it began, and has happened once it ended. */
interface Moment {
  readonly began: number;
  readonly ended: number;
}

/** Files have numbers, which they keep under any name; directories are known by their paths and never renamed. */
export type DiskOperation = Moment &
  (
    | { readonly kind: "change"; readonly file: number; readonly change: FileChange }
    | { readonly kind: "sync"; readonly file: number }
    | { readonly kind: "make-file"; readonly path: string; readonly file: number }
    | { readonly kind: "make-directory"; readonly path: string }
    | { readonly kind: "remove"; readonly path: string }
    /** Within one directory. */
    | { readonly kind: "rename"; readonly from: string; readonly to: string; readonly file: number }
    | { readonly kind: "sync-directory"; readonly path: string }
  );

/** The files and directories below the disk's root, paths absolute, a directory before what is in it. */
export interface Left {
  readonly directories: readonly string[];
  readonly files: ReadonlyMap<string, Buffer>;
}

type Entry = { readonly kind: "file"; readonly file: number } | { readonly kind: "directory" };
type NameChange = Moment & { readonly names: readonly (readonly [name: string, entry: Entry | null])[] };

interface Directory {
  readonly durable: Map<string, Entry>;
  unsynced: NameChange[];
}

interface File {
  readonly durable: FileImage;
  /** Each with the size that the file had after it. */
  unsynced: (Moment & { readonly change: FileChange; readonly size: number })[];
  size: number;
}

const SECTOR_BYTES = 512;

/** How likely a write is to be there whole, or torn; the others are missing. One for all writes of a cut. */
const FATES = [
  { whole: 0, torn: 0 },
  { whole: 1, torn: 0 },
  { whole: 1 / 3, torn: 1 / 3 },
  { whole: 0.9, torn: 0.05 },
  { whole: 0, torn: 1 },
] as const;

/**
 * @param operations in any order.
 * @param root the directory that was there before and is durable.
 * @param at the line before which the power goes: what began earlier may be left, what a sync that ended earlier
 *   covered is. Infinity with nothing lost gives the files as they were.
 * @param random decides what is left of what was not synced; null leaves all of it.
 */
export function cutPower(operations: readonly DiskOperation[], root: string, at: number, random: Random | null): Left {
  const files = new Map<number, File>();
  const directories = new Map<string, Directory>([[root, { durable: new Map(), unsynced: [] }]]);
  for (const operation of inOrderOfEffect(operations, at)) perform(operation, files, directories);

  const fate = random?.pick(FATES) ?? FATES[1];
  const left = { directories: [] as string[], files: new Map<string, Buffer>() };
  const images = new Map([...files].map(([number, file]) => [number, imageLeft(file, fate, random)]));
  const visit = (path: string) => {
    const directory = directories.get(path);
    if (directory === undefined) throw new Error(`${path} was made before it was traced`);
    for (const [name, entry] of namesLeft(directory, random)) {
      const child = `${path}/${name}`;
      if (entry.kind === "file") {
        left.files.set(child, images.get(entry.file) ?? Buffer.alloc(0));
      } else {
        left.directories.push(child);
        visit(child);
      }
    }
  };
  visit(root);
  return left;
}

/** Changes count from their beginning, syncs from their end. */
function inOrderOfEffect(operations: readonly DiskOperation[], at: number): DiskOperation[] {
  const effectAt = (operation: DiskOperation) =>
    operation.kind === "sync" || operation.kind === "sync-directory" ? operation.ended : operation.began;
  return operations
    .filter((operation) => effectAt(operation) < at)
    .sort((a, b) => effectAt(a) - effectAt(b) || a.began - b.began);
}

function perform(operation: DiskOperation, files: Map<number, File>, directories: Map<string, Directory>): void {
  const fileOf = (number: number): File => {
    const file = files.get(number) ?? { durable: new FileImage(), unsynced: [], size: 0 };
    files.set(number, file);
    return file;
  };
  const directoryOf = (path: string): Directory => {
    const directory = directories.get(path);
    if (directory === undefined) throw new Error(`${path} was made before it was traced`);
    return directory;
  };
  const { began, ended } = operation;
  const name = (path: string, names: NameChange["names"]) =>
    void directoryOf(dirname(path)).unsynced.push({ began, ended, names });
  switch (operation.kind) {
    case "change": {
      const file = fileOf(operation.file);
      const { change } = operation;
      file.size = change.kind === "resize" ? change.size : Math.max(file.size, change.offset + change.bytes.length);
      file.unsynced.push({ began, ended, change, size: file.size });
      break;
    }
    case "sync": {
      const file = fileOf(operation.file);
      for (const { change } of file.unsynced.filter((one) => one.ended < began)) file.durable.apply(change);
      file.unsynced = file.unsynced.filter((one) => one.ended >= began);
      break;
    }
    case "make-file":
      name(operation.path, [[basename(operation.path), { kind: "file", file: operation.file }]]);
      break;
    case "make-directory":
      name(operation.path, [[basename(operation.path), { kind: "directory" }]]);
      directories.set(operation.path, { durable: new Map(), unsynced: [] });
      break;
    case "remove":
      name(operation.path, [[basename(operation.path), null]]);
      break;
    case "rename": {
      const { from, to, file } = operation;
      if (dirname(from) !== dirname(to)) throw new Error(`a rename across directories is not modelled: ${from}`);
      name(from, [
        [basename(from), null],
        [basename(to), { kind: "file", file }],
      ]);
      break;
    }
    case "sync-directory": {
      const directory = directoryOf(operation.path);
      for (const change of directory.unsynced.filter((one) => one.ended < began)) rename(directory.durable, change);
      directory.unsynced = directory.unsynced.filter((one) => one.ended >= began);
    }
  }
}

function rename(entries: Map<string, Entry>, { names }: NameChange): void {
  for (const [name, entry] of names) {
    if (entry === null) entries.delete(name);
    else entries.set(name, entry);
  }
}

function namesLeft({ durable, unsynced }: Directory, random: Random | null): Map<string, Entry> {
  const names = new Map(durable);
  const count = random === null ? unsynced.length : random.below(unsynced.length + 1);
  for (const change of unsynced.slice(0, count)) rename(names, change);
  return names;
}

function imageLeft({ durable, unsynced }: File, fate: (typeof FATES)[number], random: Random | null): Buffer {
  const image = durable.copy();
  let size = durable.size;
  for (const { change, size: sizeAfter } of unsynced) {
    const grew = sizeAfter > size;
    size = sizeAfter;
    const isThere = random === null || random.chance(fate.whole);
    if (isThere) image.apply(change);
    else if (!random.chance(fate.torn / (1 - fate.whole))) continue;
    else if (change.kind === "resize") image.apply(change);
    // The new size alone may be there, without the bytes that it is for.
    else if (grew && random.chance(0.3)) image.resize(Math.max(image.size, sizeAfter));
    else tear(image, change, random);
  }
  return image.content();
}

/** Puts some of a write's sectors into the image. */
function tear(image: FileImage, { offset, bytes }: FileChange & { kind: "write" }, random: Random): void {
  const end = offset + bytes.length;
  for (let from = offset; from < end; ) {
    const to = Math.min(end, from - (from % SECTOR_BYTES) + SECTOR_BYTES);
    if (random.chance(0.5)) image.write(from, bytes.subarray(from - offset, to - offset));
    from = to;
  }
}
