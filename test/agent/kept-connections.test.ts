/** What an agent makes of a destination that closes kept connections under its calls. */
import { expect, onTestFinished, test } from "vitest";
import { openDestination } from "./support/destination.ts";
import { logLines } from "./support/log-lines.ts";
import { eventNumber, setup } from "./support/setup.ts";
import { zuoraLines } from "./support/vendor.ts";

test("a kept connection closed under a call is no outage: no wait, no smaller window, no line in the log", async () => {
  const { logger, lines } = logLines();
  await using agent = await setup({
    logger,
    // A single backoff would take minutes.
    upload: "linger_ms = 0\nconcurrency = 4\nbackoff_base_ms = 3600000\nbackoff_max_ms = 3600000",
    reply: (call) => (call.earlier > 0 ? "take-and-cut" : undefined),
  });
  for (let n = 0; n < 6; n++) {
    await agent.post("/usage/bulk/m", eventNumber(n));
    expect((await agent.drained()).destination).toEqual({ state: "ok", last_error: null, next_attempt_s: null });
  }
  const { calls, taken, disagreements } = agent.destination;
  const cut = calls.filter(({ earlier }) => earlier > 0).length;
  expect(cut).toBeGreaterThan(0);
  expect([taken.size, disagreements, calls.length]).toEqual([6, [], 6 + cut]);
  expect(Object.fromEntries(await agent.metrics())).toMatchObject({
    'weir_agent_upload_attempts_total{verdict="delivered"}': 6,
    'weir_agent_upload_attempts_total{verdict="connection_closed"}': cut,
    weir_agent_upload_window: 4,
  });
  expect((await agent.metrics()).has('weir_agent_upload_attempts_total{verdict="network"}')).toBe(false);
  expect(lines.filter(({ msg }) => msg.startsWith("uploads"))).toEqual([]);
});

test("to a vendor the repeat goes under the same key, and its 409 says that the first try was accepted", async () => {
  const vendor = await openDestination();
  onTestFinished(() => vendor.close());
  const seen = new Set<unknown>();
  vendor.reply = (call) => {
    if (call.path === "/oauth/token") return { status: 200, body: { access_token: "t", expires_in: 3600 } };
    const key = call.headers["idempotency-key"];
    if (seen.has(key)) return { status: 409, body: { success: false, message: "known" } };
    seen.add(key);
    return call.earlier > 0 ? "cut" : { status: 200, body: { success: true } };
  };
  await using agent = await setup({
    destination: zuoraLines(vendor.url),
    upload: "linger_ms = 0\nbackoff_base_ms = 3600000\nbackoff_max_ms = 3600000",
  });
  await agent.post("/usage/bulk/m", eventNumber(1));
  const status = await agent.drained();
  expect(status.ledger).toMatchObject({ delivered: 1, quarantined: 0 });
  const ingested = vendor.calls.filter((call) => call.path !== "/oauth/token");
  expect(ingested.length).toBe(2);
  expect(new Set(ingested.map(({ headers, body }) => `${headers["idempotency-key"]} ${body}`)).size).toBe(1);
});
