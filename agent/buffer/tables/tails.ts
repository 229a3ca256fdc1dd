/** How far followed files were read; moves on in the very transaction that takes their events in. */
import type { DatabaseSync } from "node:sqlite";
import type { TailPosition } from "../transactions/operations.ts";
import { integer, text } from "./column.ts";

export interface TailTable {
  keep(position: TailPosition): void;
  of(path: string): TailPosition[];
  forget(path: string, inode: string): void;
}

export function createTailTable(db: DatabaseSync): TailTable {
  const upsert = db.prepare(
    `INSERT INTO tails (path, inode, offset, head_bytes, head) VALUES (?, ?, ?, ?, ?) ON CONFLICT (path, inode)
     DO UPDATE SET offset = excluded.offset, head_bytes = excluded.head_bytes, head = excluded.head`,
  );
  const select = db.prepare("SELECT inode, offset, head_bytes, head FROM tails WHERE path = ?");
  const remove = db.prepare("DELETE FROM tails WHERE path = ? AND inode = ?");
  return {
    keep: ({ path, inode, offset, headBytes, head }) => void upsert.run(path, inode, offset, headBytes, head),
    of: (path) =>
      select.all(path).map((row) => ({
        path,
        inode: text(row, "inode"),
        offset: integer(row, "offset"),
        headBytes: integer(row, "head_bytes"),
        head: text(row, "head"),
      })),
    forget: (path, inode) => void remove.run(path, inode),
  };
}
