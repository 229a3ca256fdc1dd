/** Progress of a long run: on a terminal one line drawn anew, elsewhere a line for each row. */
import type { Measured } from "./measure.ts";

const CLEAR_LINE = "\r\u001b[K";

export interface Progress {
  /** What runs now. */
  step(row: string, what: string): void;
  done(row: Measured): void;
  end(): void;
}

export function createProgress(stream: NodeJS.WriteStream, rows: number): Progress {
  const startedAt = performance.now();
  const elapsed = () => Math.round((performance.now() - startedAt) / 1000);
  let done = 0;
  return {
    step: (row, what) => {
      if (!stream.isTTY) return;
      const line = `${done} of ${rows} rows, ${elapsed()} s: ${row}, ${what}`;
      stream.write(`${CLEAR_LINE}${line.slice(0, stream.columns - 1)}`);
    },
    done: ({ name, ratio }) => {
      done++;
      stream.write(
        `${stream.isTTY ? CLEAR_LINE : ""}${name}: ${ratio.median.toFixed(2)} of the floor's figure, ${elapsed()} s\n`,
      );
    },
    end: () => {
      if (stream.isTTY) stream.write(CLEAR_LINE);
    },
  };
}
