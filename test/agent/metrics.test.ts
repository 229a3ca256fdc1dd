import { expect, test } from "vitest";
import type { ReceivedCall } from "./support/destination.ts";
import { EVENT, events, setup } from "./support/setup.ts";

test("the metrics report what was learned, tried and kept, each under its help and type", async () => {
  const tooMany = (call: ReceivedCall) => call.events.length > 10;
  await using agent = await setup({
    upload: "linger_ms = 20\nconcurrency = 3\nbackoff_base_ms = 1\nbackoff_max_ms = 60000",
    reply: (call, index) => {
      if (index === 0) return { status: 500 };
      if (call.stream === "usage/b") return { status: 401 };
      return tooMany(call) ? { status: 413 } : undefined;
    },
  });
  await agent.post("/usage/bulk/a", `[${events(16).join(",")}]`);
  await agent.drained();
  await agent.post("/usage/bulk/b", EVENT);
  const status = await agent.reach("a pause", ({ destination }) => destination.state === "paused");
  const metrics = await agent.metrics();
  expect(Object.fromEntries(metrics)).toMatchObject({
    'weir_agent_events_total{state="accepted"}': 17,
    'weir_agent_stream_events_total{stream="usage/a",state="delivered"}': 16,
    'weir_agent_stream_events{stream="usage/b",state="pending"}': 1,
    'weir_agent_upload_attempts_total{verdict="retry"}': 1,
    'weir_agent_upload_attempts_total{verdict="split"}': 1,
    'weir_agent_upload_attempts_total{verdict="delivered"}': 2,
    'weir_agent_upload_attempts_total{verdict="pause"}': 1,
    'weir_agent_destination_state{state="paused"}': 1,
    'weir_agent_destination_state{state="ok"}': 0,
    weir_agent_upload_window: 3,
    weir_agent_upload_batch_events: 8,
    weir_agent_buffer_max_bytes: status.buffer.max_bytes,
    weir_agent_log_lines_suppressed_total: 0,
  });
  expect(metrics.get("weir_agent_destination_next_attempt_seconds")).toBeGreaterThan(0);
  expect(metrics.get("weir_agent_buffer_free_bytes")).toBeGreaterThanOrEqual(0);
  expect(metrics.get("weir_agent_upload_batch_bytes")).toBeLessThan(1_000_000);
  const text = await (await fetch(`${agent.agent.url}/metrics`)).text();
  for (const name of new Set([...metrics.keys()].map((key) => key.split("{")[0] ?? ""))) {
    expect(text).toMatch(new RegExp(`^# HELP ${name} .+\\n# TYPE ${name} (counter|gauge)\\n${name}`, "m"));
    expect(text.split(`# TYPE ${name} `).length).toBe(2);
  }
});

test("a meter's name with a quote, a backslash and a line break leaves the metrics readable", async () => {
  await using agent = await setup({ reply: () => "cut" });
  const posted = await agent.post(`/usage/bulk/${encodeURIComponent('a"b\\c\nd')}`, EVENT);
  expect(posted.status).toBe(200);
  const text = await (await fetch(`${agent.agent.url}/metrics`)).text();
  expect(text).toContain('stream="usage/a\\"b\\\\c\\nd"');
  expect(text.split("\n").filter((line) => !/^(#.*|weir_agent_\w+(\{.*\})? [-0-9.e+]+|)$/.test(line))).toEqual([]);
});
