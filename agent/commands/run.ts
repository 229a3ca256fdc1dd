import { startAgent } from "../agent.ts";
import { readConfig } from "../config.ts";
import { messageOf } from "../fault.ts";
import { type ExitCode, printLine, type Terminal } from "./terminal.ts";

export interface RunOptions {
  readonly config: string;
}

/** Runs the agent until SIGTERM or SIGINT; SIGHUP reads the configuration again. */
export async function run(options: RunOptions, terminal: Terminal): Promise<ExitCode> {
  const { logger, env, clock, random } = terminal;
  const ending = endOfRun();
  const config = readConfig(options.config);
  const onFault = (error: unknown) => {
    logger.fatal({ err: error }, "the agent cannot go on");
    ending.end(1);
  };
  const agent = await startAgent({ config, env, clock, random, logger, onFault });
  const reload = () => {
    try {
      agent.reload();
      logger.info("configuration read again");
    } catch (error) {
      logger.error({ reason: messageOf(error) }, "the configuration stays as it was");
    }
  };
  process.on("SIGHUP", reload);
  logger.info({ url: agent.url, destination: config.destination.url }, "agent ready");
  printLine(terminal, `agent ready on ${agent.url}`);
  const code = await ending.ended;
  process.off("SIGHUP", reload);
  await agent.stop();
  logger.info({ code }, "agent stopped");
  return code;
}

/** Listens for the signals from the first moment on, so that one sent during the start is not lost. */
function endOfRun() {
  const { promise: ended, resolve: end } = Promise.withResolvers<ExitCode>();
  process.once("SIGTERM", () => end(0));
  process.once("SIGINT", () => end(0));
  return { ended, end };
}
