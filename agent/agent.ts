/** The agent put together: log, doors, uploader; started, reloaded and stopped as one. */
import type { Logger } from "pino";
import { DEFAULT_LIMITS } from "../shared/wire.ts";
import { type Config, httpUrl, readConfig } from "./config/config.ts";
import { readSecretFile } from "./config/secrets.ts";
import { openControl } from "./control/server.ts";
import { type AgentOptions, once, startCore } from "./core.ts";
import { createBodyBudget } from "./intake/body-budget.ts";
import { createCalculateDoor } from "./intake/calculate-door.ts";
import { createRoutes } from "./intake/routes.ts";
import { openHttpDoor } from "./intake/server.ts";
import { openSocketDoor } from "./intake/socket-door.ts";
import { createSolvimonDoor } from "./intake/solvimon-door.ts";
import { startTail } from "./intake/tail.ts";
import { createUsageDoor } from "./intake/usage-door.ts";
import { metricsText } from "./operator/metrics.ts";
import type { StatusDocument } from "./operator/status.ts";

export interface Agent {
  /** Where it listens. */
  readonly url: string;
  status(): Promise<StatusDocument>;
  /** Reads the configuration again and tries paused uploads; keeps the old one where the new is faulty. */
  reload(): void;
  /** Answers the requests in hand, abandons uploads, lets go of the buffer. */
  stop(): Promise<void>;
}

/** Bytes of request bodies in memory at once. */
const BODIES_BYTES_MAX = 64 * 1024 * 1024;
const GRACE_MS = 5_000;

/**
 * Starts the whole agent; resolves once it answers.
 * @throws AgentError CONFIG, LISTEN, BUFFER_HELD, BUFFER_FOREIGN or BUFFER_BROKEN.
 */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { clock, logger } = options;
  const { host, port } = options.config.listen;
  let token = readToken(options.config);
  const core = await startCore(options);
  try {
    await core.refresh.freshen();
    const { log, schemas, refresh, uploader } = core;
    const limits = DEFAULT_LIMITS;
    const budget = createBodyBudget(BODIES_BYTES_MAX);
    const routesFor = (guard: () => string | null) =>
      createRoutes({
        usage: createUsageDoor({ log, schemas, clock, limits, freshen: refresh.freshen }),
        solvimon: createSolvimonDoor({ log, clock, limits, listEventsMax: () => core.uploads().batchEvents }),
        calculate: createCalculateDoor({ transport: core.calculator, limits }),
        status: core.status,
        metrics: async () =>
          metricsText({
            status: await core.status(),
            uploads: uploader.numbers(),
            commits: log.commits,
            suppressedLines: options.suppressedLines?.() ?? 0,
          }),
        token: guard,
        limits,
        budget,
      });
    const { directory } = options.config.buffer;
    const { status, lines, quarantine, snapshots, resend } = core;
    const door = await openHttpDoor(
      { host, port },
      routesFor(() => token),
      logger,
    );
    // The file's mode guards it, so it asks for no token.
    const { socket } = options.config.listen;
    const local =
      socket === null
        ? null
        : await openSocketDoor(
            socket,
            routesFor(() => null),
            logger,
          );
    const tails = options.config.tails.map(({ path, stream }) =>
      startTail({ path, stream, log, lines: core.lines, clock, logger }),
    );
    const control = await openControl({
      ...{ directory, status, verify: log.verify, lines, quarantine, snapshots, resend, limits, logger },
    });
    return {
      url: httpUrl(host, door.port),
      status,
      reload() {
        const next = readConfig(options.config.file, options.env);
        warnOfFixed(options.config, next, logger);
        const nextToken = readToken(next);
        core.configure(next);
        token = nextToken;
      },
      stop: once(async () => {
        // Uploads go on no longer than it takes to abort them; the requests in hand still need the log.
        await Promise.all([
          ...[door.close(GRACE_MS), local?.close(GRACE_MS), control.close(GRACE_MS)],
          ...tails.map((tail) => tail.stop()),
        ]);
        await core.stop();
      }),
    };
  } catch (error) {
    await core.stop();
    throw error;
  }
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
    ["[[tail]]", JSON.stringify(before.tails), JSON.stringify(after.tails)],
    ["buffer.path", before.buffer.directory, after.buffer.directory],
    ["buffer.max_bytes", before.buffer.bytesMax, after.buffer.bytesMax],
  ];
  for (const [setting, old, now] of fixed) {
    if (old !== now) logger.warn({ setting, old, new: now }, "this setting takes effect at the next start");
  }
}
