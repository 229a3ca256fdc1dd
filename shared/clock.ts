/** Time and chance as arguments: whoever dates, waits or draws lots is handed one of these. Types alone; each host has its own. */

export interface WallClock {
  /** Milliseconds since 1970, for dates that are kept; it may be set forward or back at any moment. */
  readonly now: () => number;
}

export interface SteadyClock extends WallClock {
  /** Milliseconds that never jump, for waits and ages. */
  readonly tick: () => number;
}

/** A number in [0, 1). */
export type Random = () => number;

/** What a row's id is made of, and a wait between two attempts. */
export interface ClockAndRandom {
  readonly clock: WallClock;
  readonly random: Random;
}
