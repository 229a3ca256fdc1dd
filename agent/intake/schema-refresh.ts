/** Keeps the schemas current: at start, now and then, and before anything is refused for what they say. */
import type { Logger } from "pino";
import type { Clock } from "../runtime/clock.ts";
import type { Transport } from "../upload/transport.ts";
import type { Schemas } from "./schemas.ts";

export interface SchemaRefresh {
  /**
   * Resolves once the schemas are as new as can be had: fetched after this call. An edge that does not answer is
   * not waited for long, and many calls in a row go by what is here.
   */
  freshen(): Promise<void>;
  /** Fetches now, however often that was done. */
  fetch(): Promise<void>;
  stop(): Promise<void>;
}

const EVERY_MS = 60_000;
/** Fetches that requests may cause in a row; one more is allowed each second. */
const BURST = 10;
const REFILL_MS = 1000;
/** An edge that did not answer is left alone for this long. */
const REST_MS = 2_000;
/** How long a request waits for the edge's word before it goes by the schemas that are here. */
const PATIENCE_MS = 1_500;

export interface SchemaRefreshOptions {
  readonly schemas: Schemas;
  /** Null where the destination has no schemas: then the ones that are here stay. */
  readonly transport: () => Transport | null;
  readonly clock: Clock;
  readonly logger: Logger;
}

export function startSchemaRefresh(options: SchemaRefreshOptions): SchemaRefresh {
  const { clock, logger } = options;
  const stopping = new AbortController();
  const allowance = createAllowance(clock);
  let fetching: Promise<void> | null = null;
  let restUntil = 0;

  const fetch = async (): Promise<void> => {
    // One that is under way may have been answered before what the caller knows of.
    while (fetching !== null) await fetching;
    fetching = fetchOnce(options, stopping.signal)
      .then((answered) => {
        if (!answered) restUntil = clock.tick() + REST_MS;
      })
      .catch((error: unknown) => logger.error({ err: error }, "schemas could not be kept"))
      .finally(() => {
        fetching = null;
      });
    return fetching;
  };
  const loop = async () => {
    while (!stopping.signal.aborted) {
      await fetch();
      await clock.sleep(EVERY_MS, stopping.signal);
    }
  };
  const running = loop();
  return {
    fetch,
    async freshen() {
      if (clock.tick() < restUntil || !allowance.take()) return;
      const patience = new AbortController();
      await Promise.race([fetch(), clock.sleep(PATIENCE_MS, patience.signal)]);
      patience.abort();
    },
    async stop() {
      stopping.abort();
      await running;
      await fetching;
    },
  };
}

function createAllowance(clock: Clock) {
  let left = BURST;
  let at = clock.tick();
  return {
    take(): boolean {
      const now = clock.tick();
      left = Math.min(BURST, left + (now - at) / REFILL_MS);
      at = now;
      if (left < 1) return false;
      left--;
      return true;
    },
  };
}

function whyNot(status: number): string {
  if (status === 401 || status === 403) return `the edge refused the key (${status})`;
  return status === 200 ? "the answer holds none" : `the edge answered ${status}`;
}

/** @returns whether the edge answered at all. */
async function fetchOnce(options: SchemaRefreshOptions, signal: AbortSignal): Promise<boolean> {
  const { schemas, transport, logger } = options;
  const source = transport();
  if (source === null) return true;
  const headers: Record<string, string> = schemas.etag === null ? {} : { "if-none-match": schemas.etag };
  const result = await source.send({ method: "GET", path: "/schemas", headers }, signal);
  if (result.kind !== "answer") return false;
  if (result.status === 304) return true;
  const taken = result.status === 200 && result.body !== null && (await schemas.take(result.body, result.etag));
  if (taken) logger.info({ etag: result.etag }, "schemas fetched");
  else logger.warn({ status: result.status }, `schemas not fetched: ${whyNot(result.status)}`);
  return true;
}
