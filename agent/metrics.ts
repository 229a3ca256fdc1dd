/** The agent's numbers in Prometheus' text form. */

import type { StatusDocument } from "./status.ts";
import type { UploadCounts } from "./upload/health.ts";

export interface MetricsSource {
  readonly status: StatusDocument;
  readonly uploads: UploadCounts;
  /** Transactions since the start, each one an fsync. */
  readonly commits: number;
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

const STATES = ["ok", "backing_off", "paused", "unreachable"] as const;

/** @returns the exposition format, version 0.0.4. */
export function metricsText({ status, uploads, commits }: MetricsSource): string {
  const { ledger, buffer, destination } = status;
  const counters = (["accepted", "delivered", "discarded"] as const).map((state) => ({
    labels: { state },
    value: ledger[state],
  }));
  const gauges = (["pending", "quarantined"] as const).map((state) => ({ labels: { state }, value: ledger[state] }));
  const attempts = [...uploads.attempts].map(([verdict, value]) => ({ labels: { verdict }, value }));
  const states = STATES.map((state) => ({ labels: { state }, value: destination.state === state ? 1 : 0 }));
  return [
    metric("weir_agent_events_total", "counter", "Events by what became of them.", counters),
    metric("weir_agent_events", "gauge", "Events the agent holds.", gauges),
    metric("weir_agent_buffer_bytes", "gauge", "Bytes of the buffer's files.", [{ value: buffer.bytes }]),
    metric("weir_agent_buffer_max_bytes", "gauge", "Bound of the buffer's files.", [{ value: buffer.max_bytes }]),
    metric("weir_agent_oldest_seconds", "gauge", "Age of the oldest pending event.", [{ value: buffer.oldest_s ?? 0 }]),
    metric(
      "weir_agent_hours_left",
      "gauge",
      "Hours until the buffer is full at the present rate; absent while it is not filling.",
      buffer.hours_left === null ? [] : [{ value: buffer.hours_left }],
    ),
    metric("weir_agent_commits_total", "counter", "Transactions written to disk.", [{ value: commits }]),
    metric("weir_agent_upload_attempts_total", "counter", "Calls to the destination by verdict.", attempts),
    metric("weir_agent_upload_bytes_total", "counter", "Bytes of events sent, before compression.", [
      { value: uploads.bytes },
    ]),
    metric("weir_agent_destination_state", "gauge", "1 for the state the destination is in.", states),
  ].join("");
}

function metric(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): string {
  const lines = samples.map(({ labels, value }) => `${name}${labelText(labels)} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  if (labels === undefined) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, "\\$&")}"`);
  return `{${pairs.join(",")}}`;
}
