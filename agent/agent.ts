/** The agent put together: log, listeners, uploader; started, reloaded and stopped as one. */
import type { Logger } from "pino";
import { DEFAULT_LIMITS } from "../shared/wire.ts";
import { type Config, httpUrl, readConfig } from "./config/config.ts";
import { readSecretFile } from "./config/secrets.ts";
import { openControl } from "./control/server.ts";
import { type AgentOptions, type Core, once, startCore } from "./core.ts";
import { agentSolvimonDialect, agentUsageDialect } from "./intake/agent-dialect.ts";
import { createBodyBudget } from "./intake/body-budget.ts";
import { createCalculateHandler } from "./intake/calculate-handler.ts";
import { createGunzipQueue } from "./intake/gunzip.ts";
import { createIngest } from "./intake/ingest.ts";
import { noteOutcomes } from "./intake/noted-refusals.ts";
import { createRoutes, type RouteOptions } from "./intake/routes.ts";
import { openHttpServer } from "./intake/server.ts";
import { openSocketServer } from "./intake/socket-server.ts";
import type { Listener } from "./intake/web-page.ts";
import { metricsText } from "./operator/metrics.ts";
import type { StatusDocument } from "./operator/status.ts";
import { createFollowedFiles } from "./tail/followed-files.ts";

export interface Agent {
  /** Where it listens. */
  readonly url: string;
  status(): Promise<StatusDocument>;
  /** Reads the configuration again and tries paused uploads; keeps the old one where the new one is invalid. */
  reload(): void;
  /** Answers the requests in hand, abandons uploads, lets go of the buffer. */
  stop(): Promise<void>;
}

/** Memory for large request bodies at once, received and inflated; the one that came first may take more. */
const BODIES_BYTES_MAX = 4 * 1024 * 1024;
/** A body that has found no room for so long in all is refused. */
const BODY_WAIT_MS_MAX = 30_000;
const GRACE_MS = 5_000;

/**
 * Starts the whole agent; resolves once it answers.
 * @throws AgentError CONFIG, LISTEN, BUFFER_HELD, BUFFER_FOREIGN or BUFFER_BROKEN.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const core = await startCore(options);
  // Whatever is open when something fails is closed again: a listener that is left would keep the process alive.
  const opened: (() => Promise<void>)[] = [];
  const stop = once(async () => {
    // Uploads go on no longer than it takes to abort them; the requests in hand still need the log.
    await Promise.all(opened.map((close) => close()));
    await core.stop();
  });
  try {
    return await openListeners(options, core, opened, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @param opened takes what closes each part, as soon as it is open. */
async function openListeners(
  options: AgentOptions,
  core: Core,
  opened: (() => Promise<void>)[],
  stop: () => Promise<void>,
): Promise<Agent> {
  const { config, clock, logger } = options;
  const { host, port, socket, hosts } = config.listen;
  let token = readToken(config);
  await core.refresh.freshen();
  const { status, lines, quarantine, snapshots, digest, resend, test, log } = core;
  const followed = createFollowedFiles({ log, lines, clock, logger });
  const routesFor = createRouteTable(options, core, followed.lostBytes);
  const server = await openHttpServer(
    { host, port },
    routesFor(() => token, { host, hosts }),
    logger,
  );
  opened.push(() => server.close(GRACE_MS));
  if (socket !== null) {
    // The file's mode guards it, so it asks for no token.
    const routes = routesFor(() => null, null);
    const local = await openSocketServer(socket, routes, logger);
    opened.push(() => local.close(GRACE_MS));
  }
  opened.push(followed.stop);
  await followed.follow(config.tails);
  const control = await openControl({
    ...{ directory: config.buffer.directory, env: options.env, limits: DEFAULT_LIMITS, logger },
    ...{ status, verify: log.verify, lines, quarantine, snapshots, digest, resend, test },
    withdraw: core.uploader.withdraw,
  });
  opened.push(() => control.close(GRACE_MS));
  return {
    url: httpUrl(host, server.port),
    status,
    reload() {
      const next = readConfig(config.file, options.env);
      const nextToken = readToken(next);
      core.configure(next);
      warnOfFixed(config, next, logger);
      token = nextToken;
      followed.follow(next.tails).catch(options.onFatal);
    },
    stop,
  };
}

/** The ingest routes; one table for each way in, since each has its own guard. */
function createRouteTable(options: AgentOptions, core: Core, lostBytes: () => number) {
  const { clock } = options;
  const { log, schemas, refresh, uploader } = core;
  const { bodyBytesMax, eventsMax } = options.config.listen;
  const limits = { ...DEFAULT_LIMITS, bodyBytesMax, eventsMax };
  const shared: Omit<RouteOptions, "token" | "listener"> = {
    ingest: createIngest({ log, clock, limits, knowsBodies: true, note: noteOutcomes(core.refusals) }),
    usage: (meterGlobalId) => agentUsageDialect(meterGlobalId, schemas, refresh.freshen),
    solvimon: ({ stream, form }) => agentSolvimonDialect(stream, form, schemas),
    calculate: createCalculateHandler({ transport: core.calculator, limits }),
    status: core.status,
    metrics: async () =>
      metricsText({
        status: await core.status(),
        uploads: uploader.numbers(),
        commits: log.commits,
        suppressedLines: options.suppressedLines?.() ?? 0,
        lostBytes: lostBytes(),
        freeBytes: await log.freeBytes(),
      }),
    limits,
    budget: createBodyBudget({ bytesMax: BODIES_BYTES_MAX, waitMsMax: BODY_WAIT_MS_MAX }),
    gunzip: createGunzipQueue(),
  };
  return (token: () => string | null, listener: Listener | null) => createRoutes({ ...shared, token, listener });
}

function readToken(config: Config): string | null {
  const { tokenFile } = config.listen;
  return tokenFile === null ? null : readSecretFile(tokenFile, "listen.token_file");
}

/** What a running agent cannot change is said, not silently left as it was. */
function warnOfFixed(before: Config, after: Config, logger: Logger): void {
  const fixed: readonly (readonly [string, unknown, unknown])[] = [
    ["id", before.id, after.id],
    ["listen.host", before.listen.host, after.listen.host],
    ["listen.port", before.listen.port, after.listen.port],
    ["listen.socket", before.listen.socket, after.listen.socket],
    ["listen.hosts", before.listen.hosts.join(), after.listen.hosts.join()],
    ["listen.max_body_bytes", before.listen.bodyBytesMax, after.listen.bodyBytesMax],
    ["listen.max_events", before.listen.eventsMax, after.listen.eventsMax],
    ["buffer.path", before.buffer.directory, after.buffer.directory],
    ["buffer.max_bytes", before.buffer.bytesMax, after.buffer.bytesMax],
  ];
  for (const [setting, old, now] of fixed) {
    if (old !== now) logger.warn({ setting, old, new: now }, "this setting takes effect at the next start");
  }
}
