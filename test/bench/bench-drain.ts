/** The edge's delivery: what piled up before a destination that answers nothing, once it answers; and intake beside it. */
import { join } from "node:path";
import type { BenchContext } from "./context.ts";
import { edgeFloorJob, type IntakeLoad, jobOf } from "./intake.ts";
import { startLoad } from "./load/job.ts";
import { byTurns, type Measured, measured, type Round, type Sample } from "./measure.ts";
import { cpuMicrosOf, peakMbOf, resetPeaks } from "./process/usage.ts";
import { BESIDE_DRAIN, DRAIN_1, DRAIN_1000, type Row } from "./rows.ts";
import { runLoad, sampleOf } from "./run.ts";
import { startEdge, startEdgeFloor } from "./subjects/edge.ts";
import { drainRate, type Sink, startSink } from "./subjects/sink.ts";
import { type Subject, withSubjects } from "./subjects/subject.ts";

/** One-event batches take long to file: so much less of them piles up. */
const SINGLES_SHARE = 0.02;
/** Of a pile, before what counts. */
const WARM_UP_SHARE = 0.25;
const THOUSANDS: IntakeLoad = { identity: "positions", size: 1000, connections: 4, gzip: false };
const SINGLES: IntakeLoad = { identity: "positions", size: 1, connections: 32, gzip: false };
const HUNDREDS: IntakeLoad = { identity: "positions", size: 100, connections: 4, gzip: false };
/** What a run beside a drain may send before the drain ends. */
const BESIDE_EVENTS_MAX = 200_000;

interface Parties {
  readonly edge: Subject;
  readonly edgeSink: Sink;
  readonly floor: Subject;
  readonly floorSink: Sink;
}

export async function benchDrain(context: BenchContext): Promise<void> {
  if (![DRAIN_1000, DRAIN_1, BESIDE_DRAIN].some((row) => context.wants(row))) return;
  await withSubjects(async (begin, folder) => {
    const edgeSink = await begin(startSink());
    const floorSink = await begin(startSink());
    const edge = await begin(startEdge({ folder: join(folder, "edge"), sinkUrl: edgeSink.url }));
    const floor = await begin(startEdgeFloor(join(folder, "floor")));
    const drains = new Drains({ edge, edgeSink, floor, floorSink }, context);
    if (context.wants(DRAIN_1000)) context.done(await drains.measure(DRAIN_1000, THOUSANDS, 1));
    if (context.wants(DRAIN_1)) context.done(await drains.measure(DRAIN_1, SINGLES, SINGLES_SHARE));
    if (context.wants(BESIDE_DRAIN)) context.done(await drains.measureBeside());
  });
}

class Drains {
  readonly #parties: Parties;
  readonly #context: BenchContext;
  #first = 0;

  constructor(parties: Parties, context: BenchContext) {
    this.#parties = parties;
    this.#context = context;
  }

  async measure(row: Row, load: IntakeLoad, share: number): Promise<Measured> {
    const { pace, progress } = this.#context;
    const rounds = await byTurns(
      pace.rounds,
      async (round) => {
        progress(row.name, "weir");
        return this.#drainEdge(load, this.#pileRequests(load, share, round));
      },
      async (round) => {
        progress(row.name, "floor");
        return this.#drainFloor(load, this.#pileRequests(load, share, round));
      },
    );
    return measured(row.name, row.compared, rounds);
  }

  /** Intake alone and beside a drain, by the same edge, in turn. */
  async measureBeside(): Promise<Measured> {
    const { pace, progress } = this.#context;
    const { edge, edgeSink } = this.#parties;
    const { name, compared } = BESIDE_DRAIN;
    const aloneRequests = Math.ceil(ALONE_REQUESTS_A_SECOND * pace.seconds);
    const rounds: Round<Sample, Sample>[] = [];
    const drained: number[] = [];
    for (let round = 0; round <= pace.rounds; round++) {
      progress(name, "piling up");
      const before = (await edgeSink.count()).events;
      const piled = await this.#pileUp(THOUSANDS, this.#pileRequests(THOUSANDS, 1, round));
      progress(name, "alone");
      const alone = await runLoad(this.#hundreds(aloneRequests));
      progress(name, "beside");
      const hundreds = this.#hundreds(BESIDE_EVENTS_MAX / HUNDREDS.size);
      const cpuBefore = cpuMicrosOf([edge.group]);
      const running = startLoad(hundreds.job);
      await running.begun;
      const release = await edgeSink.release();
      const { events, lastAtMs } = await edgeSink.counted(before + piled + aloneRequests * HUNDREDS.size);
      const beside = await running.stop();
      drained.push(drainRate(events - before, release, lastAtMs));
      rounds.push({ weir: sampleOf(beside, { ...hundreds, cpuBefore }), floor: alone });
      await edgeSink.counted(before + piled + (aloneRequests + beside.requests) * HUNDREDS.size);
    }
    const kept = rounds.slice(1);
    return measured(name, compared, kept, { "drained beside it, events/s": Math.round(drained.at(-1) ?? 0) });
  }

  #pileRequests(load: IntakeLoad, share: number, round: number): number {
    const events = this.#context.pace.pile * share * (round === 0 ? WARM_UP_SHARE : 1);
    return Math.ceil(events / load.size);
  }

  #hundreds(requests: number) {
    const { edge } = this.#parties;
    const job = jobOf(HUNDREDS, edge, this.#take(requests * HUNDREDS.size), requests);
    return { job, size: HUNDREDS.size, group: edge.group };
  }

  async #drainEdge(load: IntakeLoad, requests: number): Promise<Sample> {
    const { edge, edgeSink } = this.#parties;
    const before = (await edgeSink.count()).events;
    const events = await this.#pileUp(load, requests);
    return drainSample(edge.group, events, async () => {
      const release = await edgeSink.release();
      const { lastAtMs } = await edgeSink.counted(before + events);
      return drainRate(events, release, lastAtMs);
    });
  }

  /** @returns how many events wait at the edge; its sink answers nothing until it is released. */
  async #pileUp(load: IntakeLoad, requests: number): Promise<number> {
    const { edge, edgeSink } = this.#parties;
    await edgeSink.hold();
    const events = requests * load.size;
    await startLoad(jobOf(load, edge, this.#take(events), requests)).result;
    return events;
  }

  async #drainFloor(load: IntakeLoad, requests: number): Promise<Sample> {
    const { floor, floorSink } = this.#parties;
    const events = requests * load.size;
    await startLoad(edgeFloorJob(load, floor, this.#take(events), requests)).result;
    return drainSample(floor.group, events, async () => {
      const startedAt = performance.now();
      const answer = await fetch(`${floor.url}/drain?to=${encodeURIComponent(`${floorSink.url}/`)}`, {
        method: "POST",
      });
      if (!answer.ok) throw new Error(`the floor did not drain: ${await answer.text()}`);
      await answer.text();
      return (1000 * events) / (performance.now() - startedAt);
    });
  }

  #take(events: number): number {
    const first = this.#first;
    this.#first += events;
    return first;
  }
}

const ALONE_REQUESTS_A_SECOND = 200;

/** @param drain returns its events a second. */
async function drainSample(group: number, events: number, drain: () => Promise<number>): Promise<Sample> {
  resetPeaks([group]);
  const cpuBefore = cpuMicrosOf([group]);
  const eventsPerSecond = await drain();
  return {
    eventsPerSecond,
    cpuMicrosPerEvent: (cpuMicrosOf([group]) - cpuBefore) / events,
    ...{ p50Ms: Number.NaN, p99Ms: Number.NaN, peakMb: peakMbOf([group]), loadMicrosPerEvent: Number.NaN },
  };
}
