/** The table of answers, met by the agent's uploader over its own connections: one call, its gate and its health. */
import { writeFileSync } from "node:fs";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { NO_SCOPE } from "../../agent/buffer/tables/scope.ts";
import { parseConfig } from "../../agent/config/config.ts";
import { systemClock } from "../../agent/runtime/clock.ts";
import { createWakeup } from "../../agent/runtime/wakeup.ts";
import { type CallContext, type Fate, sendUntilKnown, UNRECORDED } from "../../agent/upload/call.ts";
import { openDialect } from "../../agent/upload/destination.ts";
import { createGate } from "../../agent/upload/gate.ts";
import { createHealth, type Health } from "../../agent/upload/health.ts";
import { createOutageLog } from "../../agent/upload/outage.ts";
import { createWindow } from "../../agent/upload/window.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { type AnswerServer, openAnswerServer } from "../vendors/answer-server.ts";
import { rowUrl } from "../vendors/answer-url.ts";
import { type Meaning, type Recipient, rowsFor } from "../vendors/answers.ts";
import { packEvents } from "./support/pack-events.ts";
import { EVENT } from "./support/setup.ts";
import { solvimonEvent } from "./support/solvimon-events.ts";

let server: AnswerServer;
const secrets = tempDir("weir-answers");

beforeAll(async () => {
  writeFileSync(`${secrets.path}/secret`, "secret\n");
  server = await openAnswerServer();
});

afterAll(async () => {
  await server.close();
  secrets.remove();
});

const CREDENTIALS: Record<Recipient, string> = {
  zuora: 'client_id = "c"\nclient_secret_file = "secret"',
  solvimon: 'api_key_env = "KEY"',
  edge: 'api_key_env = "KEY"',
};

const ONE_EVENT: Record<Recipient, { readonly stream: string; readonly source: string }> = {
  zuora: { stream: "usage/m", source: EVENT },
  solvimon: { stream: "charge", source: solvimonEvent("charge") },
  edge: { stream: "usage/m", source: EVENT },
};

/** Time stands still for whoever reads it, so that a wait reads as it was asked for. */
const CLOCK = { ...systemClock, tick: () => 1_000_000 };

/** A call of one event to whom answers by the row, with all that it passes on its way. */
function setup(recipient: Recipient, { at }: { readonly at: number }) {
  const url = rowUrl(server.url, at, recipient, recipient);
  const lines = `[destination]\nurl = "${url}"\ndialect = "${recipient}"\n${CREDENTIALS[recipient]}`;
  const config = parseConfig(`${lines}\n[upload]\nbackoff_base_ms = 60000`, `${secrets.path}/weir-agent.toml`, {});
  const dialect = openDialect(config, { KEY: "key" }, CLOCK);
  const stopping = new AbortController();
  const gate = createGate(CLOCK);
  const health = createHealth(
    CLOCK,
    createOutageLog(pino({ level: "silent" }), CLOCK),
    () => false,
    () => {},
  );
  const context: CallContext = {
    ...{ clock: CLOCK, gate, health, settings: () => config.upload, dialect: () => dialect, signal: stopping.signal },
    ...{ window: createWindow(CLOCK, () => 1), reachable: createWakeup(CLOCK), retryNow: createWakeup(CLOCK) },
    backOff: async (_reason, wait) => {
      await wait();
      return true;
    },
    // Without jitter a backoff is over at once.
    random: () => 0,
  };
  const { stream, source } = ONE_EVENT[recipient];
  const run = { first: 1, scope: NO_SCOPE, events: packEvents([source]), receivedAt: Float64Array.of(0) };
  let fate: Fate | null = null;
  const cargo = { stream, run, producer: "p", key: recipient === "edge" ? null : "k" };
  const sending = sendUntilKnown(cargo, UNRECORDED, context).then((known) => {
    fate = known;
  });
  onTestFinished(async () => {
    stopping.abort();
    await sending;
    await dialect.close();
  });
  return { fate: (): Fate | null => fate, gate, health };
}

const attemptsOf = (health: Health) => [...health.counts().attempts.values()].reduce((sum, count) => sum + count, 0);

/** What became of the event after so many attempts, or before. */
function meaningOf({ fate, gate, health }: ReturnType<typeof setup>): Meaning {
  const known = fate();
  if (known?.kind === "delivered") return { kind: known.conflicts.length === 0 ? "delivered" : "quarantined" };
  if (known?.kind === "refused") return { kind: "quarantined" };
  if (known?.kind === "held") return { kind: "pause", holds: "lane" };
  const state = gate.state();
  if (state.kind === "paused") return { kind: "pause", holds: "credentials" };
  const isWait = (health.counts().attempts.get("wait") ?? 0) > 0;
  if (isWait) return { kind: "wait", seconds: state.kind === "quiet" ? state.nextMs / 1000 : 0 };
  return { kind: "retry", seconds: health.status(state).next_attempt_s ?? 0 };
}

describe.each(["zuora", "solvimon", "edge"] as const)("%s", (recipient) => {
  test.each(rowsFor(recipient).map((row) => [row.name, row] as const))("%s", async (_, row) => {
    const sent = setup(recipient, row);
    const attempts = Math.max(row.replies.length, row.tokens?.length ?? 0);
    const isOver = () => sent.fate() !== null || attemptsOf(sent.health) >= attempts;
    await until(isOver, { what: "the last reply's attempt", everyMs: 1 });
    // The verdict is told to health, then to the gate, within one turn.
    await new Promise((resolve) => setImmediate(resolve));
    expect(meaningOf(sent)).toEqual(row.meaning);
  });
});
