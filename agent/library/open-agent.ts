/** The agent inside another program: the same guarantees, no HTTP. */
import { parseStream } from "../../shared/events/kind.ts";
import { LIST_MEMBER } from "../../shared/intake/solvimon-answer.ts";
import { DEFAULT_LIMITS, HEADER, SOLVIMON_VERSION } from "../../shared/wire.ts";
import { readConfig } from "../config/config.ts";
import { startCore } from "../core.ts";
import { createSolvimonDoor } from "../intake/solvimon-door.ts";
import { createUsageDoor } from "../intake/usage-door.ts";
import { AgentError, messageOf } from "../runtime/agent-error.ts";
import { systemClock } from "../runtime/clock.ts";
import { createLogLimit } from "../runtime/log-limit.ts";
import { createLogger } from "../runtime/logger.ts";
import type { AppendResult, OpenAgent } from "./types.ts";

const LOOK_EVERY_MS = 100;

export const openAgent: OpenAgent = async ({ config: file, env = process.env }) => {
  const clock = systemClock;
  const limit = createLogLimit(clock);
  let fault: unknown = null;
  const core = await startCore({
    config: readConfig(file, env),
    env,
    clock,
    random: Math.random,
    logger: createLogger({ level: "warn", hooks: limit.hooks, stream: process.stderr }),
    onFault: (error) => {
      fault = error;
    },
  });
  const { log, schemas, refresh } = core;
  const usage = createUsageDoor({ log, schemas, clock, limits: DEFAULT_LIMITS, freshen: refresh.freshen });
  const solvimon = createSolvimonDoor({ log, clock, limits: DEFAULT_LIMITS });
  const header = (contentType: string) => (name: string) =>
    name === HEADER.contentType ? contentType : name === HEADER.prefer ? "return=representation" : null;
  return {
    async append(stream, events) {
      const parsed = parseStream(stream);
      if (parsed === null) throw new AgentError("INVALID_EVENT", `${stream} is no stream, say usage/METER`);
      if (events.length === 0) return { accepted: 0, ids: [] };
      const lines = events.map((event) =>
        typeof event === "string" ? event.replace(/[\r\n]/g, " ") : JSON.stringify(event),
      );
      const isUsage = parsed.kind === "usage";
      const text = isUsage ? lines.join("\n") : `{"${LIST_MEMBER[parsed.kind]}":[${lines.join(",")}]}`;
      const bytes = Buffer.from(text, "utf8");
      if (bytes.length > DEFAULT_LIMITS.bodyBytesMax)
        throw new AgentError("INVALID_EVENT", "more than 4,000,000 bytes in one append");
      const body = async () => ({ kind: "bytes", bytes }) as const;
      const answer = isUsage
        ? await usage({ meterGlobalId: parsed.meterGlobalId, header: header("application/x-ndjson"), body })
        : await solvimon({
            ...{ kind: "ingest", form: "list", version: SOLVIMON_VERSION, stream: parsed.kind },
            header: header("application/json"),
            body,
          });
      if (answer === null) throw new AgentError("LOG_STOPPED", "the append was not answered");
      return resultOf(answer.status, answer.body);
    },
    status: core.status,
    async drain() {
      while ((await core.status()).ledger.pending > 0) {
        if (fault !== null) throw new AgentError("LOG_STOPPED", messageOf(fault), { cause: fault });
        await clock.sleep(LOOK_EVERY_MS);
      }
    },
    async close() {
      await core.stop();
      limit.end();
    },
  };
};

function resultOf(status: number, body: object | string): AppendResult {
  const {
    accepted = 0,
    message = "",
    results = [],
  } = body as {
    accepted?: number;
    message?: string;
    results?: { id: string }[];
  };
  if (status === 200) return { accepted, ids: results.map(({ id }) => id) };
  throw new AgentError(status === 429 || status === 507 ? "BUFFER_FULL" : "INVALID_EVENT", message);
}
