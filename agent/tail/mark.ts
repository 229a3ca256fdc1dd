/**
 * How a file is known again, whatever it is called and wherever it was copied: by its first bytes and by those just
 * before the place up to which it was read.
 */
import { createHash } from "node:crypto";
import type { TailPosition } from "../buffer/tables/tails.ts";
import { type ByteSource, WINDOW_BYTES } from "./byte-source.ts";

export type Mark = Pick<TailPosition, "headBytes" | "head">;

export type Standing =
  /** The file holds what was read, at that place. */
  | "same"
  /** It begins alike and ends before that place. */
  | "shorter"
  | "other";

/** The mark of having read `offset` bytes; what stands in `head` is a hash of the first bytes, a dot, a hash of the last. */
export async function markAt(source: ByteSource, offset: number): Promise<Mark> {
  const bytes = Math.min(WINDOW_BYTES, offset);
  const first = hashOf(await source.read(0, bytes));
  const last = hashOf(await source.read(offset - bytes, bytes));
  return { headBytes: bytes, head: `${first}.${last}` };
}

/** Whether a file is the one that was read so far. Positions of older logs know only the first bytes. */
export async function standingOf(source: ByteSource, { offset, headBytes, head }: TailPosition): Promise<Standing> {
  const [first = "", last] = head.split(".");
  const beginning = await source.read(0, headBytes);
  if (beginning.length < headBytes || hashOf(beginning) !== first) return "other";
  const bytes = Math.min(WINDOW_BYTES, offset);
  const before = await source.read(offset - bytes, bytes);
  if (before.length < bytes) return "shorter";
  return last === undefined || hashOf(before) === last ? "same" : "other";
}

/** Whether two files begin alike, as far as the shorter of both goes. */
export async function beginsLike(source: ByteSource, { headBytes, head }: TailPosition): Promise<boolean> {
  const beginning = await source.read(0, headBytes);
  return beginning.length === headBytes && hashOf(beginning) === head.split(".")[0];
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
