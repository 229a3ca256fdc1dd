/** An agent that comes back to a backlog: how soon it is ready, how fast it drains, in how much memory, and intake beside it. */
import { cpSync } from "node:fs";
import { join } from "node:path";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { bufferBytesFor, fillAgent, fillFloor } from "./backlog-files.ts";
import type { BenchContext } from "./context.ts";
import { type IntakeLoad, jobOf } from "./intake.ts";
import { startLoad } from "./load/job.ts";
import { byTurns, type Measured, measured, type Round, type Sample } from "./measure.ts";
import { cpuMicrosOf, peakMbOf } from "./process/usage.ts";
import { BACKLOGS, type BacklogRows } from "./rows.ts";
import { runLoad, sampleOf } from "./run.ts";
import { type AgentProgram, checkoutAgent, packagedAgent, startAgent, startAgentFloor } from "./subjects/agent.ts";
import { drainRate, type Sink, startSink } from "./subjects/sink.ts";
import type { Subject } from "./subjects/subject.ts";

const HUNDREDS: IntakeLoad = { identity: "content", size: 100, connections: 4, gzip: false };
const ALONE_REQUESTS_A_SECOND = 300;
const BESIDE_EVENTS_MAX = 400_000;

export async function benchBacklog(context: BenchContext): Promise<void> {
  const wanted = BACKLOGS.filter(({ drain, beside }) => context.wants(drain) || context.wants(beside));
  if (wanted.length === 0) return;
  const folder = tempDir("weir-bench");
  try {
    context.progress("backlog", "filling");
    const files = { agent: join(folder.path, "full"), floor: join(folder.path, "full.db"), folder: folder.path };
    fillAgent(files.agent, context.pace.backlog);
    fillFloor(files.floor, context.pace.backlog);
    for (const rows of wanted) {
      const program = rows.program === "checkout" ? checkoutAgent() : await packagedAgent(join(folder.path, "package"));
      if (context.wants(rows.drain)) context.done(await measureDrain(rows, program, files, context));
      if (context.wants(rows.beside)) context.done(await measureBeside(rows, program, files, context));
    }
  } finally {
    folder.remove();
  }
}

interface Files {
  /** Filled ones, to be copied. */
  readonly agent: string;
  readonly floor: string;
  /** Where copies go. */
  readonly folder: string;
}

interface Waiting {
  readonly subject: Subject;
  /** Holds its answers. */
  readonly sink: Sink;
  readonly readyMs: number;
}

/** Starts an agent, or its floor, on a copy of a backlog before a sink that answers nothing yet; ends both and the copy after `use`. */
async function withBacklog<T>(
  start: (sink: Sink) => Promise<Subject>,
  use: (waiting: Waiting) => Promise<T>,
): Promise<T> {
  const sink = await startSink();
  let subject: Subject | null = null;
  try {
    await sink.hold();
    const startedAt = performance.now();
    subject = await start(sink);
    return await use({ subject, sink, readyMs: performance.now() - startedAt });
  } finally {
    await subject?.stop();
    await sink.stop();
  }
}

function startOnCopy(program: AgentProgram, { agent, folder }: Files, count: number, copy: string) {
  return (sink: Sink) => {
    cpSync(agent, join(folder, copy, "buffer"), { recursive: true });
    return startAgent({
      ...{ program, folder: join(folder, copy), sinkUrl: sink.url, bufferBytesMax: bufferBytesFor(count) },
    });
  };
}

async function measureDrain(
  { drain: { name, compared } }: BacklogRows,
  program: AgentProgram,
  files: Files,
  { pace, progress }: BenchContext,
): Promise<Measured> {
  const copies = copyNames(name);
  const readyMs: number[] = [];
  const drained = async ({ subject, sink }: Waiting): Promise<Sample> => {
    const cpuBefore = cpuMicrosOf([subject.group]);
    const release = await sink.release();
    const { lastAtMs } = await sink.counted(pace.backlog);
    return {
      eventsPerSecond: drainRate(pace.backlog, release, lastAtMs),
      cpuMicrosPerEvent: (cpuMicrosOf([subject.group]) - cpuBefore) / pace.backlog,
      ...{ p50Ms: Number.NaN, p99Ms: Number.NaN, loadMicrosPerEvent: Number.NaN },
      // Of its whole life: opening the log counts too.
      peakMb: peakMbOf([subject.group]),
    };
  };
  const rounds = await byTurns(
    pace.rounds,
    () => {
      progress(name, "weir");
      return withBacklog(startOnCopy(program, files, pace.backlog, copies.next()), (waiting) => {
        readyMs.push(waiting.readyMs);
        return drained(waiting);
      });
    },
    () => {
      progress(name, "floor");
      return withBacklog((sink) => {
        const file = join(files.folder, `${copies.next()}.db`);
        cpSync(files.floor, file);
        return startAgentFloor(file, sink.url);
      }, drained);
    },
  );
  return measured(name, compared, rounds, {
    "events in it": pace.backlog,
    "ready after, ms, at most": Math.round(Math.max(...readyMs)),
  });
}

async function measureBeside(
  { beside: { name, compared } }: BacklogRows,
  program: AgentProgram,
  files: Files,
  { pace, progress }: BenchContext,
): Promise<Measured> {
  const copies = copyNames(name);
  const rounds: Round<Sample, Sample>[] = [];
  for (let round = 0; round <= pace.rounds; round++) {
    progress(name, `round ${round} of ${pace.rounds}`);
    rounds.push(
      await withBacklog(startOnCopy(program, files, pace.backlog, copies.next()), async ({ subject, sink }) => {
        const { group } = subject;
        const requests = Math.ceil(ALONE_REQUESTS_A_SECOND * pace.seconds);
        const { size } = HUNDREDS;
        const alone = await runLoad({ job: jobOf(HUNDREDS, subject, 0, requests), size, group });
        const cpuBefore = cpuMicrosOf([group]);
        const running = startLoad(jobOf(HUNDREDS, subject, requests * size, BESIDE_EVENTS_MAX / size));
        await running.begun;
        await sink.release();
        await sink.counted(pace.backlog);
        return { weir: sampleOf(await running.stop(), { size, group, cpuBefore }), floor: alone };
      }),
    );
  }
  return measured(name, compared, rounds.slice(1));
}

function copyNames(name: string): { next(): string } {
  let last = 0;
  return { next: () => `${name}-${++last}` };
}
