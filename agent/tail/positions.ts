/** How far the files of one `[[tail]]` were read, as the log keeps it, and what becomes of that when a file is gone. */
import type { Log } from "../buffer/log.ts";
import type { TailPosition } from "../buffer/tables/tails.ts";
import { type Copy, type FoundFile, findCopy } from "./beside.ts";
import { lengthOf } from "./byte-source.ts";
import { markAt } from "./mark.ts";

export interface Positions {
  all(): Promise<TailPosition[]>;
  /** Null for a file that was never read. */
  of(inode: string): Promise<TailPosition | null>;
  /** A copy stands for what it was copied from: it is then no file that was never read. */
  keepAs(copy: Copy, position: TailPosition): Promise<void>;
  /** A file that was read to its end and is gone needs no position; what it was compressed into bears it on. */
  finish(position: TailPosition, beside: readonly FoundFile[]): Promise<void>;
  forget(position: TailPosition): Promise<void>;
  /** Those in the log, and the latest of those forgotten: a copy of such a file may still turn up. */
  everKnown(): Promise<TailPosition[]>;
}

const FORGOTTEN_KEPT = 64;

export function createPositions(log: Log, path: string): Positions {
  const forgotten: TailPosition[] = [];
  const all = () => log.tails({ path });

  async function keepAs(copy: Copy, position: TailPosition): Promise<void> {
    const kept = copy.standing === "same" ? position : await atEndOf(copy, position);
    if (kept !== null) await log.keepTail({ position: { ...kept, inode: copy.file.inode } });
  }

  async function forget(position: TailPosition): Promise<void> {
    await log.forgetTail({ path, inode: position.inode });
    forgotten.push(position);
    if (forgotten.length > FORGOTTEN_KEPT) forgotten.shift();
  }

  return {
    all,
    of: async (inode) => (await all()).find((one) => one.inode === inode) ?? null,
    keepAs,
    async finish(position, beside) {
      const copy = await findCopy(position, beside);
      if (copy !== null) await keepAs(copy, position);
      await forget(position);
    },
    forget,
    everKnown: async () => [...(await all()), ...forgotten],
  };
}

/**
 * A position at the end of a copy that is shorter than what was read of its original. Beyond its end it would be taken for
 * another file by the next look, and read from its start. Null where the copy is gone by now.
 */
async function atEndOf(copy: Copy, position: TailPosition): Promise<TailPosition | null> {
  const source = await copy.open();
  if (source === null) return null;
  try {
    const offset = await lengthOf(source);
    return { ...position, offset, ...(await markAt(source, offset)) };
  } finally {
    await source.close();
  }
}
