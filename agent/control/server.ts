/** The control socket: how the other commands reach a running agent; guarded by its file mode alone. */
import { chmodSync, rmSync } from "node:fs";
import type { Logger } from "pino";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import type { LedgerDigest } from "../../shared/ledger-digest.ts";
import type { BodyLimits } from "../../shared/wire.ts";
import type { QuarantineState } from "../buffer/tables/quarantine.ts";
import type { Answer } from "../intake/answer.ts";
import { readRaw } from "../intake/body.ts";
import { UNBOUNDED_SHARE } from "../intake/body-budget.ts";
import { splitLines } from "../intake/lines.ts";
import type { LinesHandler } from "../intake/lines-handler.ts";
import type { Handler } from "../intake/routes.ts";
import { type HttpServer, openHttpServer } from "../intake/server.ts";
import type { Range, Snapshot } from "../operator/audit.ts";
import type { Quarantine } from "../operator/quarantine.ts";
import type { TestOutcome, TestRequest } from "../operator/test-event.ts";
import type { WithdrawFilter, WithdrawnLane } from "../upload/withdrawal.ts";
import { forgetElsewhere, placeSocketElsewhere, type SocketPath, socketPathIn } from "./socket-path.ts";

export interface ControlOptions {
  readonly directory: string;
  /** Where a runtime directory is looked up. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly status: () => Promise<object>;
  readonly verify: () => Promise<readonly string[]>;
  readonly lines: LinesHandler;
  readonly quarantine: Quarantine;
  readonly withdraw: (filter: WithdrawFilter) => Promise<readonly WithdrawnLane[]>;
  readonly snapshots: () => Promise<readonly Snapshot[]>;
  readonly digest: (stream: string, taken: readonly Range[]) => Promise<LedgerDigest | null>;
  readonly resend: (stream: string, ranges: readonly Range[]) => Promise<number>;
  readonly test: (request: TestRequest) => Promise<TestOutcome>;
  readonly limits: BodyLimits;
  readonly logger: Logger;
}

/** Opens the socket. The caller holds the buffer, so a socket that lies there is a dead process's. */
export async function openControl(options: ControlOptions): Promise<Pick<HttpServer, "close">> {
  const { directory, env, logger } = options;
  const handle = createHandler(options);
  forgetElsewhere(directory);
  try {
    return await openAt(socketPathIn(directory), handle, logger);
  } catch (error) {
    if (!isWithoutSockets(error)) throw error;
    const elsewhere = placeSocketElsewhere(directory, env);
    logger.info({ path: elsewhere.path }, "the buffer's file system takes no sockets; the control socket is elsewhere");
    return await openAt(elsewhere, handle, logger);
  }
}

async function openAt(socket: SocketPath, handle: Handler, logger: Logger): Promise<Pick<HttpServer, "close">> {
  const before = process.umask(0o177);
  try {
    rmSync(socket.path, { force: true });
    const server = await openHttpServer({ path: socket.path }, handle, logger);
    chmodSync(socket.path, 0o600);
    return {
      async close(graceMs) {
        await server.close(graceMs);
        rmSync(socket.path, { force: true });
        socket.release();
      },
    };
  } catch (error) {
    socket.release();
    throw error;
  } finally {
    process.umask(before);
  }
}

/** What file systems answer that have no unix sockets: network and FUSE file systems, FAT, some containers'. */
const WITHOUT_SOCKETS = new Set(["ENOSYS", "ENOTSUP", "EOPNOTSUPP", "EPERM"]);

function isWithoutSockets(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : null;
  return cause instanceof Error && "code" in cause && WITHOUT_SOCKETS.has(String(cause.code));
}

function createHandler(options: ControlOptions): Handler {
  const { status, verify, lines, limits } = options;
  return async function control(request) {
    const url = new URL(request.url ?? "/", "http://agent");
    const { pathname, searchParams } = url;
    if (request.method === "GET") {
      if (pathname === "/status") return { status: 200, body: await status() };
      if (pathname === "/verify") return { status: 200, body: { damage: await verify() } };
      if (pathname === "/snapshots") return { status: 200, body: await options.snapshots() };
      if (pathname === "/quarantine") return { status: 200, body: await listQuarantine(searchParams, options) };
      return NOTHING_HERE;
    }
    const read = await readRaw(request, { bytesMax: limits.bodyBytesMax, share: UNBOUNDED_SHARE });
    if (read.kind === "gone") return null;
    if (read.kind !== "bytes") return { status: 413, body: usageRefusal("the body is too large") };
    const stream = searchParams.get("stream");
    if (pathname === "/lines" && stream !== null) {
      const lenient = searchParams.get("lenient") === "true";
      return { status: 200, body: await lines({ stream, lines: splitLines(read.bytes), lenient }) };
    }
    if (pathname === "/test" && stream !== null) {
      const timeoutMs = Number(searchParams.get("timeout"));
      return { status: 200, body: await options.test({ stream, event: read.bytes, timeoutMs }) };
    }
    return act(url, read.bytes, options);
  };
}

const NOTHING_HERE: Answer = { status: 404, body: usageRefusal("there is nothing here") };

async function listQuarantine(query: URLSearchParams, { quarantine }: ControlOptions): Promise<object> {
  const id = query.get("id");
  if (id !== null) return { items: [await quarantine.show(Number(id))].filter((item) => item !== null) };
  const state = query.get("state") as QuarantineState | null;
  return { items: await quarantine.list(state, Number(query.get("after")), Number(query.get("limit"))) };
}

async function act(url: URL, bytes: Uint8Array, options: ControlOptions): Promise<Answer> {
  const id = Number(url.searchParams.get("id"));
  switch (url.pathname) {
    case "/quarantine/retry": {
      const { id: _, ...ids } = Object.fromEntries(url.searchParams);
      const corrected = bytes.length === 0 ? null : bytes;
      return { status: 200, body: await options.quarantine.retry(id, corrected, ids) };
    }
    case "/quarantine/discard":
      return { status: 200, body: await options.quarantine.discard(id, Buffer.from(bytes).toString("utf8")) };
    case "/withdraw": {
      const filter = JSON.parse(Buffer.from(bytes).toString("utf8")) as WithdrawFilter;
      return { status: 200, body: await options.withdraw(filter) };
    }
    case "/digest": {
      const taken = JSON.parse(Buffer.from(bytes).toString("utf8")) as Range[];
      return { status: 200, body: { digest: await options.digest(url.searchParams.get("stream") ?? "", taken) } };
    }
    case "/resend": {
      const ranges = JSON.parse(Buffer.from(bytes).toString("utf8")) as Range[];
      return { status: 200, body: { count: await options.resend(url.searchParams.get("stream") ?? "", ranges) } };
    }
    default:
      return NOTHING_HERE;
  }
}
