/**
 * The agent as `weir-agent run` is, but that it kills itself the nth time it comes to a named point:
 * `node test/torture/agent.ts CONFIG POINT N`. Its log is written in the main thread, where the points can be seen.
 */
import { writeSync } from "node:fs";
import { pino } from "pino";
import { startAgent } from "../../agent/agent.ts";
import { openInlineEngine } from "../../agent/buffer/engine.ts";
import { readConfig } from "../../agent/config/config.ts";
import { systemClock } from "../../agent/runtime/clock.ts";
import { createTransport, type Transport, type TransportOptions } from "../../agent/upload/transport.ts";
import { lastWord, type Point } from "./deaths.ts";

const [file = "", fatal = "", nth = ""] = process.argv.slice(2);
let left = Number(nth);

function pass(point: Point): void {
  if (point !== fatal) return;
  left--;
  if (left > 0) return;
  writeSync(2, `${lastWord(point)}\n`);
  process.kill(process.pid, "SIGKILL");
  // Not one more step, should the signal take a moment.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function connect(options: TransportOptions): Transport {
  const transport = createTransport(options);
  return {
    ...transport,
    async send(exchange, signal) {
      if (exchange.method !== "POST") return transport.send(exchange, signal);
      pass("before-call");
      const result = await transport.send(exchange, signal);
      pass("after-call");
      return result;
    },
  };
}

const agent = await startAgent({
  config: readConfig(file, process.env),
  env: process.env,
  clock: systemClock,
  random: Math.random,
  logger: pino({ level: "warn" }, pino.destination({ dest: 2, sync: true })),
  onFatal: (error) => {
    console.error(error);
    process.exit(1);
  },
  openEngine: ({ directory, bytesMax }) => openInlineEngine({ directory, bytesMax, at: pass }),
  connect,
});
process.once("SIGTERM", () => void agent.stop());
console.log(`agent ready on ${agent.url}`);
