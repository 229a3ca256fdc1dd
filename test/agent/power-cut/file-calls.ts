/** From system calls to what they did to the files below one directory, and to the answers that went out. */
import { dirname } from "node:path";
import type { DiskOperation } from "./disk.ts";
import type { FileChange } from "./file-image.ts";
import { type SystemCall, stringsIn } from "./system-calls.ts";

/** What strace has to record for {@link readFileCalls} to miss nothing. */
export const TRACED_CALLS = [
  ...["open", "openat", "openat2", "creat", "close", "dup", "dup2", "dup3", "lseek", "mmap"],
  ...["write", "writev", "pwrite64", "pwritev", "pwritev2", "sendto", "sendmsg", "sendfile", "copy_file_range"],
  ...["ftruncate", "truncate", "fallocate", "fsync", "fdatasync", "sync_file_range", "sync", "syncfs"],
  ...["rename", "renameat", "renameat2", "unlink", "unlinkat", "rmdir", "mkdir", "mkdirat", "link", "linkat"],
] as const;

/** A 200 whose request named itself by a track id. */
export interface Acknowledgement {
  readonly trackId: string;
  /** The line at which its first bytes began to go out. */
  readonly at: number;
}

export interface FileCalls {
  readonly operations: readonly DiskOperation[];
  readonly acknowledgements: readonly Acknowledgement[];
}

type Descriptor =
  | { readonly kind: "file"; readonly path: string; readonly file: number; readonly appends: boolean; offset: number }
  | { readonly kind: "directory"; readonly path: string };

/**
 * @param runs the calls of one process after the other, their threads' together, on one numbering of lines.
 * @param root the directory that was there and empty before the first of them.
 * @throws Error where a call does what is not modelled here, or its process ended within it.
 */
export function readFileCalls(runs: readonly (readonly SystemCall[])[], root: string): FileCalls {
  const disk = createNames(root);
  const acknowledgements: Acknowledgement[] = [];
  for (const calls of runs) {
    const descriptors: Descriptors = new Map();
    for (const call of inOrderOfEffect(calls)) {
      if (call.result < 0) continue;
      const on = descriptors.get(Number.parseInt(call.args, 10));
      if (on !== undefined && call.name !== "close") {
        use(on, call, disk);
        continue;
      }
      follow(call, descriptors, disk);
      const trackId = /^(write|writev|sendto|sendmsg)$/.test(call.name) ? acknowledgedIn(call) : null;
      if (trackId !== null) acknowledgements.push({ trackId, at: call.began });
    }
  }
  return { operations: disk.operations, acknowledgements };
}

/** A descriptor's number may be given again as soon as its close has begun, and means the new file once open ends. */
function inOrderOfEffect(calls: readonly SystemCall[]): SystemCall[] {
  const effectAt = ({ name, began, ended }: SystemCall) => (name.startsWith("open") ? ended : began);
  return calls.toSorted((a, b) => effectAt(a) - effectAt(b));
}

const TRACK_ID = /^zuora-track-id: (.*?)\r?$/im;

function acknowledgedIn(call: SystemCall): string | null {
  // "HTTP/1.1 200", as strace writes it: most writes need no decoding to be seen to be something else.
  if (!call.args.includes(String.raw`\x48\x54\x54\x50\x2f\x31\x2e\x31\x20\x32\x30\x30`)) return null;
  return TRACK_ID.exec(Buffer.concat(stringsIn(call.args)).toString("latin1"))?.[1] ?? null;
}

/** The names below the root as a running program sees them, and what was done under them so far. */
function createNames(root: string) {
  const operations: DiskOperation[] = [];
  const files = new Map<string, number>();
  const sizes = new Map<number, number>();
  let made = 0;
  return {
    operations,
    files,
    sizes,
    isInside: (path: string) => path === root || path.startsWith(`${root}/`),
    make(path: string, { began, ended }: SystemCall): number {
      const file = made++;
      files.set(path, file);
      sizes.set(file, 0);
      operations.push({ kind: "make-file", path, file, began, ended });
      return file;
    },
    change(file: number, change: FileChange, { began, ended }: SystemCall): void {
      const size = sizes.get(file) ?? 0;
      sizes.set(file, change.kind === "resize" ? change.size : Math.max(size, change.offset + change.bytes.length));
      operations.push({ kind: "change", file, change, began, ended });
    },
  };
}

type Names = ReturnType<typeof createNames>;

type Descriptors = Map<number, Descriptor>;

function refuse({ name, args, began }: SystemCall): never {
  throw new Error(`trace line ${began}: ${name} of a file below the root is not modelled: ${args.slice(0, 200)}`);
}

/** What a call does that names files, or gives and takes numbers for them. */
function follow(call: SystemCall, descriptors: Descriptors, disk: Names): void {
  switch (call.name) {
    case "open":
    case "openat":
    case "creat":
      open(call, descriptors, disk);
      break;
    case "close":
      descriptors.delete(Number.parseInt(call.args, 10));
      break;
    case "mkdir":
    case "mkdirat":
    case "unlink":
    case "unlinkat":
    case "rmdir":
    case "rename":
    case "renameat":
    case "renameat2":
      changeNames(call, disk);
      break;
    case "openat2":
    case "truncate":
    case "link":
    case "linkat":
      if (stringsIn(call.args).some((path) => disk.isInside(path.toString()))) refuse(call);
      break;
    case "mmap": {
      // A file mapped to be written would change without a call.
      const [, , protection = "", flags = "", number = ""] = call.args.split(", ");
      const isWritten = protection.includes("PROT_WRITE") && flags.includes("MAP_SHARED");
      if (isWritten && descriptors.has(Number(number))) refuse(call);
    }
    // sync and syncfs would make durable what is taken for lost here: strict, not wrong.
  }
}

/** What a call does to the file or directory that its number stands for. */
function use(on: Descriptor, call: SystemCall, disk: Names): void {
  const { name, args, result, began, ended } = call;
  const isSync = name === "fsync" || name === "fdatasync";
  if (Number.isNaN(result)) {
    if (isSync) return;
    throw new Error(`trace line ${began}: the process ended within ${name}, nobody knows whether it was done`);
  }
  if (on.kind === "directory") {
    if (!isSync) refuse(call);
    disk.operations.push({ kind: "sync-directory", path: on.path, began, ended });
  } else if (isSync) {
    disk.operations.push({ kind: "sync", file: on.file, began, ended });
  } else if (name === "ftruncate") {
    disk.change(on.file, { kind: "resize", size: lastNumber(args) }, call);
  } else if (name === "pwrite64") {
    disk.change(on.file, { kind: "write", offset: lastNumber(args), bytes: written(args, result) }, call);
  } else if (name === "write" || name === "writev") {
    const bytes = written(args, result);
    const offset = on.appends ? (disk.sizes.get(on.file) ?? 0) : on.offset;
    on.offset = offset + bytes.length;
    disk.change(on.file, { kind: "write", offset, bytes }, call);
  } else {
    refuse(call);
  }
}

function open(call: SystemCall, descriptors: Descriptors, disk: Names): void {
  const { args, result, name } = call;
  const path = stringsIn(args)[0]?.toString() ?? "";
  // Whatever it is, the number stands for something else from here on.
  descriptors.delete(result);
  if (!disk.isInside(path)) return;
  const known = disk.files.get(path);
  const makes = name === "creat" || args.includes("O_CREAT");
  if (known === undefined && !makes) {
    descriptors.set(result, { kind: "directory", path });
    return;
  }
  const file = known ?? disk.make(path, call);
  if (known !== undefined && (name === "creat" || args.includes("O_TRUNC"))) {
    disk.change(file, { kind: "resize", size: 0 }, call);
  }
  descriptors.set(result, { kind: "file", path, file, appends: args.includes("O_APPEND"), offset: 0 });
}

function changeNames(call: SystemCall, disk: Names): void {
  const { name, args, began, ended } = call;
  const [path = "", to = ""] = stringsIn(args).map(String);
  if (!disk.isInside(path) && !disk.isInside(to)) return;
  if (name.startsWith("mkdir")) {
    disk.operations.push({ kind: "make-directory", path, began, ended });
    return;
  }
  const file = disk.files.get(path);
  if (file === undefined) {
    // The control socket was made by no call on files, and is none.
    if (!path.endsWith(".sock")) refuse(call);
    return;
  }
  disk.files.delete(path);
  if (name.startsWith("unlink")) {
    disk.operations.push({ kind: "remove", path, began, ended });
    return;
  }
  if (!name.startsWith("rename") || dirname(to) !== dirname(path)) refuse(call);
  disk.files.set(to, file);
  disk.operations.push({ kind: "rename", from: path, to, file, began, ended });
}

/** As many bytes as the call took. */
function written(args: string, result: number): Buffer {
  return Buffer.concat(stringsIn(args)).subarray(0, result);
}

function lastNumber(args: string): number {
  return Number(args.slice(args.lastIndexOf(", ") + 2));
}
