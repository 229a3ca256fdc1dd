/** The files of a `[[tail]]` that are open: each stays so, whatever it is called by now, until it is released. */
import type { FileHandle } from "node:fs/promises";
import { type FoundFile, openHandle } from "./beside.ts";
import type { ByteSource } from "./byte-source.ts";

export interface OpenFile {
  readonly inode: string;
  readonly handle: FileHandle;
  readonly source: ByteSource;
  /** The largest size that was seen of it. */
  seenBytes: number;
  /** Tick since when it has not grown; null while its name is the one that is followed. */
  quietSince: number | null;
  /** Whether it was looked beside it, since it lost its name, for others that were never seen. */
  isLookedBeside: boolean;
}

export interface OpenFiles {
  /** Null for one that is not open. */
  get(inode: string): OpenFile | null;
  /** As they are now: files may be opened and released while these are walked. */
  all(): OpenFile[];
  /** Opens a file unless it is open; its inode as the open file has it. */
  hold(file: FoundFile): Promise<string>;
  release(file: OpenFile): Promise<void>;
  close(): Promise<void>;
}

export function createOpenFiles(): OpenFiles {
  const held = new Map<string, OpenFile>();

  async function release(file: OpenFile): Promise<void> {
    held.delete(file.inode);
    await file.source.close();
  }

  return {
    get: (inode) => held.get(inode) ?? null,
    all: () => [...held.values()],
    async hold(file) {
      const before = held.get(file.inode);
      if (before !== undefined) {
        before.quietSince = null;
        return before.inode;
      }
      const opened = await openHandle(file.path);
      if (held.has(opened.inode)) await opened.handle.close();
      else held.set(opened.inode, { ...opened, seenBytes: 0, quietSince: null, isLookedBeside: false });
      return opened.inode;
    },
    release,
    async close() {
      for (const file of [...held.values()]) await release(file);
    },
  };
}
