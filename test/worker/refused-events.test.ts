/** What the edge refuses leaves a line in its log, and never an event in it. */
import { expect, it, onTestFinished, vi } from "vitest";
import { event, setupEdge, twinUrl } from "./support/edge.ts";

const SECRET = "cus_nobody_may_read";

/** The lines of the Worker's log from here on. */
function logged(): Record<string, unknown>[] {
  const lines: Record<string, unknown>[] = [];
  const warn = vi.spyOn(console, "warn").mockImplementation((text: string) => void lines.push(JSON.parse(text)));
  onTestFinished(() => warn.mockRestore());
  return lines;
}

it("refused, conflicting and quarantined events are logged with tenant, stream and first reason", async () => {
  const edge = await setupEdge();
  await edge.putCatalog({ streams: ["a", "b", "c"].map((meter_global_id) => ({ meter_global_id })) });
  const bad = event({ CustomerId: SECRET, Quantity: SECRET });
  await edge.post("c", event(), { "idempotency-key": "k" });
  const lines = logged();
  await edge.post("a", `[${bad},${event()}]`);
  await edge.post("b", `[${bad},${event()}]`, { prefer: "handling=lenient" });
  await edge.post("c", event({ CustomerId: SECRET }), { "idempotency-key": "k" });
  await edge.post(`no-meter`, event());
  const { tenant } = edge;
  const of = { level: "warn", message: "events were refused", tenant, requests: 1 };
  const none = { refused: 0, conflicts: 0, quarantined: 0 };
  const first = { why: "Quantity must be a number, got a string", code: 70000000, field: "Quantity" };
  expect(lines).toMatchObject([
    { ...of, ...none, stream: "usage/a", refused: 2, first },
    { ...of, ...none, stream: "usage/b", quarantined: 1, first },
    { ...of, ...none, stream: "usage/c", conflicts: 1, first: { code: 70000009 } },
    { ...of, ...none, stream: "usage/no-meter", first: { why: "unknown-stream" } },
  ]);
  expect(JSON.stringify(lines)).not.toContain(SECRET);
});

it("a hundred refused bodies leave one line, and a later one with the rest of them", async () => {
  let now = Date.parse("2026-11-01T10:05:30Z");
  const edge = await setupEdge({ runtime: { clock: { now: () => now } } });
  await edge.putCatalog({ streams: [{ meter_global_id: "m" }] });
  const lines = logged();
  for (let i = 0; i < 100; i++) await edge.post("m", "{}");
  expect(lines).toHaveLength(1);
  now += 60_000;
  edge.services.refusals.flush();
  expect(lines.slice(1)).toMatchObject([{ requests: 99, refused: 99 }]);
});

it("an event that the upstream refuses leaves a line, without the event and without the upstream's words", async () => {
  const edge = await setupEdge();
  await edge.putCatalog({ streams: [{ meter_global_id: "refused-upstream" }] });
  const faults = [{ times: 50, status: 400, contains: SECRET }];
  await fetch(`${twinUrl()}/twin/faults`, { method: "POST", body: JSON.stringify(faults) });
  await edge.post("refused-upstream", `[${event({ CustomerId: SECRET })},${event()}]`);
  const lines = logged();
  await edge.services.delivery.deliver({ tenant: edge.tenant, stream: "usage/refused-upstream" });
  const first = { why: "the upstream refused the event with 400", code: 400 };
  expect(lines).toMatchObject([
    { message: "events were refused", tenant: edge.tenant, stream: "usage/refused-upstream", quarantined: 1, first },
  ]);
  expect(JSON.stringify(lines)).not.toContain(SECRET);
});
