/** The agent's numbers in Prometheus' text form. */

import { visibleLines } from "../runtime/visible-text.ts";
import type { UploadNumbers } from "../upload/uploader.ts";
import type { StatusDocument } from "./status.ts";

export interface MetricsSource {
  readonly status: StatusDocument;
  readonly uploads: UploadNumbers;
  /** Transactions since the start, each one an fsync. */
  readonly commits: number;
  /** Log lines left out since the start. */
  readonly suppressedLines: number;
  /** Bytes that were seen in followed files and are certainly gone, since the start. */
  readonly lostBytes: number;
  /** Bytes of the buffer's database that hold nothing. */
  readonly freeBytes: number;
}

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  readonly value: number;
}

const STATES = ["ok", "backing_off", "paused", "unreachable"] as const;

const FINAL = ["accepted", "delivered", "discarded"] as const;
const HELD = ["pending", "quarantined"] as const;

/** @returns the exposition format, version 0.0.4. */
export function metricsText({
  status,
  uploads,
  commits,
  suppressedLines,
  lostBytes,
  freeBytes,
}: MetricsSource): string {
  const { ledger, buffer, destination, streams, delivery } = status;
  const counts = (states: readonly (keyof typeof ledger)[]) =>
    states.map((state) => ({ labels: { state }, value: ledger[state] }));
  const streamCounts = (states: readonly (keyof typeof ledger)[]) =>
    streams.flatMap(({ stream, ledger: own }) =>
      states.map((state) => ({ labels: { stream, state }, value: own[state] })),
    );
  const attempts = [...uploads.attempts].map(([verdict, value]) => ({ labels: { verdict }, value }));
  const states = STATES.map((state) => ({ labels: { state }, value: destination.state === state ? 1 : 0 }));
  return [
    metric("weir_agent_events_total", "counter", "Events by what became of them.", counts(FINAL)),
    metric("weir_agent_events", "gauge", "Events the agent holds.", counts(HELD)),
    metric(
      "weir_agent_stream_events_total",
      "counter",
      "Events of each stream by what became of them.",
      streamCounts(FINAL),
    ),
    metric("weir_agent_stream_events", "gauge", "Events of each stream the agent holds.", streamCounts(HELD)),
    metric("weir_agent_buffer_bytes", "gauge", "Bytes of the buffer's files.", [{ value: buffer.bytes }]),
    metric("weir_agent_buffer_max_bytes", "gauge", "Bound of the buffer's files.", [{ value: buffer.max_bytes }]),
    metric("weir_agent_buffer_free_bytes", "gauge", "Bytes of the database that hold nothing.", [{ value: freeBytes }]),
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
    metric("weir_agent_upload_window", "gauge", "Calls that may be under way at once: falls under overload.", [
      { value: uploads.window },
    ]),
    metric("weir_agent_upload_batch_bytes", "gauge", "Bytes a shipment is packed to, as learned from 413s.", [
      { value: uploads.size.bytes },
    ]),
    metric("weir_agent_upload_batch_events", "gauge", "Events a shipment is packed to, as learned from 413s.", [
      { value: uploads.size.events },
    ]),
    metric("weir_agent_destination_state", "gauge", "1 for the state the destination is in.", states),
    metric(
      "weir_agent_destination_next_attempt_seconds",
      "gauge",
      "Seconds until the next call; absent while nothing is waited for.",
      destination.next_attempt_s === null ? [] : [{ value: destination.next_attempt_s }],
    ),
    metric(
      "weir_agent_edge_pending",
      "gauge",
      "Events of this agent that the edge has and the vendor has not; absent while that is not known.",
      delivery === null ? [] : [{ value: delivery.pending }],
    ),
    metric(
      "weir_agent_edge_waiting",
      "gauge",
      "1 for a stream whose events wait at the edge.",
      (delivery?.waiting ?? []).map(({ stream, state }) => ({ labels: { stream, state }, value: 1 })),
    ),
    metric(
      "weir_agent_edge_asked_seconds",
      "gauge",
      "How long ago the edge was asked.",
      delivery === null ? [] : [{ value: delivery.asked_s }],
    ),
    metric("weir_agent_log_lines_suppressed_total", "counter", "Log lines left out as repeats.", [
      { value: suppressedLines },
    ]),
    metric("weir_agent_tail_lost_bytes_total", "counter", "Bytes of followed files that are gone unread.", [
      { value: lostBytes },
    ]),
  ].join("");
}

function metric(name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]): string {
  // A sample that came twice would cost the whole page, and names of streams are what an edge says they are.
  const values = new Map(samples.map(({ labels, value }) => [labelText(labels), value]));
  const lines = [...values].map(([labels, value]) => `${name}${labels} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}

/** As the text form wants it: backslash, quote and newline are written with a backslash before. */
function escaped(value: string): string {
  return visibleLines(value).replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n");
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  if (labels === undefined) return "";
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(",")}}`;
}
