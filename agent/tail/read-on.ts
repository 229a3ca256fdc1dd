/** Takes the lines of one source in, from a place on to its end. */
import type { TailPosition } from "../buffer/tables/tails.ts";
import type { LinesHandler } from "../intake/lines-handler.ts";
import type { ByteSource } from "./byte-source.ts";
import { readLineChunk } from "./line-chunk.ts";
import { markAt, standingOf } from "./mark.ts";

export interface ReadRequest {
  readonly source: ByteSource;
  /** The `[[tail]]` path, under which positions are kept. */
  readonly path: string;
  readonly inode: string;
  /** Null: from the start. */
  readonly position: TailPosition | null;
  readonly stream: string;
  readonly lines: LinesHandler;
  readonly signal: AbortSignal;
}

export type ReadOutcome =
  /** Every whole line is in. */
  | { readonly kind: "read"; readonly position: TailPosition | null }
  /** The file is not what it was when the last line was taken: cut, or begun anew. */
  | { readonly kind: "changed"; readonly position: TailPosition | null }
  | { readonly kind: "held-up"; readonly position: TailPosition | null; readonly reason: string };

/**
 * Reads on to the end. A run of lines is given away only after the file was looked at again: a file that is cut and
 * grows anew while it is read would else be taken for what it was.
 */
export async function readOn(request: ReadRequest): Promise<ReadOutcome> {
  const { source, path, inode, stream, lines, signal } = request;
  let position = request.position;
  while (!signal.aborted) {
    const offset = position?.offset ?? 0;
    const chunk = await readLineChunk(source, offset);
    if (position !== null && (await standingOf(source, position)) !== "same") return { kind: "changed", position };
    if (chunk === null) break;
    const end = offset + chunk.bytes;
    const next: TailPosition = { path, inode, offset: end, ...(await markAt(source, end)) };
    const again = await source.read(end - chunk.end.length, chunk.end.length);
    if (!again.equals(chunk.end)) return { kind: "changed", position };
    const outcome = await lines({ stream, lines: chunk.lines, lenient: true, tail: next });
    if (outcome.kind === "full") return { kind: "held-up", position, reason: "the buffer is full" };
    if (outcome.kind === "unknown-stream") {
      return { kind: "held-up", position, reason: "the edge knows no such meter" };
    }
    position = next;
  }
  return { kind: "read", position };
}
