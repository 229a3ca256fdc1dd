/** Who waits for whom: a lane that is refused, a stream with the same ids headers, stops no other. */
import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { runCommand } from "./support/cli.ts";
import type { ReceivedCall } from "./support/destination.ts";
import { logLines } from "./support/log-lines.ts";
import { EVENT, events, setup } from "./support/setup.ts";
import { vendorSetup } from "./support/vendor.ts";

const UPLOAD = "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 50\nbatch_events = 10";
const PATH = "/usage/bulk/m";

const post = async (agent: Awaited<ReturnType<typeof setup>>, texts: readonly string[], org?: string, path = PATH) => {
  const headers: Record<string, string> = org === undefined ? {} : { "zuora-org-ids": org };
  expect((await agent.post(path, `[${texts.join(",")}]`, headers)).status).toBe(200);
};
const isBad = (call: ReceivedCall) => call.headers["zuora-org-ids"] === "bad";

test.each([403, 404, 431, 451, 500])(
  "%i of one lane lets the others of its stream and other streams go on",
  async (status) => {
    let isRefused = true;
    await using agent = await setup({
      upload: UPLOAD,
      reply: (call) => (isRefused && isBad(call) ? { status } : undefined),
    });
    for (let i = 0; i < 20; i++) {
      await post(agent, events(5, 10 * i), "bad");
      await post(agent, events(5, 10 * i + 5), "good");
      await post(agent, events(5, 10 * i), undefined, "/usage/bulk/other");
    }
    const stuck = await agent.reach("what is not refused", (now) => now.ledger.delivered === 200);
    expect(stuck.ledger).toMatchObject({ pending: 100, quarantined: 0 });
    isRefused = false;
    expect((await agent.drained()).ledger).toMatchObject({ delivered: 300, quarantined: 0 });
    expect(agent.destination.taken.size).toBe(300);
    expect(agent.destination.disagreements).toEqual([]);
  },
);

test("a lane that waits is probed by one call at a time, logged when it begins and when it ends", async () => {
  const { logger, lines } = logLines();
  let isRefused = true;
  let most = 0;
  let now = 0;
  await using agent = await setup({
    logger,
    upload: UPLOAD,
    reply: async (call) => {
      if (!isRefused || !isBad(call)) return undefined;
      most = Math.max(most, ++now);
      await new Promise((resolve) => setImmediate(resolve));
      now--;
      return { status: 403 };
    },
  });
  await post(agent, events(5), "bad");
  await until(() => agent.destination.calls.length > 0, { what: "a refusal" });
  await post(agent, events(100, 5), "bad");
  await until(() => agent.destination.calls.length > 3, { what: "probes" });
  expect(most).toBe(1);
  isRefused = false;
  await agent.drained();
  const told = lines.filter(({ msg }) => msg.startsWith("a lane"));
  expect(told).toMatchObject([
    { level: 50, stream: "usage/m", org_ids: "bad", status: 403 },
    { level: 30, msg: "a lane goes on", org_ids: "bad" },
  ]);
});

test("ids that are wrong cost tens of calls, not two for each event", async () => {
  await using agent = await setup({
    upload: "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 50",
    reply: (call) => (isBad(call) ? { status: 400, body: { success: false, message: "no such org: bad" } } : undefined),
  });
  await post(agent, events(200), "bad");
  const { ledger } = await agent.drained();
  expect(ledger).toMatchObject({ quarantined: 200, delivered: 0 });
  expect(agent.destination.calls.length).toBe(19);
});

test("events refused in the same words as their neighbours are distinguished from those that are accepted", async () => {
  const bad = (call: ReceivedCall) => call.events.some((event) => /"c[0-9]*[05]"/.test(event));
  await using agent = await setup({
    upload: "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 50",
    reply: (call) => (bad(call) ? { status: 400, body: { success: false, message: "bad" } } : undefined),
  });
  await post(agent, events(200));
  expect((await agent.drained()).ledger).toMatchObject({ quarantined: 40, delivered: 160 });
  expect(agent.destination.disagreements).toEqual([]);
});

test("at Zuora: a lane that is refused is reported, withdrawn, corrected and delivered, while all else flows", async () => {
  const { agent, twin, taken } = await vendorSetup("zuora", { agent: { upload: UPLOAD } });
  await twin.faults([{ path: "/meters/streaming/ingestion/", contains: "bad-", times: 1_000_000, status: 403 }]);
  const good = events(100);
  const bad = Array.from({ length: 1000 }, (_, i) => EVENT.replace('"u1"', `"bad-${i}"`));
  for (let i = 0; i < 10; i++) {
    await post(agent, bad.slice(100 * i, 100 * i + 100), "bad");
    await post(agent, good.slice(10 * i, 10 * i + 5), "good");
    await post(agent, good.slice(10 * i + 5, 10 * i + 10), undefined, "/usage/bulk/other");
  }
  const status = await agent.reach("all that is not refused", (now) => now.ledger.delivered === 100);
  expect(status.streams.find(({ stream }) => stream === "usage/m")?.waiting).toMatchObject([{ org_ids: "bad" }]);
  const config = ["--config", `${agent.directory}/weir-agent.toml`];
  const command = (args: readonly string[]) => runCommand(args, { cwd: agent.directory, env: { KEY: "test-key" } });
  expect((await command(["check", ...config])).stdout).toContain("events of usage/m (orgs bad) wait, answered 403");
  const withdrawn = await command(["quarantine", "withdraw", "--org", "bad", ...config]);
  expect(withdrawn).toMatchObject({ code: 0, stdout: "usage/m (orgs bad): 1000 events in quarantine\n" });
  expect((await agent.agent.status()).ledger).toMatchObject({ accepted: 1100, pending: 0, quarantined: 1000 });
  await twin.clearFaults();
  const retried = await command(["quarantine", "retry", "--status", "403", "--org-ids", "good", ...config]);
  expect(retried.stdout).toBe("1000 of 1000 held events are to be retried\n1000 events wait to be sent again\n");
  expect((await agent.drained()).ledger).toMatchObject({ delivered: 1100, quarantined: 0 });
  expect((await taken()).sort()).toEqual([...good, ...bad].sort());
});
