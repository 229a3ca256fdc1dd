/** The agent without its listeners: the log, its schemas and the uploader, started and stopped as one. */

import { randomInt } from "node:crypto";
import type { Logger } from "pino";
import type { Random } from "../shared/clock.ts";
import { DEFAULT_LIMITS } from "../shared/wire.ts";
import { type OpenEngine, openBufferLog } from "./buffer/buffer.ts";
import { type Log, randomName } from "./buffer/log.ts";
import { startTidying } from "./buffer/tidying.ts";
import type { Config } from "./config/config.ts";
import { createLinesHandler } from "./intake/lines-handler.ts";
import { noteLines, noteRejected, openRefusalLog } from "./intake/noted-refusals.ts";
import { startSchemaRefresh } from "./intake/schema-refresh.ts";
import { createSchemas } from "./intake/schemas.ts";
import { digestFor, type Range, takeSnapshots } from "./operator/audit.ts";
import { type DeliveryWatch, startDeliveryWatch } from "./operator/delivery-watch.ts";
import { type FillRate, watchFillRate } from "./operator/fill-rate.ts";
import { createQuarantine } from "./operator/quarantine.ts";
import { type StatusDocument, statusOf } from "./operator/status.ts";
import { createCallWatch, followEvent, type TestRequest } from "./operator/test-event.ts";
import { AgentError } from "./runtime/agent-error.ts";
import type { Clock } from "./runtime/clock.ts";
import { openDialect } from "./upload/destination.ts";
import type { Transport, TransportOptions } from "./upload/transport.ts";
import { startUploader, type Uploader } from "./upload/uploader.ts";

export interface AgentOptions {
  readonly config: Config;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** Log lines left out as repeats so far. */
  readonly suppressedLines?: () => number;
  /** The agent cannot go on: its disk or its log's thread failed. */
  readonly onFatal: (error: unknown) => void;
  /** Where the log's writer runs; a thread of its own where none is given. */
  readonly openEngine?: OpenEngine;
  /** What speaks to the destination; HTTP where none is given. */
  readonly connect?: (options: TransportOptions) => Transport;
}

function reportDamage({ setAside, producer }: Log, logger: Logger): void {
  if (setAside === null) return;
  const { directory, reason } = setAside;
  logger.error({ directory, reason, producer }, "the log was damaged and has been set aside whole; a new one is begun");
}

/** Random characters of a call's key: none is ever drawn twice. */
const KEY_CHARACTERS = 22;

/**
 * Opens the buffer for this process, and tells `logger` of a damaged one that was set aside. Throws as `openBufferLog` does,
 * and CONFIG for another producer's buffer.
 */
export async function openBuffer(config: Config, logger: Logger, openEngine?: OpenEngine): Promise<Log> {
  const { directory, bytesMax } = config.buffer;
  const opened = await openBufferLog({ directory, bytesMax, openEngine, id: config.id, randomInt });
  if (opened.kind === "open") {
    reportDamage(opened.log, logger);
    return opened.log;
  }
  throw new AgentError(
    "CONFIG",
    `id: the buffer in ${directory} belongs to producer "${opened.id}", and its positions with it; ` +
      `set id = "${opened.id}" or another buffer.path`,
  );
}

export type Core = Awaited<ReturnType<typeof startCore>>;

/** An agent without its listeners: opens the buffer and starts uploading. */
export async function startCore(options: AgentOptions) {
  const { clock, random, logger, env } = options;
  let config = options.config;
  const calls = createCallWatch();
  const open = (of: Config) => calls.watched(openDialect(of, env, clock, options.connect));
  let dialect = open(config);
  const log = await openBuffer(config, logger, options.openEngine);
  log.onFatal(options.onFatal);
  const schemas = createSchemas(log);
  const refresh = startSchemaRefresh({ schemas, transport: () => dialect.schemaSource, clock, logger });
  const uploader = startUploader({
    log,
    clock,
    random,
    logger,
    settings: () => config.upload,
    dialect: () => dialect,
    createKey: () => randomName(KEY_CHARACTERS, randomInt),
    onLaneRefused: () => void refresh.freshen(),
    onFatal: options.onFatal,
  });
  const watch = startDeliveryWatch({
    ...{ producer: log.producer, clock, random, logger },
    transport: () => dialect.schemaSource,
  });
  const fillRate = watchFillRate(log, clock);
  const tidying = startTidying({ log, clock, retainHours: () => config.buffer.retainHours, onFatal: options.onFatal });
  const refusals = openRefusalLog(logger, clock);
  log.onRejected((stream, rejected) => noteRejected(refusals, stream, rejected));
  const lines = createLinesHandler({
    ...{ log, schemas, clock, limits: DEFAULT_LIMITS, freshen: refresh.freshen },
    onQuarantined: (stream, count, first) => noteLines(refusals, stream, count, first),
  });
  const status = () => coreStatus(log, config, clock, uploader, fillRate, watch);
  return {
    log,
    schemas,
    refresh,
    uploader,
    calculator: () => dialect.calculator,
    /** The `[upload]` table as it was read last. */
    uploads: () => config.upload,
    lines,
    refusals,
    test: (request: TestRequest) => followEvent({ log, lines, calls, clock, status }, request),
    quarantine: createQuarantine({ log, schemas, limits: DEFAULT_LIMITS }),
    snapshots: () => takeSnapshots(log),
    digest: (stream: string, taken: readonly Range[]) => digestFor(log, stream, taken),
    resend: (stream: string, ranges: readonly Range[]) => resendRanges(log, stream, ranges),
    tidy: tidying.tidy,
    status,
    configure(next: Config) {
      if (next.destination.dialect !== config.destination.dialect) {
        throw new AgentError("CONFIG", "destination.dialect: takes effect only at the next start");
      }
      const old = dialect;
      dialect = open(next);
      config = next;
      // Calls under way on the old one are cut and repeated on the new: known there by position, or by key.
      void old.close();
      uploader.probe();
      void refresh.fetch();
      void watch.ask();
    },
    stop: once(async () => {
      await Promise.all([refresh.stop(), watch.stop(), uploader.stop(), tidying.stop()]);
      await dialect.close();
      await log.close();
      refusals.flush(true);
    }),
  };
}

/** Lets delivered positions wait again, as far as they are retained; returns how many. */
export async function resendRanges(log: Log, stream: string, ranges: readonly Range[]): Promise<number> {
  let count = 0;
  for (const [first, last] of ranges) {
    const outcome = await log.resend({ stream, first, last });
    if (outcome.kind === "resent") count += outcome.count;
  }
  return count;
}

/** The same promise for every call. */
export function once(end: () => Promise<void>): () => Promise<void> {
  let ending: Promise<void> | null = null;
  return () => {
    ending ??= end();
    return ending;
  };
}

function coreStatus(
  log: Log,
  config: Config,
  clock: Clock,
  uploader: Uploader,
  fillRate: FillRate,
  watch: DeliveryWatch,
): Promise<StatusDocument> {
  const { directory, bytesMax } = config.buffer;
  return statusOf(log, {
    directory,
    bytesMax,
    nowMs: clock.now(),
    destination: uploader.status(),
    lanes: uploader.lanes(),
    delivery: watch.delivery(),
    hoursLeft: fillRate.hoursLeft,
  });
}
