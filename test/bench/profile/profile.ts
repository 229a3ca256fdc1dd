/** `--profile NAME`: one row's load on the product alone, its threads or isolates profiled; profiles and a summary on disk. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bundleWorker } from "../../../tools/edge/server.ts";
import { freePort } from "../../../tools/processes/free-port.ts";
import { tempDir } from "../../../tools/processes/temp-dir.ts";
import { type IntakeLoad, jobOf } from "../intake.ts";
import { startLoad } from "../load/job.ts";
import type { Sample } from "../measure.ts";
import { cpuMicrosOf } from "../process/usage.ts";
import { runLoad, sampleOf } from "../run.ts";
import { checkoutAgent, startAgent } from "../subjects/agent.ts";
import { startEdge } from "../subjects/edge.ts";
import { startSink } from "../subjects/sink.ts";
import type { Subject } from "../subjects/subject.ts";
import { bundleSources, busyMicros, type CpuProfile, type SourceOf, summaryLines } from "./cpu-profile.ts";
import { profileWorkerd } from "./workerd-inspector.ts";

/** What did less, a service of Miniflare that nobody asked for anything, is left out. */
const BUSY_MICROS_MIN = 10_000;

export interface ProfileOptions {
  readonly name: string;
  readonly load: IntakeLoad;
  /** Requests before the profile and in it. */
  readonly warmup: number;
  readonly requests: number;
  /** Of the profiles and the summary. */
  readonly folder: string;
}

/** Profiles the edge's isolates. @returns the summary's lines. */
export async function profileEdge({ name, load, warmup, requests, folder }: ProfileOptions): Promise<string[]> {
  const state = tempDir("weir-bench");
  const inspectorPort = await freePort();
  const edge = await startEdge({ folder: join(state.path, "edge"), inspectorPort });
  try {
    await startLoad(jobOf(load, edge, 0, warmup)).result;
    const running = await profileWorkerd(inspectorPort);
    const cpuBefore = cpuMicrosOf([edge.group]);
    const job = jobOf(load, edge, warmup * load.size, requests);
    const result = sampleOf(await startLoad(job).result, { size: load.size, group: edge.group, cpuBefore });
    const profiles = await running.stop();
    return written(folder, name, profiles, requests * load.size, result, bundleSources(await bundleWorker()));
  } finally {
    await edge.stop();
    state.remove();
  }
}

/** Profiles the agent's threads over its whole life: start, intake, upload and end. @returns the summary's lines. */
export async function profileAgent({ name, load, requests, folder }: ProfileOptions): Promise<string[]> {
  const state = tempDir("weir-bench");
  const made = join(state.path, "profiles");
  const sink = await startSink();
  let agent: Subject | null = null;
  try {
    agent = await startAgent({
      ...{ program: checkoutAgent(), folder: join(state.path, "agent"), sinkUrl: sink.url, profiles: made },
    });
    const { group } = agent;
    const job = jobOf(load, agent, 0, requests);
    const result = await runLoad({
      ...{ job, size: load.size, group },
      settled: () => sink.counted(requests * load.size),
    });
    await agent.stop();
    const profiles = readdirSync(made).map((file) => ({
      name: file.replace(".cpuprofile", ""),
      profile: JSON.parse(readFileSync(join(made, file), "utf8")) as CpuProfile,
    }));
    return written(folder, name, profiles, requests * load.size, result, () => null);
  } finally {
    await agent?.stop();
    await sink.stop();
    state.remove();
  }
}

function written(
  folder: string,
  name: string,
  profiles: readonly { readonly name: string; readonly profile: CpuProfile }[],
  events: number,
  { eventsPerSecond, cpuMicrosPerEvent }: Sample,
  sourceOf: SourceOf,
): string[] {
  mkdirSync(folder, { recursive: true });
  const rate = Math.round(eventsPerSecond).toLocaleString("en-US");
  const lines = [
    `${name}: ${events.toLocaleString("en-US")} events, ${rate} events/s while profiled; ` +
      `whole processes ${cpuMicrosPerEvent.toFixed(1)} µs of CPU an event`,
    "",
  ];
  const busy = profiles.filter(({ profile }) => busyMicros(profile) >= BUSY_MICROS_MIN);
  for (const [i, { name: part, profile }] of busy.entries()) {
    const file = join(folder, `${name}.${i}.cpuprofile`);
    writeFileSync(file, JSON.stringify(profile));
    lines.push(...summaryLines(`${part} (${file})`, profile, events, sourceOf));
  }
  writeFileSync(join(folder, `${name}.txt`), `${lines.join("\n")}\n`);
  return lines;
}
