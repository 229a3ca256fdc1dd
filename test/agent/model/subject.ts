/**
 * The real core on a real directory: log, intake, uploader, quarantine. Its transport is a line of calls that
 * wait to be answered, its clock stands still, and its writer can die at any of its crash points: then the directory is
 * what the next process finds, and this one's last deeds reach nobody.
 */
import { cpSync, rmSync } from "node:fs";
import { pino } from "pino";
import { openInlineEngine } from "../../../agent/buffer/engine.ts";
import type { CrashPoint } from "../../../agent/buffer/store.ts";
import type { Operation, Outcome } from "../../../agent/buffer/transactions/operations.ts";
import { parseConfig } from "../../../agent/config/config.ts";
import { startCore } from "../../../agent/core.ts";
import { agentUsageDialect } from "../../../agent/intake/agent-dialect.ts";
import { createIngest, UNBOUNDED } from "../../../agent/intake/ingest.ts";
import type { Exchange, ExchangeResult, Transport } from "../../../agent/upload/transport.ts";
import { DEFAULT_LIMITS } from "../../../shared/wire.ts";
import type { FakeClock } from "../support/fake-clock.ts";
import { SCHEMAS } from "./event-text.ts";

/** A call that has gone out and has no answer yet. */
export interface OpenCall {
  readonly exchange: Exchange;
  readonly sentAt: number;
  answer(result: ExchangeResult): void;
}

/** What the writer was asked to do, and what came of it: `null` where nobody was told, though it is durable. */
export interface Written {
  readonly operation: Operation;
  readonly outcome: Outcome | null;
}

export interface SubjectOptions {
  readonly directory: string;
  /** Where a dead process's directory is kept until the next one starts. */
  readonly grave: string;
  readonly clock: FakeClock;
  readonly concurrency: number;
  readonly batchEvents: number;
}

export type Core = Awaited<ReturnType<typeof startCore>>;

/** Large enough for every history, small enough for a small disk. */
const BUFFER_BYTES = 2 * 1024 * 1024;
export const BACKOFF_MAX_MS = 1000;

class Died extends Error {}

export function createSubject(options: SubjectOptions) {
  const { directory, grave, clock } = options;
  const config = parseConfig(
    `[buffer]
     path = ${JSON.stringify(directory)}
     max_bytes = ${BUFFER_BYTES}
     [destination]
     url = "http://model.invalid"
     api_key_env = "KEY"
     [upload]
     batch_events = ${options.batchEvents}
     concurrency = ${options.concurrency}
     linger_ms = 50
     backoff_base_ms = 100
     backoff_max_ms = ${BACKOFF_MAX_MS}`,
    `${directory}/weir-agent.toml`,
    {},
  );
  const logger = pino({ level: "silent" });
  let line: OpenCall[] = [];
  let written: Written[] = [];
  let deeds = 0;
  let died = false;
  let death: { readonly point: CrashPoint; left: number } | null = null;
  let group: readonly Operation[] = [];
  let core: Core | null = null;
  const faults: unknown[] = [];

  /** From here on nothing counts that this process does; the next one finds the files as they are now. */
  const bury = (): void => {
    died = true;
    death = null;
    rmSync(grave, { recursive: true, force: true });
    cpSync(directory, grave, { recursive: true });
  };
  const at = (point: CrashPoint): void => {
    deeds++;
    if (death?.point !== point || died) return;
    if (death.left-- > 0) return;
    // The commit is done but for the telling.
    if (point === "after-commit" || point === "before-give-back")
      written.push(...group.map((operation) => ({ operation, outcome: null })));
    bury();
    // Elsewhere the store would keep its files open, and their room on a small disk with them; what it does from
    // here on, nobody sees.
    if (point.endsWith("-commit") || point === "before-give-back") throw new Died("the process died here");
  };

  const connect = (): Transport => ({
    send(exchange, signal) {
      if (exchange.path.startsWith("/delivery?")) return Promise.resolve({ ...schemasFor(exchange), status: 404 });
      deeds++;
      if (exchange.path === "/schemas") return Promise.resolve(schemasFor(exchange));
      return new Promise((resolve) => {
        const call: OpenCall = {
          exchange,
          sentAt: clock.tick(),
          answer(result) {
            line = line.filter((other) => other !== call);
            resolve(result);
          },
        };
        line.push(call);
        signal.addEventListener("abort", () => call.answer({ kind: "aborted" }));
      });
    },
    pass: () => Promise.reject(new Error("nothing is passed on here")),
    close: () => Promise.resolve(),
  });

  const start = async (): Promise<Core> => {
    died = false;
    line = [];
    core = await startCore({
      ...{ config, env: { KEY: "test-key" }, clock, random: () => 0.5, logger, connect },
      onFatal(error) {
        if (!died) faults.push(error);
      },
      openEngine(place) {
        const engine = openInlineEngine({ ...place, at, tick: clock.tick });
        return {
          ...engine,
          async run(operations) {
            deeds++;
            if (died) throw new Died("nothing is written after death");
            group = operations;
            const result = await engine.run(operations);
            written.push(
              ...operations.map((operation, index) => ({ operation, outcome: result.outcomes[index] ?? null })),
            );
            return result;
          },
        };
      },
    });
    // Neither a death nor a full disk is damage.
    if (core.log.setAside !== null) throw new Error(`the log was set aside: ${core.log.setAside.reason}`);
    return core;
  };

  const running = (): Core => {
    if (core === null) throw new Error("no core is running");
    return core;
  };

  /** Ends the core, whatever state it is in. */
  const end = async (): Promise<void> => {
    const ending = core?.stop().catch((error: unknown) => {
      if (!died) throw error;
    });
    core = null;
    await ending;
  };

  const subject = {
    /** Calls without an answer, in the order they went out. */
    line: (): readonly OpenCall[] => line,
    core: running,
    faults,
    get died() {
      return died;
    },
    /** What was written since this was last asked. */
    takeWritten(): readonly Written[] {
      const taken = written;
      written = [];
      return taken;
    },
    arm(next: { readonly point: CrashPoint; readonly nth: number } | null): void {
      death = next === null ? null : { point: next.point, left: next.nth };
    },
    start,
    /** A clean end. */
    stop: end,
    /** The process is killed where it stands. */
    kill: bury,
    /** Starts where the dead process left off. */
    async restartAfterDeath(): Promise<void> {
      await end();
      rmSync(directory, { recursive: true, force: true });
      cpSync(grave, directory, { recursive: true });
      await start();
    },
    /** Waits until nothing moves any more unless time passes or a call is answered. */
    async settleDown(): Promise<void> {
      for (let idle = 0; idle < IDLE_TURNS; idle++) {
        const before = deeds;
        await new Promise((resolve) => setImmediate(resolve));
        if (deeds !== before) idle = -1;
      }
    },
    /** Posts a body of usage events, as the HTTP server would hand it over. */
    async post(meter: string, headers: Readonly<Record<string, string>>, body: string) {
      const { log, schemas, refresh } = running();
      const dialect = agentUsageDialect(meter, schemas, refresh.freshen);
      const outcome = await createIngest({ log, clock, limits: DEFAULT_LIMITS, knowsBodies: true })(dialect, {
        header: (name) => headers[name] ?? null,
        body: () => Promise.resolve({ kind: "bytes", bytes: Buffer.from(body) }),
        ...UNBOUNDED,
      });
      if (outcome.kind === "gone") return null;
      const { status, body: answered } = dialect.answer(outcome);
      if (typeof answered === "string") throw new Error("a body of usage events is answered with an object");
      return { status, body: answered };
    },
  };
  return subject;
}

export type Subject = ReturnType<typeof createSubject>;

/** Turns of the loop without a deed after which there will be none: the longest chain of promises takes one. */
const IDLE_TURNS = 4;

const ETAG = '"1"';

function schemasFor({ headers }: Exchange): ExchangeResult {
  const known = headers["if-none-match"] === ETAG;
  return {
    kind: "answer",
    status: known ? 304 : 200,
    retryAfter: null,
    etag: ETAG,
    dateMs: null,
    repeated: false,
    body: known ? "" : JSON.stringify(SCHEMAS),
  };
}
