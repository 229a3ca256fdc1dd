/** A progress bar on a terminal, nothing elsewhere. */
import { Presets, SingleBar } from "cli-progress";
import type { Terminal } from "./terminal.ts";

export interface Progress {
  update(done: number, total: number): void;
  stop(): void;
}

/** @param unit what is counted: "events", "bytes". */
export function createProgress(terminal: Terminal, label: string, unit: string): Progress {
  if (terminal.stderr.isTTY !== true) return { update: () => {}, stop: () => {} };
  const format = `${label} {bar} {percentage}% | {value}/{total} ${unit} | {eta_formatted} left`;
  const bar = new SingleBar(
    { format, stream: terminal.stderr, hideCursor: true, etaBuffer: 50 },
    Presets.shades_classic,
  );
  let started = false;
  return {
    update(done, total) {
      if (started) bar.setTotal(total);
      else bar.start(total, done);
      started = true;
      bar.update(done);
    },
    stop() {
      if (started) bar.stop();
    },
  };
}
