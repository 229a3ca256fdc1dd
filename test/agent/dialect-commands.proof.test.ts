import { writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { openAgent } from "../../agent/library/open-agent.ts";
import { eventId } from "../../shared/identity.ts";
import { until } from "../../tools/processes/until.ts";
import { setupTwin } from "../twin/setup.ts";
import { commandLine } from "./support/running.ts";
import { SOLVIMON_KINDS, solvimonEvent, solvimonEvents } from "./support/solvimon-events.ts";
import { zuoraLines } from "./support/vendor.ts";

test("send takes every stream, with an agent running and without one", async () => {
  const { agent, destination } = await commandLine();
  for (const kind of SOLVIMON_KINDS) {
    const sent = await agent.command(["send", "--stream", kind], `${solvimonEvents(kind, 3).join("\n")}\n`);
    expect(sent).toMatchObject({ code: 0, stdout: "3 accepted, 0 quarantined\n" });
  }
  await agent.run().ready;
  for (const kind of SOLVIMON_KINDS) {
    const sent = await agent.command(["send", "--stream", kind], solvimonEvents(kind, 3, 3).join("\n"));
    expect(sent).toMatchObject({ code: 0, stdout: "3 accepted, 0 quarantined\n" });
  }
  expect((await agent.command(["drain"])).code).toBe(0);
  const arrived = [...destination.taken.values()].toSorted();
  expect(arrived).toEqual(SOLVIMON_KINDS.flatMap((kind) => solvimonEvents(kind, 6)).toSorted());
});

test("send stops at a bad line and names it; lenient, it keeps the line in quarantine", async () => {
  const { agent } = await commandLine();
  const lines = [solvimonEvent("charge"), solvimonEvent("charge", '"description":5'), solvimonEvent("charge")];
  const stopped = await agent.command(["send", "--stream", "charge"], lines.join("\n"));
  expect(stopped.code).toBe(1);
  expect(stopped.stderr).toContain("stdin:2: INVALID_FIELD: description must be a string");
  const lenient = await agent.command(["send", "--stream", "charge", "--lenient"], ["[]", ...lines].join("\n"));
  expect(lenient).toMatchObject({ code: 0, stdout: "2 accepted, 2 quarantined\n" });
});

test("check asks a vendor for what the agent will need: that it answers and takes the credentials", async () => {
  const { agent } = await commandLine();
  const twin = await setupTwin();
  const configure = (lines: string) => writeFileSync(agent.configFile, `[destination]\n${lines}\n`);
  const failures = async () => {
    const { stdout } = await agent.command(["check", "--json"]);
    return (JSON.parse(stdout) as { check: string; ok: boolean }[]).filter(({ ok }) => !ok).map(({ check }) => check);
  };
  configure(zuoraLines(twin.url));
  expect(await failures()).toEqual([]);
  configure(zuoraLines(twin.url, "wrong"));
  expect(await failures()).toEqual(["credentials"]);
  writeFileSync(`${agent.directory}/key`, "twin-key");
  configure(`url = "${twin.url}"\ndialect = "solvimon"\napi_key_file = "key"`);
  expect(await failures()).toEqual([]);
  writeFileSync(`${agent.directory}/key`, "another");
  expect(await failures()).toEqual(["credentials"]);
  expect((await twin.counts())["events"]).toBe(0);
});

test("audit needs an edge's ledger, and says so where a vendor is the destination", async () => {
  const { agent } = await commandLine();
  const twin = await setupTwin();
  writeFileSync(agent.configFile, `[destination]\n${zuoraLines(twin.url)}\n`);
  const audited = await agent.command(["audit"]);
  expect(audited).toMatchObject({ code: 2, stderr: expect.stringContaining("only an edge keeps a ledger") });
});

test("a quarantined Solvimon event is retried once its correction is a valid one", async () => {
  const { agent, destination } = await commandLine();
  const bad = solvimonEvent("charge", '"description":5');
  await agent.command(["send", "--stream", "charge", "--lenient"], bad);
  const retry = (event: string) => agent.command(["quarantine", "retry", "1", "--event", "-"], event);
  expect((await retry(bad)).code).toBe(1);
  expect((await retry(solvimonEvent("charge"))).code).toBe(0);
  expect((await agent.command(["drain"])).code).toBe(0);
  expect([...destination.taken.values()]).toEqual([solvimonEvent("charge")]);
});

test("a followed file feeds any stream", async () => {
  const { agent, destination } = await commandLine();
  const lines = solvimonEvents("persist", 3);
  writeFileSync(`${agent.directory}/persist.ndjson`, `${lines.join("\n")}\n`);
  agent.configure(destination.url, '[[tail]]\npath = "persist.ndjson"\nstream = "persist"\n');
  await agent.run().ready;
  await until(() => destination.taken.size === 3, { what: "the file's events" });
  expect([...destination.taken.values()].toSorted()).toEqual(lines.toSorted());
});

test("the library appends to any stream and gives the ids that its routes give", async () => {
  const { agent, destination } = await commandLine();
  const env = { WEIR_API_KEY: "test-key" };
  const library = await openAgent({ config: agent.configFile, env });
  const [first = ""] = solvimonEvents("meter-data", 1);
  const { accepted, ids } = await library.append("meter-data", [first]);
  expect([accepted, ids]).toEqual([1, [eventId("meter-data", "meter-data", { by: "id", id: "reference-0" })]]);
  await library.drain();
  await library.close();
  expect([...destination.taken.values()]).toEqual([first]);
});
