/** A line of progress on a terminal, as wide as the terminal is; nothing elsewhere. */
import { spanText } from "./status-screen.ts";
import type { Terminal } from "./terminal.ts";

export interface Progress {
  /** @param note what holds it up, where something does. */
  update(done: number, total: number, note?: string | null): void;
  /** Takes the line away, so that what is printed next stands alone. */
  stop(): void;
}

/** Cells of the bar itself, where there is room. */
const BAR_CELLS = 30;
const BAR_CELLS_MIN = 5;
const DRAW_EVERY_MS = 100;
/** So long it has to be under way before a guess at its end is worth anything. */
const GUESS_AFTER_MS = 1000;
/** To the line's beginning, and clear of what was there. */
const CLEAR_LINE = "\r\u001b[K";

export interface ProgressLine {
  readonly label: string;
  /** What is counted: "events", "bytes". */
  readonly unit: string;
  readonly done: number;
  readonly total: number;
  /** Null while there is nothing to judge by. */
  readonly secondsLeft: number | null;
  readonly note: string | null;
}

/** @param unit what is counted: "events", "bytes". */
export function createProgress({ stderr, clock }: Terminal, label: string, unit: string): Progress {
  if (stderr.isTTY !== true) return { update: () => {}, stop: () => {} };
  let first: { readonly at: number; readonly done: number } | null = null;
  let drawnAt: number | null = null;
  return {
    update(done, total, note = null) {
      const now = clock.tick();
      first ??= { at: now, done };
      if (drawnAt !== null && now - drawnAt < DRAW_EVERY_MS) return;
      drawnAt = now;
      const perMs = now - first.at < GUESS_AFTER_MS ? 0 : (done - first.done) / (now - first.at);
      const secondsLeft = perMs <= 0 ? null : (total - done) / perMs / 1000;
      const line = progressText({ label, unit, done, total, secondsLeft, note }, stderr.columns ?? 80);
      stderr.write(`${CLEAR_LINE}${line}`);
    },
    stop() {
      if (drawnAt !== null) stderr.write(CLEAR_LINE);
      drawnAt = null;
    },
  };
}

/** The line within `columns` cells, the last one left free: a terminal would go to the next line there. */
export function progressText(line: ProgressLine, columns: number): string {
  const { label, unit, done, total, secondsLeft, note } = line;
  const share = total === 0 ? 1 : Math.min(1, done / total);
  const left = secondsLeft === null || note !== null ? "" : `, ${spanText(secondsLeft)} left`;
  const counts = `${Math.floor(share * 100)}% ${done.toLocaleString("en-US")}/${total.toLocaleString("en-US")} ${unit}`;
  const most = columns - 1;
  const text = `${counts}${left}${note === null ? "" : `, ${note}`}`;
  const room = Math.min(BAR_CELLS, most - label.length - 2 - text.length);
  const whole = room < BAR_CELLS_MIN ? `${label} ${text}` : `${label} ${bar(share, room)} ${text}`;
  return whole.length <= most ? whole : `${whole.slice(0, Math.max(0, most - 1))}…`;
}

function bar(share: number, cells: number): string {
  const filled = Math.round(share * cells);
  return "█".repeat(filled) + "░".repeat(cells - filled);
}
