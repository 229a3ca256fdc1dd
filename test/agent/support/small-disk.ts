/** Real, small file systems: what a full disk does cannot be told from a simulated one. Mounting them needs root. */
import { execFileSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type TempDir, tempDir } from "../../../tools/processes/temp-dir.ts";

export const canMount = process.getuid?.() === 0 && process.platform === "linux";

/** A tmpfs of `bytes`, closed to others; `remove()` takes it away, whoever still has files open there. */
export function mountSmallDisk(bytes: number): TempDir {
  const { path, remove } = tempDir("weir-tmpfs");
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${bytes},mode=0700`, "tmpfs", path]);
  return {
    path,
    remove() {
      execFileSync("umount", ["-l", path]);
      remove();
    },
  };
}

/** As {@link mountSmallDisk}, for the length of one test. */
export function smallDisk(bytes: number): string {
  const disk = mountSmallDisk(bytes);
  onTestFinished(disk.remove);
  return disk.path;
}

/** A file that takes what room a disk has. */
export interface Filler {
  /** Takes all but about `leave` bytes. */
  fill(leave?: number): void;
  empty(): void;
}

const LARGEST_BYTES = 16 * 1024 * 1024;

export function createFiller(disk: string): Filler {
  const [file, spare] = [join(disk, "filler"), join(disk, "spare")];
  return {
    fill(leave = 0) {
      if (leave > 0) writeFully(spare, leave);
      for (let size = LARGEST_BYTES; size >= 1; size = Math.floor(size / 2)) while (writeFully(file, size));
      rmSync(spare, { force: true });
    },
    empty() {
      if (existsSync(file)) rmSync(file);
    },
  };
}

/** Appends; false where the disk had no room for all of it. */
function writeFully(file: string, bytes: number): boolean {
  try {
    writeFileSync(file, Buffer.alloc(bytes), { flag: "a" });
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOSPC") return false;
    throw error;
  }
}
