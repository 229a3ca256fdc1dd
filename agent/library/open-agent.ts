/** The agent inside another program: the same guarantees, no HTTP. */
import { parseStream, SOLVIMON } from "../../shared/events/kind.ts";
import type { IngestAnswer, Reason } from "../../shared/intake/dialect.ts";
import { DEFAULT_LIMITS, HEADER } from "../../shared/wire.ts";
import { readConfig } from "../config/config.ts";
import { startCore } from "../core.ts";
import { type AgentDialect, agentSolvimonDialect, agentUsageDialect } from "../intake/agent-dialect.ts";
import { createIngest, type IngestRequest, UNBOUNDED } from "../intake/ingest.ts";
import { AgentError, messageOf } from "../runtime/agent-error.ts";
import { systemClock } from "../runtime/clock.ts";
import { createLogLimit } from "../runtime/log-limit.ts";
import { createLogger } from "../runtime/logger.ts";
import type { AppendResult, OpenAgent } from "./types.ts";

const LOOK_EVERY_MS = 100;

export const openAgent: OpenAgent = async ({ config: file, env = process.env }) => {
  const clock = systemClock;
  const limit = createLogLimit(clock);
  let failure: unknown = null;
  const core = await startCore({
    config: readConfig(file, env),
    env,
    clock,
    random: Math.random,
    logger: createLogger({ level: "warn", hooks: limit.hooks, stream: process.stderr }),
    onFatal: (error) => {
      failure = error;
    },
  });
  const { log, schemas, refresh } = core;
  const ingest = createIngest({ log, clock, limits: DEFAULT_LIMITS, knowsBodies: false });
  const appendBy = async <R extends Reason>(dialect: AgentDialect<R>, request: IngestRequest) => {
    const outcome = await ingest(dialect, request);
    if (outcome.kind === "gone") throw new AgentError("LOG_STOPPED", "the append was not answered");
    return resultOf(dialect.answer(outcome));
  };
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
      const text = isUsage ? lines.join("\n") : `{"${SOLVIMON[parsed.kind].listMember}":[${lines.join(",")}]}`;
      const bytes = Buffer.from(text, "utf8");
      if (bytes.length > DEFAULT_LIMITS.bodyBytesMax)
        throw new AgentError("INVALID_EVENT", "more than 4,000,000 bytes in one append");
      const body = async () => ({ kind: "bytes", bytes }) as const;
      const request = { header: header(isUsage ? "application/x-ndjson" : "application/json"), body, ...UNBOUNDED };
      return isUsage
        ? appendBy(agentUsageDialect(parsed.meterGlobalId, schemas, refresh.freshen), request)
        : appendBy(agentSolvimonDialect(parsed.kind, "list", schemas), request);
    },
    status: core.status,
    async drain() {
      while ((await core.status()).ledger.pending > 0) {
        if (failure !== null) throw new AgentError("LOG_STOPPED", messageOf(failure), { cause: failure });
        await clock.sleep(LOOK_EVERY_MS);
      }
    },
    async close() {
      await core.stop();
      limit.end();
    },
  };
};

function resultOf({ status, body }: IngestAnswer): AppendResult {
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
