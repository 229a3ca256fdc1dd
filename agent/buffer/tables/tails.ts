/** How far followed files were read; moves on in the very transaction that takes their events in. */
import type { DatabaseSync } from "node:sqlite";
import { query, statement } from "./rows.ts";

/** How far a file was read that is followed. */
export interface TailPosition {
  /** The path that is followed; the file itself may have been renamed since. */
  readonly path: string;
  readonly inode: string;
  readonly offset: number;
  /** How many of its first bytes `head` is a hash of. */
  readonly headBytes: number;
  readonly head: string;
}

export interface TailTable {
  keep(position: TailPosition): void;
  of(path: string): TailPosition[];
  forget(path: string, inode: string): void;
}

export function createTailTable(db: DatabaseSync): TailTable {
  const upsert = statement(
    db,
    `INSERT INTO tails (path, inode, offset, head_bytes, head) VALUES (:path, :inode, :offset, :headBytes, :head)
     ON CONFLICT (path, inode)
     DO UPDATE SET offset = excluded.offset, head_bytes = excluded.head_bytes, head = excluded.head`,
  );
  const ofPath = query(
    db,
    ["inode", "offset", "head_bytes", "head"],
    "SELECT inode, offset, head_bytes, head FROM tails WHERE path = :path",
  );
  const remove = statement(db, "DELETE FROM tails WHERE path = :path AND inode = :inode");
  return {
    keep: ({ path, inode, offset, headBytes, head }) => void upsert.run({ path, inode, offset, headBytes, head }),
    of: (path) =>
      ofPath
        .all({ path })
        .map(({ inode, offset, head_bytes: headBytes, head }) => ({ path, inode, offset, headBytes, head })),
    forget: (path, inode) => void remove.run({ path, inode }),
  };
}
