/**
 * Forwarders as Debian has them, with the recipes of docs/forwarders.md, through an agent and an edge to the twin: every
 * fifth answer of the agent is cut, its buffer is full because the edge is gone, and it is killed again and again.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { until } from "../../tools/processes/until.ts";
import type { AgentProcessOptions } from "../../tools/processes/weir-processes.ts";
import { type CuttingProxy, startCuttingProxy } from "../support/cutting-proxy.ts";
import { putCatalog, type River } from "../support/river.ts";
import { COLLECTD, startCollectd } from "./forwarders/collectd.ts";
import { arrivedOf, eachOnce, numbered } from "./forwarders/events.ts";
import { isInstalled, type Program, startProgram } from "./forwarders/program.ts";
import { recipe } from "./forwarders/recipes.ts";
import { CURL, curlScript, nodeScript, PYTHON, pythonScript } from "./forwarders/scripts.ts";
import { type FileForwarderOptions, SYSLOG_NG, startSyslogNg } from "./forwarders/syslog-ng.ts";
import { startRiver } from "./support.ts";

const LINES = 100_000;
const KILLS = 3;
const EVERY = 5;
/** Full before half of the lines are taken. */
const SMALL_BUFFER = { max_bytes: '"6 MiB"' };

/** Meters of which the documents speak: plain lines, lines with an own id, and what collectd writes. */
const PLAIN = "plain";
const WITH_ID = "with-id";
const COLLECTD_JSON = "collectd-json";

const UPSTREAM_FAULTS = [
  { times: 2, status: 503 },
  { times: 1, status: 429, headers: { "retry-after": "1" } },
  { times: 2, drop: "after" },
  { times: 2, drop: "before" },
] as const;

async function setup(options: Partial<AgentProcessOptions>, every = EVERY) {
  const river = await startRiver();
  const collectd = JSON.parse(recipe("collectd-stream", { METER: COLLECTD_JSON })) as object;
  await putCatalog(river.edge.url, {
    streams: [{ meter_global_id: PLAIN }, { ...usageWithId, meter_global_id: WITH_ID }, collectd],
  });
  const agent = await river.startAgent(options);
  const proxy = await startCuttingProxy(agent.port, every);
  onTestFinished(() => proxy.close());
  const accepted = async () => {
    const { ledger } = (await (await fetch(`${agent.url}/status`)).json()) as { ledger: { accepted: number } };
    return ledger.accepted;
  };
  return { river, agent, proxy, accepted, folder: river.folder };
}

const usageWithId = {
  event_id_field: "Id",
  fields: ["Id", "CustomerId", "UsageIdentifier"].map((name) => ({ name, type: "string", required: true })),
};

type Line = Awaited<ReturnType<typeof setup>>;

/** All that may happen while a forwarder sends: an edge that is gone until the buffer is full, kills, a failing upstream. */
async function disturb({ river, agent, proxy, accepted }: Line): Promise<void> {
  await until(() => (proxy.statuses().get(429) ?? 0) > 0, { what: "a full buffer", timeoutMs: 300_000 });
  await river.faults(UPSTREAM_FAULTS);
  await river.edge.restart();
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await until(accepted, { what: "the agent's status" });
    const more = async () => (await accepted()) >= Math.min(before + 15_000, LINES);
    await until(more, { what: "further lines to be accepted", everyMs: 5, timeoutMs: 300_000 });
    await agent.sigkill();
    await agent.restart();
  }
}

/** Waits until each line is upstream, and nothing is on its way any more that could double one. */
async function allArrived(river: River): Promise<string[]> {
  const isThere = async () => (await river.twinCounts()).distinct >= LINES;
  await until(isThere, { what: "each line at the twin", timeoutMs: 300_000, everyMs: 200 });
  await river.settled();
  return river.twinEvents();
}

function report(name: string, proxy: CuttingProxy): void {
  console.log(`${name}: ${proxy.cut()} answers cut; answered`, Object.fromEntries(proxy.statuses()));
}

interface FileForwarder {
  readonly name: string;
  readonly isThere: boolean;
  readonly meter: string;
  readonly start: (options: FileForwarderOptions) => Program;
}

const script = (make: (options: FileForwarderOptions) => { command: string; args: readonly string[] }) => {
  return (options: FileForwarderOptions) => startProgram(make(options), options.folder);
};

const FILE_FORWARDERS: readonly FileForwarder[] = [
  // Its batches are formed anew for each try, so the recipe wants an own id.
  { name: "syslog-ng", isThere: isInstalled(SYSLOG_NG), meter: WITH_ID, start: startSyslogNg },
  { name: "Python requests", isThere: isInstalled(PYTHON), meter: PLAIN, start: script(pythonScript) },
  { name: "curl", isThere: isInstalled(CURL), meter: PLAIN, start: script(curlScript) },
  { name: "fetch", isThere: true, meter: PLAIN, start: script(nodeScript) },
];

for (const { name, isThere, meter, start } of FILE_FORWARDERS) {
  it.skipIf(!isThere)(
    `${LINES} lines that ${name} sends are each upstream once (skipped where it is not installed)`,
    async () => {
      const line = await setup({ buffer: SMALL_BUFFER });
      const { river, proxy, folder } = line;
      const file = join(folder, "usage.lines");
      writeFileSync(file, Array.from({ length: LINES }, (_, n) => `${numbered(n)}\n`).join(""));
      await river.edge.sigkill();
      const forwarder = start({ url: proxy.url, meter, file, folder });
      onTestFinished(() => forwarder.stop());
      await disturb(line);
      const sources = await allArrived(river);
      report(name, proxy);
      expect(arrivedOf(sources, LINES), forwarder.words()).toEqual(eachOnce(LINES));
      expect(proxy.cut()).toBeGreaterThanOrEqual(LINES / 1000 / EVERY);
    },
  );
}

it.skipIf(!isInstalled(COLLECTD))(
  `${LINES} values that collectd's Python plugin sends are each upstream once (skipped where collectd is not installed)`,
  async () => {
    const line = await setup({ buffer: SMALL_BUFFER });
    const { river, proxy } = line;
    const folder = join(line.folder, "collectd");
    mkdirSync(folder);
    const module = recipe("collectd-python-module", { "http://127.0.0.1:8788": proxy.url, METER: PLAIN });
    writeFileSync(join(folder, "weir.py"), module);
    await river.edge.sigkill();
    const collectd = await startCollectd(recipe("collectd-python", { "/etc/collectd": folder }), folder);
    onTestFinished(() => collectd.stop());
    const submitting = collectd.submit(LINES);
    await Promise.all([submitting, disturb(line)]);
    const sources = await allArrived(river);
    report("collectd's Python plugin", proxy);
    expect(arrivedOf(sources, LINES)).toEqual(eachOnce(LINES));
  },
);

/** What collectd's write_http says it gave up. */
const GIVEN_UP = /write_http plugin: curl_easy_perform failed/g;

async function collectdByHttp({ proxy, ...line }: Line) {
  const folder = join(line.folder, "collectd");
  const words = { "http://127.0.0.1:8788": proxy.url, METER: COLLECTD_JSON, "FlushInterval 10": "FlushInterval 1" };
  const collectd = await startCollectd(recipe("collectd", words), folder);
  onTestFinished(() => collectd.stop());
  return {
    ...collectd,
    givenUp: () => readFileSync(join(folder, "collectd.log"), "utf8").match(GIVEN_UP)?.length ?? 0,
  };
}

const numberInJson = (source: string) => Number(/"type_instance":"(\d+)"/.exec(source)?.[1]);

it.skipIf(!isInstalled(COLLECTD))(
  `${LINES} values that collectd's write_http sends are each upstream once, whatever happens behind the agent (skipped where collectd is not installed)`,
  async () => {
    const line = await setup({}, 0);
    const { river, proxy } = line;
    const collectd = await collectdByHttp(line);
    await river.faults(UPSTREAM_FAULTS);
    const submitting = collectd.submit(LINES);
    for (let kill = 0; kill < KILLS; kill++) {
      const before = (await river.twinCounts()).events;
      await until(async () => (await river.twinCounts()).events > before, { what: "further values upstream" });
      await river.edge.sigkill();
      await river.edge.restart();
    }
    await submitting;
    const sources = await allArrived(river);
    report("collectd's write_http", proxy);
    expect(arrivedOf(sources, LINES, numberInJson)).toEqual(eachOnce(LINES));
    expect(collectd.givenUp()).toBe(0);
  },
);

it.skipIf(!isInstalled(COLLECTD))(
  "where answers are cut, what collectd's write_http gives up by itself is in its log, and nothing is upstream twice (skipped where collectd is not installed)",
  async () => {
    const line = await setup({});
    const { river, proxy, accepted } = line;
    const collectd = await collectdByHttp(line);
    await collectd.submit(LINES);
    // It flushes what it has each second: when all but what it gave up is there, no more comes.
    const isThere = async () => (await accepted()) + collectd.givenUp() >= LINES;
    await until(isThere, { what: "what collectd did not give up", timeoutMs: 300_000 });
    await collectd.stop();
    await until(async () => (await river.twinCounts()).events >= (await accepted()), { what: "all of it upstream" });
    await river.settled();
    const { missing, doubled } = arrivedOf(await river.twinEvents(), LINES, numberInJson);
    report(`collectd's write_http: ${missing} given up by itself`, proxy);
    expect(doubled).toBe(0);
    expect(missing).toBeLessThanOrEqual(collectd.givenUp());
    expect(proxy.cut()).toBeGreaterThan(0);
  },
);
