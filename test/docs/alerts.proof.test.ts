/** Each rule of docs/alerts.yaml, run by Prometheus' own promtool: it fires for its cause, and for nothing else. */
import { spawnSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it, onTestFinished } from "vitest";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { alertsOf } from "./support/alerts.ts";

const RULES = fileURLToPath(new URL("../../docs/alerts.yaml", import.meta.url));
const alerts = alertsOf(readFileSync(RULES, "utf8"));
const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;
if (!hasPromtool) console.warn("no alert is fired: there is no promtool (Debian's package prometheus)");

const STREAM = 'tenant="acme",stream="usage/m"';
const ZUORA = 'vendor="zuora",destination="default"';
/** Series of an edge and an agent at which there is nothing to see, every five minutes for two days. */
const WELL: Readonly<Record<string, string>> = {
  'up{job="weir-edge"}': "1x576",
  [`weir_destination_state{${ZUORA},state="ok"}`]: "1x576",
  [`weir_destination_state{${ZUORA},state="waiting"}`]: "0x576",
  [`weir_oldest_pending_age_seconds{${STREAM}}`]: "3x576",
  [`weir_quarantine_open{${STREAM}}`]: "0x576",
  [`weir_events_accepted_total{${STREAM}}`]: "5+10x576",
  [`weir_events_delivered_total{${STREAM}}`]: "0+10x576",
  [`weir_events_discarded_total{${STREAM}}`]: "0x576",
  [`weir_events_conflicts_total{${STREAM}}`]: "0x576",
  [`weir_events_pending{${STREAM}}`]: "5x576",
  'weir_ledger_bytes{database="weir"}': "4e9x576",
  'weir_ledger_bytes_max{database="weir"}': "9e9x576",
  weir_usage_tenants_set_aside: "0x576",
  'up{job="weir-agent"}': "1x576",
  'weir_agent_destination_state{state="ok"}': "1x576",
  'weir_agent_destination_state{state="paused"}': "0x576",
  'weir_agent_destination_state{state="unreachable"}': "0x576",
  weir_agent_buffer_bytes: "1e8x576",
  weir_agent_buffer_free_bytes: "1e7x576",
  weir_agent_buffer_max_bytes: "2e9x576",
  weir_agent_tail_lost_bytes_total: "0x576",
  'weir_agent_events_total{state="accepted"}': "7+10x576",
  'weir_agent_events_total{state="delivered"}': "0+10x576",
  'weir_agent_events_total{state="discarded"}': "0x576",
  'weir_agent_events{state="pending"}': "7x576",
  'weir_agent_events{state="quarantined"}': "0x576",
};

/** What differs where an alert fires: in the last two hours only, so that the rule's own patience is passed. */
const CAUSES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  WeirEdgeDown: { 'up{job="weir-edge"}': "1x552 0x24" },
  WeirDestinationWaits: { [`weir_destination_state{${ZUORA},state="waiting"}`]: "0x552 1x24" },
  WeirLanesWait: { [`weir_lanes_waiting{${ZUORA},${STREAM}}`]: "_x552 4x24" },
  WeirDeliveryFallsBehind: { [`weir_oldest_pending_age_seconds{${STREAM}}`]: "3x552 0+300x24" },
  WeirQuarantineOpen: {
    [`weir_quarantine_open{${STREAM}}`]: "0x552 2x24",
    [`weir_events_pending{${STREAM}}`]: "5x552 3x24",
  },
  WeirConflicts: { [`weir_events_conflicts_total{${STREAM}}`]: "0x570 1x6" },
  WeirIntakeStopped: {
    [`weir_events_accepted_total{${STREAM}}`]: "5+10x552 5525x24",
    [`weir_events_delivered_total{${STREAM}}`]: "0+10x552 5520x24",
  },
  WeirLedgerFillsUp: { 'weir_ledger_bytes{database="weir"}': "4e9x552 8e9x24" },
  WeirLedgerFull: { 'weir_ledger_bytes{database="weir"}': "4e9x575 9e9x1" },
  WeirUsageSetAside: { weir_usage_tenants_set_aside: "0x552 1x24" },
  WeirLedgerDoesNotAddUp: { [`weir_events_pending{${STREAM}}`]: "5x552 4x24" },
  WeirAgentDown: { 'up{job="weir-agent"}': "1x552 0x24" },
  WeirAgentPaused: { 'weir_agent_destination_state{state="paused"}': "0x552 1x24" },
  WeirAgentCannotDeliver: { 'weir_agent_destination_state{state="unreachable"}': "0x552 1x24" },
  WeirAgentBufferFillsUp: { weir_agent_hours_left: "_x552 11x24" },
  WeirAgentBufferFull: { weir_agent_buffer_bytes: "1e8x575 2e9x1" },
  WeirAgentQuarantine: {
    'weir_agent_events{state="quarantined"}': "0x552 2x24",
    'weir_agent_events{state="pending"}': "7x552 5x24",
  },
  WeirAgentEventsWaitAtEdge: { 'weir_agent_edge_waiting{stream="usage/m",state="waiting"}': "_x552 1x24" },
  WeirAgentTailLost: { weir_agent_tail_lost_bytes_total: "0x570 80x6" },
  WeirAgentLedgerDoesNotAddUp: { 'weir_agent_events{state="pending"}': "7x552 6x24" },
};

/** Asks promtool which alerts fire at the end of the two days; its complaint, or nothing where they are these. */
function complaint(series: Readonly<Record<string, string>>, firing: readonly string[]): string {
  const dir = tempDir("weir-alerts");
  onTestFinished(dir.remove);
  copyFileSync(RULES, join(dir.path, "alerts.yaml"));
  const input_series = Object.entries(series).map(([name, values]) => ({ series: name, values }));
  const tests = [
    {
      interval: "5m",
      input_series,
      promql_expr_test: [
        {
          expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
          eval_time: "2880m",
          exp_samples: firing.map((alertname) => ({ labels: `{alertname="${alertname}"}`, value: 1 })),
        },
      ],
    },
  ];
  // JSON is YAML too.
  const file = join(dir.path, "test.yaml");
  writeFileSync(file, JSON.stringify({ rule_files: ["alerts.yaml"], evaluation_interval: "5m", tests }));
  const { status, stdout, stderr } = spawnSync("promtool", ["test", "rules", file], { encoding: "utf8" });
  return status === 0 ? "" : `${stdout}${stderr}`;
}

describe.skipIf(!hasPromtool)(hasPromtool ? "alerts" : "alerts (skipped: there is no promtool)", () => {
  it("none fires while all is well", () => {
    expect(complaint(WELL, [])).toBe("");
  });

  it.each(alerts.map(({ alert }) => alert))("%s fires for its cause, and no other with it", (alert) => {
    const cause = CAUSES[alert];
    if (cause === undefined) throw new Error(`what makes ${alert} fire? say it in CAUSES`);
    expect(complaint({ ...WELL, ...cause }, [alert])).toBe("");
  });
});
