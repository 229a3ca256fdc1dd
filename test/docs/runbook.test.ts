/** The runbook, its rules and its board speak of metrics and log lines that there are, and leave none out. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { alertsOf } from "./support/alerts.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const sources = (folder: string) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts"))
    .map((path) => read(join(folder, path)))
    .join("\n");

const metricsIn = (text: string) => new Set(text.match(/\bweir_[a-z_]+/g) ?? []);
const COUNTERS = ["accepted", "duplicates", "conflicts", "delivered", "discarded"];
const told = new Set([
  ...metricsIn(read("worker/metrics-text.ts")),
  ...COUNTERS.map((name) => `weir_events_${name}_total`),
  ...metricsIn(read("agent/operator/metrics.ts")),
]);
const runbook = read("docs/runbook.md");
const headings = [...runbook.matchAll(/^### (Weir\w+)$/gm)].map(([, name]) => name);
/** The first cells of its tables of log lines, each text in backticks. */
const lines = [...runbook.matchAll(/^\| (`.+?`(?:, `.+?`)*) \|/gm)].flatMap(([, cell = ""]) =>
  [...cell.matchAll(/`([^`]+)`/g)].map(([, text]) => text ?? ""),
);

describe("docs/runbook.md", () => {
  it("has each alert of alerts.yaml, and no other, where the rule points", () => {
    const alerts = alertsOf(read("docs/alerts.yaml"));
    expect(headings).toEqual(alerts.map(({ alert }) => alert));
    for (const { alert, annotations } of alerts)
      expect(annotations["runbook"]).toBe(`runbook.md#${alert.toLowerCase()}`);
  });

  it("names log lines that edge and agent write, letter for letter", () => {
    const program = sources("worker") + sources("agent");
    expect(lines.length).toBeGreaterThan(15);
    expect(lines.filter((line) => !program.includes(`"${line}"`))).toEqual([]);
  });

  it("has each failure that the edge logs", () => {
    const logged = [...sources("worker").matchAll(/\blog(?:Failure|Warning)\(\s*"([^"]+)"/g)].map(([, text]) => text);
    expect(logged.length).toBeGreaterThan(8);
    expect(logged.filter((line) => !lines.includes(line ?? ""))).toEqual([]);
  });
});

it.each(["docs/alerts.yaml", "docs/dashboard.json"])("%s reads only metrics that there are", (path) => {
  const named = [...metricsIn(read(path))];
  expect(named.length).toBeGreaterThan(8);
  expect(named.filter((name) => !told.has(name))).toEqual([]);
});
