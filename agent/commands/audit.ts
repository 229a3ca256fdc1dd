import type { LedgerDigest } from "../../shared/ledger-digest.ts";
import { type Config, readConfig } from "../config/config.ts";
import { openBuffer, resendRanges } from "../core.ts";
import {
  compareStream,
  digestFor,
  type EdgeRow,
  fetchEdgeLedger,
  isEqual,
  type Range,
  type Snapshot,
  type StreamAudit,
  sizeOf,
  takenBy,
  takeSnapshots,
} from "../operator/audit.ts";
import { AgentError } from "../runtime/agent-error.ts";
import { openDialect } from "../upload/destination.ts";
import { reachBuffer } from "./access.ts";
import { drain } from "./drain.ts";
import { type ExitCode, printError, printJson, printLine, type Terminal } from "./terminal.ts";

export interface AuditOptions {
  readonly config: string;
  readonly json: boolean;
  /** Send again what the edge lacks, as far as it is still here. */
  readonly repair: boolean;
}

interface Holder {
  readonly producer: string | null;
  snapshots(): Promise<readonly Snapshot[]>;
  digest(stream: string, taken: readonly Range[]): Promise<LedgerDigest | null>;
  resend(stream: string, ranges: readonly Range[]): Promise<number>;
  close(): Promise<void>;
}

/** Holds the agent's ledger against the edge's, stream by stream; 1 on any difference that is left. */
export async function audit(options: AuditOptions, terminal: Terminal): Promise<ExitCode> {
  const config = readConfig(options.config, terminal.env);
  const dialect = openDialect(config, terminal.env, terminal.clock);
  const transport = dialect.schemaSource;
  if (transport === null) {
    await dialect.close();
    throw new AgentError("CONFIG", `audit: only an edge keeps a ledger to compare with, not ${dialect.vendor.name}`);
  }
  const access = await reachBuffer(config.buffer.directory, () => openOwn(config, terminal), terminal);
  const holder = access.kind === "running" ? await withProducer(access.client) : access.own;
  let audits: StreamAudit[];
  try {
    const producer = holder.producer ?? "";
    const before = await holder.snapshots();
    const rows = await fetchEdgeLedger(transport, producer, new AbortController().signal);
    const streams = new Map(rows.map((row) => [row.stream, row]));
    audits = [];
    for (const snapshot of before) audits.push(await auditStream(snapshot, streams.get(snapshot.stream), holder));
    for (const row of rows) {
      if (!before.some(({ stream }) => stream === row.stream))
        audits.push(compareStream(nothingOf(row.stream), row, null));
    }
    if (options.repair) audits = await repair(audits, holder);
  } finally {
    await transport.close();
    await holder.close();
  }
  print(audits, options, terminal);
  const repaired = audits.reduce((sum, { repaired: count = 0 }) => sum + count, 0);
  if (repaired > 0) return confirm(audits, options, terminal);
  return audits.every(isEqual) ? 0 : 1;
}

async function auditStream(before: Snapshot, edge: EdgeRow | undefined, holder: Holder): Promise<StreamAudit> {
  const due = edge === undefined ? null : await holder.digest(before.stream, takenBy(edge));
  return compareStream(before, edge, due);
}

async function openOwn(config: Config, { logger }: Terminal): Promise<Holder> {
  const log = await openBuffer(config, logger);
  return {
    producer: log.producer,
    snapshots: () => takeSnapshots(log),
    digest: (stream, taken) => digestFor(log, stream, taken),
    resend: (stream, ranges) => resendRanges(log, stream, ranges),
    close: log.close,
  };
}

async function withProducer(
  client: Omit<Holder, "producer"> & { status(): Promise<{ producer: string | null }> },
): Promise<Holder> {
  const { producer } = await client.status();
  return { ...client, producer };
}

function nothingOf(stream: string): Snapshot {
  const ledger = { accepted: 0, delivered: 0, pending: 0, quarantined: 0, discarded: 0 };
  // The edge may have more than this log ever gave: all of it is extra.
  return {
    stream,
    last: Number.MAX_SAFE_INTEGER,
    ledger,
    positions: { kind: "positions", pending: [], withheld: [[1, Number.MAX_SAFE_INTEGER]] },
  };
}

async function repair(audits: readonly StreamAudit[], holder: Holder): Promise<StreamAudit[]> {
  const repaired: StreamAudit[] = [];
  for (const found of audits) {
    const count = found.missing.length === 0 ? 0 : await holder.resend(found.stream, found.missing);
    repaired.push({ ...found, repaired: count });
  }
  return repaired;
}

/** Sends what waits again, then looks once more. */
async function confirm(audits: readonly StreamAudit[], options: AuditOptions, terminal: Terminal): Promise<ExitCode> {
  const quiet: Terminal = { ...terminal, stdout: terminal.stderr };
  const code = await drain({ config: options.config, json: false, timeout: DRAIN_S_MAX }, quiet);
  const lost = audits.reduce((sum, { missing, repaired = 0 }) => sum + sizeOf(missing) - repaired, 0);
  if (lost > 0) printError(terminal, `${lost} missing events are no longer kept here and cannot be sent again`);
  if (code !== 0 || lost > 0) return 1;
  return audit({ ...options, repair: false }, quiet);
}

const DRAIN_S_MAX = 300;
/** Ranges a person reads; JSON has them all. */
const RANGES_SHOWN_MAX = 20;

function print(audits: readonly StreamAudit[], { json }: AuditOptions, terminal: Terminal): void {
  if (json) {
    printJson(terminal, JSON.stringify({ equal: audits.every(isEqual), streams: audits }));
    return;
  }
  if (audits.length === 0) printLine(terminal, "equal: neither side has any event");
  for (const found of audits) {
    const { stream, agent, edge, missing, extra, digest, gaps_not_listed: notListed, repaired } = found;
    printLine(
      terminal,
      `${isEqual(found) ? "equal " : "DIFFER"} ${stream}: agent delivered ${agent.delivered} of ${agent.accepted}, edge has ${edge.positions} positions, digests ${digest}`,
    );
    if (missing.length > 0) printLine(terminal, `       missing at the edge: ${shown(missing)}`);
    if (extra.length > 0) printLine(terminal, `       at the edge, but never sent from here: ${shown(extra)}`);
    if (notListed > 0) printLine(terminal, `       the edge has ${notListed} further gaps that it did not list`);
    if (repaired !== undefined && missing.length > 0)
      printLine(terminal, `       ${repaired} of ${sizeOf(missing)} are sent again`);
  }
}

function shown(ranges: readonly Range[]): string {
  const texts = ranges
    .slice(0, RANGES_SHOWN_MAX)
    .map(([first, last]) => (first === last ? `${first}` : `${first}–${last}`));
  const rest = ranges.length - texts.length;
  return `${texts.join(", ")}${rest > 0 ? ` and ${rest} ranges more (--json has them all)` : ""} (${sizeOf(ranges)} in all)`;
}
