/** `--ledger-size`: intake and each read on an edge whose ledger is years old, by turns with one that is empty. */
import { join } from "node:path";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import type { BenchContext } from "./context.ts";
import { type IntakeLoad, jobOf } from "./intake.ts";
import { makeLedger } from "./ledger-size.ts";
import { startLoad } from "./load/job.ts";
import type { RequestSeries } from "./load/requests.ts";
import { byTurns, type Measured, measured, type Sample } from "./measure.ts";
import { RunLength } from "./pace.ts";
import { BESIDE_READS, LEDGER_INTAKE, LEDGER_READS, LEDGER_SIZE_ROWS, NEWEST, type ReadRow } from "./rows.ts";
import { runLoad } from "./run.ts";
import { startEdge } from "./subjects/edge.ts";
import { type Subject, withSubjects } from "./subjects/subject.ts";

const HUNDREDS: IntakeLoad = { identity: "positions", size: 100, connections: 4, gzip: false };
const EVENTS_A_BATCH = 10;
const KEYS_A_BATCH = 10;
const DAYS = 30;
const DAY_MS = 86_400_000;
const AS_ADMIN = { "x-api-key": LOCAL_KEYS.admin };

interface Edge extends Subject {
  /** The id of an event that it has. */
  readonly eventId: string;
}

interface Edges {
  readonly large: Edge;
  readonly empty: Edge;
}

export async function benchLedgerSize(context: BenchContext): Promise<void> {
  if (!LEDGER_SIZE_ROWS.some((row) => context.wants(row))) return;
  await withSubjects(async (begin, folder) => {
    context.progress("ledger-size", "filling");
    await fill(join(folder, "large"), context.pace.keys);
    const large = await begin(startEdge({ folder: join(folder, "large") }));
    const empty = await begin(startEdge({ folder: join(folder, "empty") }));
    await measureAll({ large: await withEvent(large), empty: await withEvent(empty) }, context);
  });
}

/** A tenth as many batches as keys; the other numbers in the same proportions whatever the size. */
async function fill(folder: string, keys: number): Promise<void> {
  const batches = Math.ceil(keys / KEYS_A_BATCH);
  await makeLedger(folder, {
    ...{ tenant: "local", batches, keys, eventsABatch: EVENTS_A_BATCH, now: Date.now(), spanMs: DAYS * DAY_MS },
    ...{ producers: Math.ceil(batches / 100), gaps: Math.ceil(batches / 20), facts: Math.ceil(batches / 2) },
    ...{ pending: Math.ceil(batches / 1_000), quarantined: Math.ceil(batches / 500) },
  });
}

/** Sends some events, so that there is one to be asked for. */
async function withEvent(edge: Subject): Promise<Edge> {
  await startLoad(jobOf(HUNDREDS, edge, 0, 1)).result;
  const answer = await fetch(`${edge.url}/admin/events?producer=bench.0.0&limit=1`, { headers: AS_ADMIN });
  const { items } = (await answer.json()) as { items: readonly { readonly id: string }[] };
  const [event] = items;
  if (event === undefined) throw new Error("the edge lists no event");
  return { ...edge, eventId: event.id };
}

async function measureAll(edges: Edges, context: BenchContext): Promise<void> {
  const { pace, progress } = context;
  const numbers = { next: HUNDREDS.size };
  for (const row of LEDGER_INTAKE.filter((one) => context.wants(one))) {
    const { load, name, guess } = row;
    const party = (edge: Subject, step: string) => {
      const length = new RunLength(load.size, pace.seconds, guess);
      return async (): Promise<Sample> => {
        progress(name, step);
        const requests = length.requests(load.connections);
        const job = jobOf(load, edge, numbers.next, requests);
        numbers.next += requests * load.size;
        const sample = await runLoad({ job, size: load.size, group: edge.group });
        length.saw(sample.eventsPerSecond);
        return sample;
      };
    };
    const rounds = await byTurns(pace.rounds, party(edges.large, "large"), party(edges.empty, "empty"));
    context.done(measured(name, row.compared, rounds));
  }
  for (const row of LEDGER_READS.filter((one) => context.wants(one)))
    context.done(await measureRead(row, edges, context));
  if (context.wants(BESIDE_READS)) context.done(await measureBeside(edges, context, numbers));
}

async function measureRead(row: ReadRow, { large, empty }: Edges, { pace, progress }: BenchContext): Promise<Measured> {
  const requests = Math.max(3, Math.round(READS_A_SECOND * pace.seconds));
  const read = (edge: Edge, step: string) => () => {
    progress(row.name, step);
    return runLoad({
      job: { series: readsOf([row.path], edge, requests), connections: 1 },
      size: 1,
      group: edge.group,
    });
  };
  return measured(row.name, row.compared, await byTurns(pace.rounds, read(large, "large"), read(empty, "empty")));
}

const READS_A_SECOND = 10;
/** Of each path; what is read ends with the intake. */
const READS_BESIDE_MAX = 20_000;
const INTAKE_REQUESTS_A_SECOND = 100;

/** Intake on the large ledger, beside a client that reads and without one. */
async function measureBeside(
  { large }: Edges,
  { pace, progress }: BenchContext,
  numbers: { next: number },
): Promise<Measured> {
  const { size } = HUNDREDS;
  const requests = Math.ceil(INTAKE_REQUESTS_A_SECOND * pace.seconds);
  const intake = async (): Promise<Sample> => {
    const job = jobOf(HUNDREDS, large, numbers.next, requests);
    numbers.next += requests * size;
    return runLoad({ job, size, group: large.group });
  };
  const beside = async (): Promise<Sample> => {
    progress(BESIDE_READS.name, "beside reads");
    const paths = LEDGER_READS.map(({ path }) => path);
    const reader = startLoad({ series: readsOf(paths, large, READS_BESIDE_MAX), connections: 1 });
    await reader.begun;
    const sample = await intake();
    await reader.stop();
    return sample;
  };
  const alone = () => {
    progress(BESIDE_READS.name, "alone");
    return intake();
  };
  return measured(BESIDE_READS.name, BESIDE_READS.compared, await byTurns(pace.rounds, beside, alone));
}

/** Requests of an administrator for these paths, by turns. */
function readsOf(named: readonly string[], { host, eventId }: Edge, requests: number): RequestSeries {
  const paths = named.map((path) => path.replace(NEWEST, eventId));
  return { host, paths, headers: AS_ADMIN, requests, method: "GET", body: { kind: "none" } };
}
