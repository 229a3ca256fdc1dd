/**
 * What the host gives a Worker, as strict as Cloudflare is in production and Miniflare is not: the limits of D1, of
 * queues and of connections, and where a test wants them latency and failures. Numbers, under developers.cloudflare.com:
 * d1/platform/limits, queues/platform/limits, workers/platform/limits (2026).
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { Bindings } from "../../../worker/env.ts";

/** A D1 call as a whole, or a message: what may fail, before or after it takes effect. */
export interface StrictStep {
  readonly name: string;
  /** The texts of its statements; none of a message. */
  readonly statements: readonly string[];
}

export interface Failure {
  readonly when: "before" | "after";
  readonly error: Error;
}

export interface StrictOptions {
  /** How long a D1 call or a message takes beside its own time, in milliseconds. */
  readonly latencyMs?: () => number;
  /** Whether a step fails; it is asked once a step. */
  readonly failureOf?: (step: StrictStep) => Failure | null;
}

/** Most of what was seen: statements of an invocation, bytes of a parameter, calls that waited for a connection. */
export interface StrictPeaks {
  statements: number;
  parameterBytes: number;
  connections: number;
  queuedFetches: number;
}

export interface StrictPlatform {
  readonly bindings: Pick<Bindings, "LEDGER" | "NUDGES">;
  readonly fetch: typeof fetch;
  readonly peaks: StrictPeaks;
}

/** D1 does not say whether the statements of a `batch()` count each; here each does. */
const STATEMENTS_MAX = 1_000;
const PARAMETERS_MAX = 100;
const SQL_BYTES_MAX = 100_000;
const VALUE_BYTES_MAX = 2_000_000;
const CONNECTIONS_MAX = 6;
const MESSAGE_BYTES_MAX = 128_000;
const MESSAGES_MAX = 100;
const MESSAGES_BYTES_MAX = 256_000;
const DELAY_SECONDS_MAX = 86_400;

interface Invocation {
  statements: number;
  connections: number;
  readonly waiting: (() => void)[];
}

const current = new AsyncLocalStorage<Invocation>();

/** Runs as one invocation of the platform, whose statements and connections are counted together; within one it is part of it. */
export function asInvocation<T>(run: () => T): T {
  if (current.getStore() !== undefined) return run();
  return current.run({ statements: 0, connections: 0, waiting: [] }, run);
}

export function strictPlatform(
  of: Pick<Bindings, "LEDGER" | "NUDGES"> & { readonly fetch: typeof fetch },
  { latencyMs = () => 0, failureOf = () => null }: StrictOptions = {},
): StrictPlatform {
  const peaks: StrictPeaks = { statements: 0, parameterBytes: 0, connections: 0, queuedFetches: 0 };

  async function take<T>(step: StrictStep, run: () => Promise<T>): Promise<T> {
    const failure = failureOf(step);
    await latency(latencyMs());
    if (failure?.when === "before") throw failure.error;
    const result = await run();
    if (failure?.when === "after") throw failure.error;
    return result;
  }

  return {
    peaks,
    bindings: { LEDGER: strictDatabase(of.LEDGER, peaks, take), NUDGES: strictQueue(of.NUDGES, take) },
    fetch: (...call) => withConnection(peaks, () => of.fetch(...call)),
  };
}

type Take = <T>(step: StrictStep, run: () => Promise<T>) => Promise<T>;

async function latency(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
}

interface Prepared {
  readonly statement: D1PreparedStatement;
  readonly sql: string;
}

function strictDatabase(db: D1Database, peaks: StrictPeaks, take: Take): D1Database {
  const inner = new WeakMap<object, Prepared>();
  const execute = async <T>(name: string, all: readonly Prepared[], run: () => Promise<T>): Promise<T> => {
    countStatements(all.length, peaks);
    return take({ name, statements: all.map(({ sql }) => sql) }, run);
  };
  const wrap = (statement: D1PreparedStatement, sql: string): D1PreparedStatement => {
    const name = `D1 ${sql.trim().split(/\s+/).slice(0, 3).join(" ")}`;
    const one = <T>(run: () => Promise<T>) => execute(name, [{ statement, sql }], run);
    const wrapped = {
      bind: (...values: unknown[]) => {
        checkParameters(values, peaks);
        return wrap(statement.bind(...values), sql);
      },
      all: () => one(() => statement.all()),
      run: () => one(() => statement.run()),
      first: (column?: string) => one(() => (column === undefined ? statement.first() : statement.first(column))),
      raw: () => one(() => statement.raw()),
    } as unknown as D1PreparedStatement;
    inner.set(wrapped, { statement, sql });
    return wrapped;
  };
  return {
    prepare: (sql: string) => {
      if (sql.length > SQL_BYTES_MAX) throw new Error("D1_ERROR: statement too long: SQLITE_TOOBIG");
      return wrap(db.prepare(sql), sql);
    },
    batch: (statements: D1PreparedStatement[]) => {
      const all = statements.map((statement) => inner.get(statement) ?? unprepared());
      return execute("D1 batch", all, () => db.batch(all.map(({ statement }) => statement)));
    },
  } as unknown as D1Database;
}

function unprepared(): never {
  throw new Error("a batch has a statement that this database did not prepare");
}

function countStatements(count: number, peaks: StrictPeaks): void {
  const invocation = current.getStore();
  if (invocation === undefined) return;
  invocation.statements += count;
  peaks.statements = Math.max(peaks.statements, invocation.statements);
  if (invocation.statements > STATEMENTS_MAX) throw new Error("Too many API requests by single Worker invocation.");
}

function checkParameters(values: readonly unknown[], peaks: StrictPeaks): void {
  if (values.length > PARAMETERS_MAX) throw new Error("D1_ERROR: too many SQL variables: SQLITE_ERROR");
  for (const value of values) {
    const bytes = bytesOf(value);
    peaks.parameterBytes = Math.max(peaks.parameterBytes, bytes);
    if (bytes > VALUE_BYTES_MAX) throw new Error("D1_ERROR: string or blob too big: SQLITE_TOOBIG");
  }
}

/** Bytes that a value has in the database; of a short text, no more than it may have. */
function bytesOf(value: unknown): number {
  if (typeof value === "string") return value.length < 10_000 ? 3 * value.length : Buffer.byteLength(value);
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return value.byteLength;
  return Array.isArray(value) ? value.length : 8;
}

function strictQueue(queue: Queue, take: Take): Queue {
  const sizeOf = (body: unknown) => Buffer.byteLength(JSON.stringify(body));
  const check = (bytes: number, most: number) => {
    if (bytes > most) throw new Error(`Queue send failed: message length of ${bytes} bytes exceeds limit of ${most}`);
  };
  return {
    async send(body: unknown, options?: QueueSendOptions) {
      check(sizeOf(body), MESSAGE_BYTES_MAX);
      if ((options?.delaySeconds ?? 0) > DELAY_SECONDS_MAX) throw new Error("Queue send failed: delay too long");
      return take({ name: "queue.send", statements: [] }, () => queue.send(body, options));
    },
    async sendBatch(messages: Iterable<MessageSendRequest>, options?: QueueSendBatchOptions) {
      const all = [...messages];
      if (all.length > MESSAGES_MAX) throw new Error("Queue sendBatch failed: Too Many Messages");
      for (const { body } of all) check(sizeOf(body), MESSAGE_BYTES_MAX);
      check(
        all.reduce((sum, { body }) => sum + sizeOf(body), 0),
        MESSAGES_BYTES_MAX,
      );
      return take({ name: "queue.send", statements: [] }, () => queue.sendBatch(all, options));
    },
  } as unknown as Queue;
}

/** Six of an invocation may wait for the headers of a response; further ones wait until one of these has them. */
async function withConnection<T>(peaks: StrictPeaks, run: () => Promise<T>): Promise<T> {
  const invocation = current.getStore();
  if (invocation === undefined) return run();
  if (invocation.connections >= CONNECTIONS_MAX) {
    peaks.queuedFetches++;
    await new Promise<void>((resolve) => invocation.waiting.push(resolve));
  }
  invocation.connections++;
  peaks.connections = Math.max(peaks.connections, invocation.connections);
  try {
    return await run();
  } finally {
    invocation.connections--;
    invocation.waiting.shift()?.();
  }
}
