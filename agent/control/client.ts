/** Talks to a running agent through its control socket. */
import { statSync } from "node:fs";
import { Agent, errors, request } from "undici";
import type { LedgerDigest } from "../../shared/ledger-digest.ts";
import { whyOpenToOthers } from "../buffer/disk/fitness.ts";
import { joinLines } from "../intake/lines.ts";
import type { LinesOutcome, LinesRequest } from "../intake/lines-handler.ts";
import type { Range, Snapshot } from "../operator/audit.ts";
import type { Quarantine, ReleaseResult } from "../operator/quarantine.ts";
import type { StatusDocument } from "../operator/status.ts";
import type { TestOutcome, TestRequest } from "../operator/test-event.ts";
import { AgentError } from "../runtime/agent-error.ts";
import type { WithdrawFilter, WithdrawnLane } from "../upload/withdrawal.ts";
import { type SocketPath, socketElsewhere, socketPathIn } from "./socket-path.ts";

export interface ControlClient {
  status(): Promise<StatusDocument>;
  verify(): Promise<readonly string[]>;
  lines(request: LinesRequest): Promise<LinesOutcome>;
  test(request: TestRequest): Promise<TestOutcome>;
  readonly quarantine: Quarantine;
  withdraw(filter: WithdrawFilter): Promise<readonly WithdrawnLane[]>;
  snapshots(): Promise<readonly Snapshot[]>;
  digest(stream: string, taken: readonly Range[]): Promise<LedgerDigest | null>;
  resend(stream: string, ranges: readonly Range[]): Promise<number>;
  close(): Promise<void>;
}

/** A running agent answers at once; only its disk may make it slow. */
const TIMEOUT_MS = 30_000;

/**
 * Reaches the agent that holds this buffer; null where none runs.
 * @throws AgentError NOT_PERMITTED where the buffer is another user's.
 */
export async function connectControl(directory: string): Promise<ControlClient | null> {
  // Whatever else lies there holds no agent, and opening it could wait for ever.
  if (!isDirectory(directory)) return null;
  const open = whyOpenToOthers(directory);
  // Anybody could listen there in our name.
  if (open !== null) throw new AgentError("BUFFER_UNSAFE", `buffer.path: ${directory} cannot be used: ${open}`);
  try {
    const elsewhere = socketElsewhere(directory);
    return await connectTo(elsewhere === null ? socketPathIn(directory) : { path: elsewhere, release: () => {} });
  } catch (error) {
    if (!isDenied(error)) throw error;
    const { uid } = statSync(directory);
    const advice = `it belongs to user ${uid}, this is user ${process.getuid?.()}; run the command as that user`;
    throw new AgentError("NOT_PERMITTED", `the buffer in ${directory} may not be used: ${advice}`, { cause: error });
  }
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // Not there, or not for this user to see: whoever opens the buffer says so.
    return false;
  }
}

async function connectTo(socket: SocketPath): Promise<ControlClient | null> {
  const dispatcher = new Agent({
    connect: { socketPath: socket.path },
    bodyTimeout: TIMEOUT_MS,
    headersTimeout: TIMEOUT_MS,
  });
  // Both ends are this package, so an answer of status 200 has the type its route gives.
  const call = async (path: string, body?: Uint8Array): Promise<unknown> => {
    const method = body === undefined ? "GET" : "POST";
    const response = await request(`http://agent${path}`, { dispatcher, method, body: body ?? null });
    const text = await response.body.text();
    if (response.statusCode !== 200) throw new AgentError("LOG_STOPPED", `the running agent answered ${text}`);
    return JSON.parse(text);
  };
  const client: ControlClient = {
    status: async () => (await call("/status")) as StatusDocument,
    verify: async () => ((await call("/verify")) as { damage: string[] }).damage,
    async lines({ stream, lines, lenient }) {
      const query = new URLSearchParams({ stream, lenient: String(lenient) });
      const body = joinLines(lines);
      return (await call(`/lines?${query}`, body)) as LinesOutcome;
    },
    async test({ stream, event, timeoutMs }) {
      const query = new URLSearchParams({ stream, timeout: String(timeoutMs) });
      return (await call(`/test?${query}`, event)) as TestOutcome;
    },
    quarantine: {
      async list(state, after, limit) {
        const query = new URLSearchParams({ after: String(after), limit: String(limit), ...(state && { state }) });
        return ((await call(`/quarantine?${query}`)) as { items: string[] }).items;
      },
      async show(id) {
        return ((await call(`/quarantine?id=${id}`)) as { items: string[] }).items[0] ?? null;
      },
      retry: async (id, corrected, ids = {}) =>
        (await call(
          `/quarantine/retry?${new URLSearchParams({ id: String(id), ...ids })}`,
          corrected ?? new Uint8Array(),
        )) as ReleaseResult,
      discard: async (id, reason) => (await call(`/quarantine/discard?id=${id}`, Buffer.from(reason))) as ReleaseResult,
    },
    withdraw: async (filter) =>
      (await call("/withdraw", Buffer.from(JSON.stringify(filter)))) as readonly WithdrawnLane[],
    snapshots: async () => (await call("/snapshots")) as Snapshot[],
    async digest(stream, taken) {
      const answer = await call(`/digest?${new URLSearchParams({ stream })}`, Buffer.from(JSON.stringify(taken)));
      return (answer as { digest: LedgerDigest | null }).digest;
    },
    async resend(stream, ranges) {
      const query = new URLSearchParams({ stream });
      return ((await call(`/resend?${query}`, Buffer.from(JSON.stringify(ranges)))) as { count: number }).count;
    },
    async close() {
      await dispatcher.destroy();
      socket.release();
    },
  };
  try {
    await client.status();
    return client;
  } catch (error) {
    await client.close();
    if (isAbsent(error)) return null;
    throw error;
  }
}

function isAbsent(error: unknown): boolean {
  if (error instanceof errors.SocketError) return true;
  const code = error instanceof Error && "code" in error ? error.code : null;
  return code === "ENOENT" || code === "ECONNREFUSED" || code === "ECONNRESET";
}

function isDenied(error: unknown): boolean {
  return error instanceof Error && "code" in error && (error.code === "EACCES" || error.code === "EPERM");
}
