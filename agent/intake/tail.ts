/**
 * Follows a file: each line is an event once its newline is there. How far it was read is committed with the events,
 * so that no crash repeats or skips a line. A file is known by its inode and its first bytes: renamed within its
 * directory it is read on to its end, shrunk or begun anew it is read from the start.
 */
import { createHash } from "node:crypto";
import { type FileHandle, open, readdir, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Logger } from "pino";
import type { Log } from "../buffer/log.ts";
import type { TailPosition } from "../buffer/tables/tails.ts";
import { messageOf } from "../runtime/agent-error.ts";
import type { Clock } from "../runtime/clock.ts";
import { endOfLines, splitLines } from "./lines.ts";
import type { LinesHandler } from "./lines-handler.ts";

export interface TailOptions {
  readonly path: string;
  readonly stream: string;
  readonly log: Log;
  readonly lines: LinesHandler;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOOK_EVERY_MS = 200;
/** After trouble: a full buffer, an unknown meter, a file that cannot be read. */
const REST_MS = 2000;
const CHUNK_BYTES = 1024 * 1024;
/** First bytes that tell one file from another that got its inode. */
const HEAD_BYTES_MAX = 1024;
/** Of a line without end this much is looked at; it is no event, and is quarantined cut off. */
const LINE_BYTES_MAX = 2 * 1024 * 1024;
const LINES_MAX = 10_000;

export function startTail(options: TailOptions): { stop(): Promise<void> } {
  const { clock, logger, path } = options;
  const stopping = new AbortController();
  const loop = async () => {
    let trouble: string | null = null;
    while (!stopping.signal.aborted) {
      let found: string | null = null;
      try {
        found = await lookOnce(options, stopping.signal);
      } catch (error) {
        found = messageOf(error);
      }
      if (found !== null && found !== trouble) logger.warn({ path, reason: found }, "a followed file waits");
      trouble = found;
      await clock.sleep(found === null ? LOOK_EVERY_MS : REST_MS, stopping.signal);
    }
  };
  const running = loop();
  return {
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Reads all that is new, renamed files first; what holds it up, in words, or null. */
async function lookOnce(options: TailOptions, signal: AbortSignal): Promise<string | null> {
  const known = await options.log.tails({ path: options.path });
  const current = await inodeOf(options.path);
  const renamed = known.filter(({ inode }) => inode !== current);
  const there = renamed.length === 0 ? new Map<string, string>() : await inodesBeside(options.path);
  for (const position of renamed) {
    const path = there.get(position.inode);
    const read = path === undefined ? "gone" : await follow(path, position, options, signal);
    if (read === "gone") await options.log.forgetTail({ path: options.path, inode: position.inode });
    else if (read !== null) return read;
  }
  if (current === null) return null;
  const position = known.find(({ inode }) => inode === current) ?? null;
  const read = await follow(options.path, position, options, signal);
  return read === "gone" ? null : read;
}

async function inodeOf(path: string): Promise<string | null> {
  const found = await stat(path, { bigint: true }).catch(() => null);
  return found === null || !found.isFile() ? null : String(found.ino);
}

async function inodesBeside(path: string): Promise<Map<string, string>> {
  const directory = dirname(path);
  const inodes = new Map<string, string>();
  for (const name of await readdir(directory)) {
    const inode = await inodeOf(join(directory, name));
    if (inode !== null) inodes.set(inode, join(directory, name));
  }
  return inodes;
}

/** Reads a file from where it was left; "gone" where it is not the file it was, and not the one that is followed. */
async function follow(
  path: string,
  known: TailPosition | null,
  options: TailOptions,
  signal: AbortSignal,
): Promise<string | null> {
  const file = await open(path, "r");
  try {
    const { ino, size } = await file.stat({ bigint: true });
    const same = known !== null && (await isSame(file, Number(size), known));
    if (!same && path !== options.path) return "gone";
    let offset = same ? known.offset : 0;
    while (!signal.aborted) {
      const chunk = await readLines(file, offset);
      if (chunk === null) return null;
      const end = offset + chunk.bytes;
      const tail = { path: options.path, inode: String(ino), offset: end, ...(await headOf(file, end)) };
      const outcome = await options.lines({
        stream: options.stream,
        lines: chunk.lines,
        lenient: true,
        tail,
      });
      if (outcome.kind === "full") return "the buffer is full";
      if (outcome.kind === "unknown-stream") return "the edge knows no such meter";
      offset = end;
    }
    return null;
  } finally {
    await file.close();
  }
}

async function isSame(file: FileHandle, size: number, known: TailPosition): Promise<boolean> {
  if (size < known.offset) return false;
  return (await hashOf(file, known.headBytes)) === known.head;
}

async function headOf(file: FileHandle, offset: number) {
  const headBytes = Math.min(HEAD_BYTES_MAX, offset);
  return { headBytes, head: await hashOf(file, headBytes) };
}

async function hashOf(file: FileHandle, bytes: number): Promise<string> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
  return createHash("sha256").update(buffer.subarray(0, bytesRead)).digest("hex");
}

interface Chunk {
  readonly lines: readonly Uint8Array[];
  readonly bytes: number;
}

/** Whole lines from `offset` on; null where there is none yet. */
async function readLines(file: FileHandle, offset: number): Promise<Chunk | null> {
  for (const wanted of [CHUNK_BYTES, LINE_BYTES_MAX]) {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(wanted), 0, wanted, offset);
    const end = endOfLines(buffer.subarray(0, bytesRead));
    if (end > 0) return firstLines(buffer.subarray(0, end));
    if (bytesRead < wanted) return null;
    if (wanted === LINE_BYTES_MAX) return { lines: [buffer.subarray(0, CHUNK_BYTES)], bytes: bytesRead };
  }
  return null;
}

function firstLines(bytes: Buffer): Chunk {
  const lines = splitLines(bytes).slice(0, LINES_MAX);
  return { lines, bytes: lines.reduce((sum, line) => sum + line.length + 1, 0) };
}
