/** The agent's intake, fsynced before the 2xx, with its delivery to a counting sink; beside its floor, which does both too. */
import { join } from "node:path";
import type { BenchContext } from "./context.ts";
import { agentFloorJob, jobOf } from "./intake.ts";
import { byTurns, type Measured, measured, type Sample } from "./measure.ts";
import { RunLength } from "./pace.ts";
import { AGENT_INTAKE, type IntakeRow, PACKAGED_INTAKE } from "./rows.ts";
import { runLoad } from "./run.ts";
import { type AgentProgram, checkoutAgent, packagedAgent, startAgent, startAgentFloor } from "./subjects/agent.ts";
import { type Sink, startSink } from "./subjects/sink.ts";
import { type Subject, withSubjects } from "./subjects/subject.ts";

interface Delivering {
  readonly subject: Subject;
  readonly sink: Sink;
}

export async function benchAgent(context: BenchContext): Promise<void> {
  await benchProgram(AGENT_INTAKE, async () => checkoutAgent(), context);
}

export async function benchPackaged(context: BenchContext): Promise<void> {
  await benchProgram(PACKAGED_INTAKE, packagedAgent, context);
}

async function benchProgram(
  all: readonly IntakeRow[],
  programIn: (folder: string) => Promise<AgentProgram>,
  context: BenchContext,
): Promise<void> {
  const rows = all.filter((row) => context.wants(row));
  if (rows.length === 0) return;
  await withSubjects(async (begin, folder) => {
    const program = await programIn(join(folder, "package"));
    const agentSink = await begin(startSink());
    const floorSink = await begin(startSink());
    const agent = await begin(startAgent({ program, folder: join(folder, "agent"), sinkUrl: agentSink.url }));
    const floor = await begin(startAgentFloor(join(folder, "floor.db"), floorSink.url));
    const both = { agent: { subject: agent, sink: agentSink }, floor: { subject: floor, sink: floorSink } };
    const numbers = { next: 0 };
    for (const row of rows) context.done(await measureIntake(row, both, context, numbers));
  });
}

async function measureIntake(
  { load, guess, name, compared }: IntakeRow,
  { agent, floor }: { readonly agent: Delivering; readonly floor: Delivering },
  { pace, progress }: BenchContext,
  numbers: { next: number },
): Promise<Measured> {
  const { size, connections } = load;
  const party = (to: Delivering, step: string, job: typeof jobOf) => {
    const length = new RunLength(size, pace.seconds, guess);
    return async (): Promise<Sample> => {
      progress(name, step);
      const requests = length.requests(connections);
      const first = numbers.next;
      numbers.next += requests * size;
      const before = (await to.sink.count()).events;
      const sample = await runLoad({
        ...{ job: job(load, to.subject, first, requests), size, group: to.subject.group },
        settled: () => to.sink.counted(before + requests * size),
      });
      length.saw(sample.eventsPerSecond);
      return sample;
    };
  };
  const rounds = await byTurns(pace.rounds, party(agent, "weir", jobOf), party(floor, "floor", agentFloorJob));
  return measured(name, compared, rounds);
}
