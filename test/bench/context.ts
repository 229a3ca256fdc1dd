import type { Measured } from "./measure.ts";
import type { Pace } from "./pace.ts";
import type { Row } from "./rows.ts";

/** What a benchmark is given: how much to send, which rows are wanted, and where to say what it does. */
export interface BenchContext {
  readonly pace: Pace;
  wants(row: Row): boolean;
  /** Says what runs now. */
  progress(row: string, step: string): void;
  /** Takes what was measured; rows that are not wanted are dropped. */
  done(...rows: readonly Measured[]): void;
}
