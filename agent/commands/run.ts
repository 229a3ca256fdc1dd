import { type Agent, startAgent } from "../agent.ts";
import { readConfig } from "../config/config.ts";
import { messageOf } from "../runtime/agent-error.ts";
import { type ExitCode, printLine, type Terminal } from "./terminal.ts";

export interface RunOptions {
  readonly config: string;
}

/** A log that failed is opened anew, damage set aside; one that fails again this soon needs a person. */
const AGAIN_AFTER_MS = 10_000;

/** Runs the agent until SIGTERM or SIGINT; SIGHUP reads the configuration again. */
export async function run(options: RunOptions, terminal: Terminal): Promise<ExitCode> {
  const { logger, suppressedLines, env, clock, random } = terminal;
  const ending = endOfRun();
  const reloading = reloads(terminal);
  let config = readConfig(options.config, terminal.env);
  for (;;) {
    const startedAt = clock.tick();
    const failed = Promise.withResolvers<"failed">();
    const onFatal = (error: unknown) => {
      logger.fatal({ err: error }, "the log failed");
      failed.resolve("failed");
    };
    const agent = await startAgent({ config, env, clock, random, logger, suppressedLines, onFatal });
    reloading.of(agent);
    logger.info({ url: agent.url, destination: config.destination.url }, "agent ready");
    printLine(terminal, `agent ready on ${agent.url}`);
    const end = await Promise.race([ending.ended, failed.promise]);
    reloading.of(null);
    await agent.stop().catch((error: unknown) => logger.error({ err: error }, "the agent did not stop cleanly"));
    if (end !== "failed" || clock.tick() - startedAt < AGAIN_AFTER_MS) {
      const code = end === "failed" ? 1 : end;
      logger.info({ code }, "agent stopped");
      return code;
    }
    // Whoever talks to it knows it by the port it had.
    config = { ...config, listen: { ...config.listen, port: Number(new URL(agent.url).port) } };
  }
}

/** Reads the configuration again at each SIGHUP; one that comes while no agent runs is kept for the next. */
function reloads({ logger }: Terminal) {
  let agent: Agent | null = null;
  let wanted = false;
  const reload = () => {
    wanted = agent === null;
    if (agent === null) return;
    try {
      agent.reload();
      logger.info("configuration read again");
    } catch (error) {
      logger.error({ reason: messageOf(error) }, "the configuration stays as it was");
    }
  };
  process.on("SIGHUP", reload);
  return {
    of(running: Agent | null) {
      agent = running;
      if (agent !== null && wanted) reload();
    },
  };
}

/**
 * Listens for the signals from the first moment on, so that one sent during the start is not lost; and to the end, since
 * a terminal's Ctrl-C comes a second time through npm. Ending takes a bounded time, so nobody need force it.
 */
function endOfRun() {
  const { promise: ended, resolve: end } = Promise.withResolvers<ExitCode>();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => end(0));
  return { ended };
}
