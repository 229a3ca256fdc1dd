/** The files of a `[[tail]]` that are open: each stays so, whatever it is called by now, until it is released. */
import type { FileHandle } from "node:fs/promises";
import { type FoundFile, type Opened, openHandle } from "./beside.ts";
import type { ByteSource } from "./byte-source.ts";

export interface OpenFile {
  readonly inode: string;
  readonly handle: FileHandle;
  readonly source: ByteSource;
  /** The largest size that was seen of it. */
  seenBytes: number;
  /** When it was written to last, as of the last look at it; nanoseconds since 1970. */
  modified: bigint;
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
  /** Opens what bears this name now, unless it is open. */
  holdNamed(file: FoundFile): Promise<HeldName>;
  /** Opens this very file unless it is open; null where its name is gone, or another's by now, or it is refused. */
  holdFound(file: FoundFile): Promise<OpenFile | null>;
  release(file: OpenFile): Promise<void>;
  close(): Promise<void>;
}

export type HeldName =
  | { readonly kind: "held"; readonly inode: string }
  | { readonly kind: "refused"; readonly reason: string };

export function createOpenFiles(): OpenFiles {
  const held = new Map<string, OpenFile>();

  function again({ inode }: FoundFile): OpenFile | null {
    const file = held.get(inode) ?? null;
    if (file !== null) file.quietSince = null;
    return file;
  }

  async function keep({ inode, handle, source }: Opened & { readonly kind: "open" }): Promise<OpenFile> {
    const before = held.get(inode);
    if (before !== undefined) {
      await handle.close();
      return before;
    }
    const file = { inode, handle, source, seenBytes: 0, modified: 0n, quietSince: null, isLookedBeside: false };
    held.set(inode, file);
    return file;
  }

  async function release(file: OpenFile): Promise<void> {
    held.delete(file.inode);
    await file.source.close();
  }

  return {
    get: (inode) => held.get(inode) ?? null,
    all: () => [...held.values()],
    async holdNamed(file) {
      const before = again(file);
      if (before !== null) return { kind: "held", inode: before.inode };
      const opened = await openHandle(file.path);
      return opened.kind === "refused" ? opened : { kind: "held", inode: (await keep(opened)).inode };
    },
    async holdFound(file) {
      const before = again(file);
      if (before !== null) return before;
      const opened = await openHandle(file.path).catch(unlessGone);
      if (opened?.kind !== "open") return null;
      if (opened.inode === file.inode) return keep(opened);
      await opened.handle.close();
      return null;
    },
    release,
    async close() {
      for (const file of [...held.values()]) await release(file);
    },
  };
}

function unlessGone(error: unknown): null {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return null;
  throw error;
}
