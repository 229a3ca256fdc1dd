/** Reads a request's body, bounded in memory and in time. */
import type { IncomingMessage } from "node:http";
import type { BodyCoding } from "../../shared/intake/headers.ts";
import { freeBytes } from "../buffer/tables/event-run.ts";
import type { BodyShare } from "./body-budget.ts";
import type { BodyRead } from "./body-read.ts";
import { ByteBlocks } from "./byte-blocks.ts";
import type { Gunzip } from "./gunzip.ts";

/** Gzip may make what cannot be compressed a little larger. */
const GZIP_OVERHEAD_BYTES = 64 * 1024;
/** A body has this long, and a second more for each so many bytes that have come; while it waits for room, it has time. */
const GRACE_MS = 10_000;
const BYTES_A_SECOND_MIN = 16 * 1024;
/** Bodies under way are looked at so often: a timer of its own would cost each of them more than its reading. */
const LOOK_EVERY_MS = 1_000;

export interface BodyLimit {
  /** Bytes after inflation; inflating stops there. */
  readonly bytesMax: number;
  /** Takes what has come of the body and what that becomes. */
  readonly share: BodyShare;
}

export function readBody(
  request: IncomingMessage,
  coding: BodyCoding,
  limit: BodyLimit,
  gunzip: Gunzip,
): Promise<BodyRead> {
  return coding === "identity" ? readRaw(request, limit) : readZipped(request, limit, gunzip);
}

async function readZipped(request: IncomingMessage, { bytesMax, share }: BodyLimit, gunzip: Gunzip): Promise<BodyRead> {
  const raw = await readRaw(request, { bytesMax: bytesMax + GZIP_OVERHEAD_BYTES, share });
  if (raw.kind !== "bytes") return raw;
  const inflated = await gunzip(raw.bytes, bytesMax, share);
  share.give(raw.bytes.length);
  freeBytes(raw.bytes);
  return inflated;
}

/** The body as it is on the wire. A client is read no faster than there is room for what it sends. */
export function readRaw(request: IncomingMessage, limit: BodyLimit): Promise<BodyRead> {
  const declared = Number(request.headers["content-length"] ?? Number.NaN);
  if (declared > limit.bytesMax) return Promise.resolve({ kind: "too-large" });
  return new Promise((resolve) => {
    new BodyReader(request, declared, limit, resolve).start();
  });
}

// A class, since closures for each of its listeners would cost every request more than the reading.
class BodyReader {
  private readonly request: IncomingMessage;
  private readonly declared: number;
  private readonly limit: BodyLimit;
  private readonly resolve: (read: BodyRead) => void;
  private blocks: ByteBlocks | null = null;
  private whole: Uint8Array | null = null;
  /** Moves on by what the body has waited for room. */
  private begun = performance.now();
  private isWaiting = false;
  private isOver = false;

  constructor(request: IncomingMessage, declared: number, limit: BodyLimit, resolve: (read: BodyRead) => void) {
    this.request = request;
    this.declared = declared;
    this.limit = limit;
    this.resolve = resolve;
  }

  start(): void {
    this.request.on("data", (chunk: Buffer) => this.take(chunk));
    this.request.on("end", () => this.end({ kind: "bytes", bytes: this.whole ?? this.blocks?.take() ?? NO_BYTES }));
    // Behind the end too, where it is too late to matter; without a listener a request has no error of its own.
    this.request.on("close", () => this.end(GONE));
    watch(this);
  }

  /** Gives it up where it comes too slowly. */
  look(now: number): void {
    const allowedMs = GRACE_MS + ((this.blocks?.length ?? 0) / BYTES_A_SECOND_MIN) * 1000;
    if (!this.isWaiting && now - this.begun > allowedMs) this.end({ kind: "slow" });
  }

  private end(read: BodyRead): void {
    if (this.isOver) return;
    this.isOver = true;
    underWay.delete(this);
    this.blocks?.drop();
    this.resolve(read);
  }

  private take(chunk: Buffer): void {
    if (this.isOver) return;
    const { share, bytesMax } = this.limit;
    if ((this.blocks?.length ?? 0) + chunk.length > bytesMax) this.end({ kind: "too-large" });
    else if (share.take(chunk.length)) this.keep(chunk);
    else void this.waitFor(chunk);
  }

  private keep(chunk: Buffer): void {
    // Most bodies come in one piece, and need no copy.
    if (chunk.length === this.declared) {
      this.whole = chunk;
      return;
    }
    this.blocks ??= new ByteBlocks();
    this.blocks.add(chunk);
    freeBytes(chunk);
  }

  /** Reads nothing more of the socket until there is room: what the client goes on sending stays with it. */
  private async waitFor(chunk: Buffer): Promise<void> {
    const before = performance.now();
    this.isWaiting = true;
    this.request.pause();
    const found = await this.limit.share.wait(chunk.length);
    if (this.isOver) return;
    if (!found) {
      this.end({ kind: "busy" });
      return;
    }
    this.isWaiting = false;
    this.begun += performance.now() - before;
    this.keep(chunk);
    this.request.resume();
  }
}

const underWay = new Set<BodyReader>();
let looking: NodeJS.Timeout | null = null;

function watch(reader: BodyReader): void {
  underWay.add(reader);
  looking ??= setInterval(lookAtAll, LOOK_EVERY_MS).unref();
}

function lookAtAll(): void {
  const now = performance.now();
  for (const reader of underWay) reader.look(now);
  if (underWay.size > 0 || looking === null) return;
  clearInterval(looking);
  looking = null;
}

const GONE: BodyRead = { kind: "gone" };
const NO_BYTES = new Uint8Array(0);
