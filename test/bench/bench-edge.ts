/** The edge's intake in workerd with D1 on disk, and a price, each beside its floor. */
import { join } from "node:path";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import type { BenchContext } from "./context.ts";
import { edgeFloorJob, jobOf } from "./intake.ts";
import type { LoadJob } from "./load/job.ts";
import type { RequestSeries } from "./load/requests.ts";
import { byTurns, type Measured, measured, type Sample } from "./measure.ts";
import { RunLength } from "./pace.ts";
import { againOf, CALCULATE, EDGE_INTAKE, type IntakeRow } from "./rows.ts";
import { runLoad } from "./run.ts";
import { startEdge, startEdgeFloor } from "./subjects/edge.ts";
import type { Subject } from "./subjects/subject.ts";

interface Both {
  readonly edge: Subject;
  readonly floor: Subject;
}

export async function benchEdge(context: BenchContext): Promise<void> {
  const intake = EDGE_INTAKE.filter((row) => context.wants(row) || context.wants(againOf(row)));
  if (intake.length === 0 && !context.wants(CALCULATE)) return;
  const folder = tempDir("weir-bench");
  const edge = await startEdge({ folder: join(folder.path, "edge") });
  const floor = await startEdgeFloor(join(folder.path, "floor"));
  const numbers = { next: 0 };
  try {
    for (const row of intake) context.done(...(await measureIntake(row, { edge, floor }, context, numbers)));
    if (context.wants(CALCULATE)) context.done(await measureCalculate(edge, context));
  } finally {
    await edge.stop();
    await floor.stop();
    folder.remove();
  }
}

/** One run and the same once more. */
interface Twice {
  readonly once: Sample;
  readonly again: Sample;
}

async function measureIntake(
  row: IntakeRow,
  { edge, floor }: Both,
  { pace, progress }: BenchContext,
  numbers: { next: number },
): Promise<Measured[]> {
  const { load, guess, name, compared } = row;
  const { size } = load;
  const lengths = { weir: new RunLength(size, pace.seconds, guess), floor: new RunLength(size, pace.seconds, guess) };
  const nextFirst = (requests: number) => {
    const first = numbers.next;
    numbers.next += requests * size;
    return first;
  };
  const weir = async (): Promise<Twice> => {
    progress(name, "weir");
    const requests = lengths.weir.requests(load.connections);
    const run = { job: jobOf(load, edge, nextFirst(requests), requests), size, group: edge.group };
    const once = await runLoad(run);
    lengths.weir.saw(once.eventsPerSecond);
    progress(name, "again");
    return { once, again: await runLoad(run) };
  };
  const atFloor = async (): Promise<Sample> => {
    progress(name, "floor");
    const requests = lengths.floor.requests(load.connections);
    const job = edgeFloorJob(load, floor, nextFirst(requests), requests);
    const sample = await runLoad({ job, size, group: floor.group });
    lengths.floor.saw(sample.eventsPerSecond);
    return sample;
  };
  const rounds = await byTurns(pace.rounds, weir, atFloor);
  const first = rounds.map(({ weir: { once }, floor: sample }) => ({ weir: once, floor: sample }));
  const again = rounds.map(({ weir: { once, again: second } }) => ({ weir: second, floor: once }));
  return [measured(name, compared, first), measured(againOf(row).name, compared, again)];
}

const CALCULATION = JSON.stringify({
  customer_reference: "cus_you",
  meter_reference: "api-traffic",
  timestamp: "2026-11-20T12:00:00Z",
  meter_values: [{ reference: "requests", number: "200" }],
  meter_properties: [{ reference: "region", value: "eu" }],
});

async function measureCalculate(edge: Subject, { pace, progress }: BenchContext): Promise<Measured> {
  const headers = { "x-api-key": LOCAL_KEYS.ingest, "content-type": "application/json" };
  const requests = Math.max(20, Math.round(pace.seconds * 200));
  const job = (series: Pick<RequestSeries, "method" | "paths" | "body">): LoadJob => ({
    series: { ...series, host: edge.host, headers, requests },
    connections: 1,
  });
  const run = (series: Pick<RequestSeries, "method" | "paths" | "body">) => {
    progress(CALCULATE.name, series.method);
    return runLoad({ job: job(series), size: 1, group: edge.group });
  };
  const path = "/v1/events/calculate?cost_prediction=true";
  const rounds = await byTurns(
    pace.rounds,
    () => run({ method: "POST", paths: [path], body: { kind: "text", text: CALCULATION } }),
    () => run({ method: "GET", paths: ["/healthz"], body: { kind: "none" } }),
  );
  return measured(CALCULATE.name, CALCULATE.compared, rounds);
}
