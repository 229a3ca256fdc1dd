/** The ledger's numbers in Prometheus' text format. Labels are tenants, streams and scopes; nothing else is shown. */
import { type DestinationStanding, type HeldLanes, STANDING_STATES } from "./delivery/standing.ts";
import type { Hold, StreamTotals } from "./ledger/stats.ts";

interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly sampleOf: (totals: StreamTotals, now: number) => number;
}

const METRICS: readonly Metric[] = [
  counter("accepted", "Events accepted."),
  counter("duplicates", "Repeats of events accepted before."),
  counter("conflicts", "Events refused because their identity was accepted before with other content."),
  counter("delivered", "Events the upstream has accepted."),
  counter("discarded", "Events given up by a person."),
  gauge("weir_events_pending", "Events that wait for delivery.", ({ pending }) => pending),
  gauge("weir_quarantine_open", "Events that wait for a person.", ({ quarantined }) => quarantined),
  gauge(
    "weir_shipments_open",
    "Calls upstream that are fixed and not yet settled, counted to 1,000.",
    ({ openShipments }) => openShipments,
  ),
  gauge(
    "weir_oldest_pending_age_seconds",
    "Age of the oldest pending batch; 0 for none.",
    ({ oldestPendingAt }, now) => (oldestPendingAt === null ? 0 : Math.max(0, (now - oldestPendingAt) / 1000)),
  ),
];

function counter(name: "accepted" | "duplicates" | "conflicts" | "delivered" | "discarded", help: string): Metric {
  return { name: `weir_events_${name}_total`, type: "counter", help, sampleOf: (totals) => totals[name] };
}

function gauge(name: string, help: string, sampleOf: Metric["sampleOf"]): Metric {
  return { name, type: "gauge", help, sampleOf };
}

export function metricsText(totals: readonly StreamTotals[], holds: readonly Hold[], now: number): string {
  const lines = METRICS.flatMap(({ name, type, help, sampleOf }) => [
    ...head(name, type, help),
    ...totals.map(
      (row) => `${name}{tenant="${label(row.tenant)}",stream="${label(row.stream)}"} ${sampleOf(row, now)}`,
    ),
  ]);
  const held = "weir_hold_remaining_seconds";
  lines.push(
    ...head(held, "gauge", "How long nothing is sent to a destination, with its credentials, or of one lane."),
    ...holds.map(({ until, ...names }) => `${held}{${labels(names)}} ${(until - now) / 1000}`),
  );
  return `${lines.join("\n")}\n`;
}

/** How delivery stands: a few samples a destination, and one a stream that waits there. */
export function standingMetrics(destinations: readonly DestinationStanding[], held: readonly HeldLanes[]): string {
  const of = ({ vendor, destination }: Pick<HeldLanes, "vendor" | "destination">) =>
    `vendor="${vendor}",destination="${label(destination)}"`;
  const lines = [
    ...head("weir_destination_state", "gauge", "1 for the state a destination is in."),
    ...destinations.flatMap((one) =>
      STANDING_STATES.map((state) => {
        return `weir_destination_state{${of(one)},state="${state}"} ${one.state === state ? 1 : 0}`;
      }),
    ),
    ...head("weir_destination_waiting_since_timestamp_seconds", "gauge", "Since when something waits; absent else."),
    ...destinations.flatMap((one) => {
      const name = "weir_destination_waiting_since_timestamp_seconds";
      return one.since === null ? [] : [`${name}{${of(one)}} ${one.since / 1000}`];
    }),
    ...head("weir_lanes_waiting", "gauge", "Lanes that wait for themselves."),
    ...held.map(({ tenant, stream, lanes, ...account }) => {
      return `weir_lanes_waiting{${of(account)},tenant="${label(tenant)}",stream="${label(stream)}"} ${lanes}`;
    }),
  ];
  return `${lines.join("\n")}\n`;
}

/** @param setAside tenants whose usage could not be folded. */
export function usageMetrics(setAside: number): string {
  const name = "weir_usage_tenants_set_aside";
  const help = "Tenants whose usage could not be folded into days; calculations read it event by event.";
  return `${[...head(name, "gauge", help), `${name} ${setAside}`].join("\n")}\n`;
}

interface DatabaseSize {
  readonly database: string;
  readonly bytes: number;
  readonly bytesMax: number;
}

/** How large each ledger database is, and from where on it takes no new events. */
export function sizeMetrics(sizes: readonly DatabaseSize[]): string {
  const used = "weir_ledger_bytes";
  const max = "weir_ledger_bytes_max";
  const lines = [
    ...head(used, "gauge", "Bytes of a ledger database that are in use; freed pages are not counted."),
    ...sizes.map(({ database, bytes }) => `${used}{database="${label(database)}"} ${bytes}`),
    ...head(max, "gauge", "From so many bytes on new events are answered 507."),
    ...sizes.map(({ database, bytesMax }) => `${max}{database="${label(database)}"} ${bytesMax}`),
  ];
  return `${lines.join("\n")}\n`;
}

function head(name: string, type: string, help: string): string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function labels(names: Readonly<Record<string, string>>): string {
  return Object.entries(names)
    .map(([name, value]) => `${name}="${label(value)}"`)
    .join(",");
}

function label(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
