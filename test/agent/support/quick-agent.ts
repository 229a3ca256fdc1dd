/**
 * The agent's command line by a clock whose ticks pass a hundred times as fast: a log that fails is opened anew only if
 * that is some time after the start, and no test should have to wait for it.
 */
import { destination, pino } from "pino";
import { main } from "../../../agent/main.ts";
import { systemClock } from "../../../agent/runtime/clock.ts";

const { stdin, stdout, stderr, env } = process;
const clock = { ...systemClock, tick: () => performance.now() * 100 };
const logger = pino(destination({ dest: 2, sync: true }));
const terminal = { stdin, stdout, stderr, env, clock, random: Math.random, logger, suppressedLines: () => 0 };
process.exitCode = await main(process.argv.slice(2), terminal);
