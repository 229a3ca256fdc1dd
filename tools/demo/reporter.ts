/** How the demo is told: three bars and a line for each step on a terminal, plain lines anywhere else. */
import { MultiBar, type SingleBar } from "cli-progress";
import { createColors } from "picocolors";
import { type Ledgers, sumOf } from "../reconcile/ledgers.ts";
import { grouped } from "../terminal/text-table.ts";

export interface Reporter {
  say(text: string): void;
  /** Shows how far each hop has come; a hop that does not answer is shown as down. */
  show(ledgers: Ledgers): void;
  /** Takes the bars away; what is said next is plain text. */
  end(): void;
}

export function createReporter(output: NodeJS.WriteStream, total: number): Reporter {
  return output.isTTY ? new BarReporter(output, total) : new LineReporter(output, total);
}

const HOPS = ["agent", "edge", "twin"] as const;
type Reached = Record<(typeof HOPS)[number], number | null>;

function reachedOf({ agent, edge, twin }: Ledgers): Reached {
  return {
    agent: agent?.ledger.accepted ?? null,
    edge: edge === null ? null : sumOf(edge).accepted,
    twin: twin?.events ?? null,
  };
}

class BarReporter implements Reporter {
  readonly #bars: MultiBar;
  readonly #hops: Record<(typeof HOPS)[number], SingleBar>;
  readonly #reached = { agent: 0, edge: 0, twin: 0 };
  readonly #output: NodeJS.WriteStream;
  readonly #colors;
  #hasEnded = false;

  constructor(output: NodeJS.WriteStream, total: number) {
    this.#output = output;
    this.#colors = createColors(output.hasColors() && !process.env["NO_COLOR"]);
    this.#bars = new MultiBar({
      stream: output,
      format: "  {name} {bar} {count} {note}",
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: 40,
      hideCursor: true,
      // Keeps the frame whole while lines are written above it.
      forceRedraw: true,
    });
    const bar = (name: string) => this.#bars.create(total, 0, { name: name.padEnd(5), count: "", note: "" });
    this.#hops = { agent: bar("agent"), edge: bar("edge"), twin: bar("twin") };
  }

  say(text: string): void {
    const line = `${this.#colors.bold("•")} ${text}\n`;
    if (this.#hasEnded) this.#output.write(line);
    else this.#bars.log(line);
  }

  show(ledgers: Ledgers): void {
    const reached = reachedOf(ledgers);
    for (const hop of HOPS) {
      this.#reached[hop] = reached[hop] ?? this.#reached[hop];
      const note = reached[hop] === null ? this.#colors.red("down") : "    ";
      const count = grouped(this.#reached[hop]).padStart(6);
      this.#hops[hop].update(this.#reached[hop], { count, note });
    }
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    // Lines logged since the last frame are written with the next one only.
    this.#bars.update();
    this.#bars.stop();
  }
}

const LINE_EVERY_MS = 3_000;

class LineReporter implements Reporter {
  readonly #output: NodeJS.WriteStream;
  readonly #total: number;
  #shownAtMs = Number.NEGATIVE_INFINITY;

  constructor(output: NodeJS.WriteStream, total: number) {
    this.#output = output;
    this.#total = total;
  }

  say(text: string): void {
    this.#output.write(`* ${text}\n`);
  }

  show(ledgers: Ledgers): void {
    const nowMs = performance.now();
    if (nowMs - this.#shownAtMs < LINE_EVERY_MS) return;
    this.#shownAtMs = nowMs;
    const reached = reachedOf(ledgers);
    const parts = HOPS.map((hop) => `${hop} ${reached[hop] === null ? "down" : `${reached[hop]}/${this.#total}`}`);
    this.#output.write(`  ${parts.join("  ")}\n`);
  }

  end(): void {}
}
