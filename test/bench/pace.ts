/** How much a run sends: as much as takes a given time, by the rate of the runs before. */

export interface Pace {
  /** Of a run that counts. */
  readonly seconds: number;
  readonly rounds: number;
  /** Events of the agent's backlog. */
  readonly backlog: number;
  /** Events that pile up at the edge: more than four calls hold. */
  readonly pile: number;
  /** Keys of a large ledger, which has a tenth as many batches, and the rest in proportion. */
  readonly keys: number;
}

/** A run's requests are in memory before it begins. */
const EVENTS_MAX = 400_000;
/** A first run is to warm up what it meets, not to take long: the floor is as quick as this many times. */
const FIRST_SHARE = 0.3;

export class RunLength {
  readonly #size: number;
  readonly #seconds: number;
  #eventsPerSecond: number;

  /** @param size events a request. @param guess events a second, before any run. */
  constructor(size: number, seconds: number, guess: number) {
    this.#size = size;
    this.#seconds = seconds;
    this.#eventsPerSecond = guess * FIRST_SHARE;
  }

  /** Of the next run, at least a few for each connection. */
  requests(connections: number): number {
    const events = Math.min(EVENTS_MAX, this.#eventsPerSecond * this.#seconds);
    return Math.max(connections * REQUESTS_MIN, Math.ceil(events / this.#size));
  }

  saw(eventsPerSecond: number): void {
    this.#eventsPerSecond = eventsPerSecond;
  }
}

const REQUESTS_MIN = 3;
