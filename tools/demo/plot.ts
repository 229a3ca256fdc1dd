/** What goes wrong in the demo, and when: each step at its count of fed events, one after the other. */

import type { Stack } from "../processes/stack.ts";
import type { CuttableProxy } from "./cuttable-proxy.ts";

export interface Step {
  /** Begins once this many events are fed, or are on their way where `unanswered` says so. */
  readonly at: number;
  /** Begins while a body is on its way and has no answer yet. */
  readonly unanswered?: true;
  readonly tale: string;
  readonly act: () => Promise<unknown>;
}

export function plotOf(stack: Stack, proxy: CuttableProxy): Step[] {
  return [
    {
      at: 3_500,
      tale: "The line to the edge is cut. The agent goes on saying yes: it has a disk.",
      act: async () => proxy.cut(),
    },
    {
      at: 5_500,
      tale: "The line is mended. The agent catches up.",
      act: () => proxy.restore(),
    },
    {
      at: 6_000,
      tale: "The edge is killed (SIGKILL) while it takes and delivers.",
      act: () => stack.edge.sigkill(),
    },
    {
      at: 7_000,
      tale: "The edge is back on the same database, with all it had said yes to.",
      act: () => stack.edge.restart(),
    },
    {
      at: 8_500,
      unanswered: true,
      tale: "The agent is killed (SIGKILL) with a request unanswered: taken or not?",
      act: () => stack.agent.sigkill(),
    },
    {
      at: 8_500,
      tale: "The agent is back. The feeder repeats under the same Idempotency-Key.",
      act: () => stack.agent.restart(),
    },
  ];
}

/** Runs the steps in order, never two at once, while feeding goes on. */
export class Director {
  readonly #steps: Step[];
  readonly #tell: (tale: string) => void;
  readonly #failing = new AbortController();
  #acting: Promise<void> = Promise.resolve();

  constructor(steps: readonly Step[], tell: (tale: string) => void) {
    this.#steps = [...steps];
    this.#tell = tell;
  }

  /** @param isUnanswered whether the body that begins at `count` is on its way just now. */
  reach(count: number, isUnanswered: boolean): void {
    for (let next = this.#steps[0]; next !== undefined; next = this.#steps[0]) {
      const isDue = count >= next.at && (next.unanswered === undefined || isUnanswered);
      if (!isDue) return;
      this.#steps.shift();
      this.#enqueue(next);
    }
  }

  #enqueue({ tale, act }: Step): void {
    const play = async () => {
      if (this.failed.aborted) return;
      this.#tell(tale);
      await act();
    };
    this.#acting = this.#acting.then(play).catch((error: unknown) => this.#failing.abort(error));
  }

  /** Aborts with the error of the first step that fails; no further one begins then. */
  get failed(): AbortSignal {
    return this.#failing.signal;
  }

  /** Settles when the steps begun so far are over. */
  done(): Promise<void> {
    return this.#acting;
  }

  /** Steps that never came. */
  left(): number {
    return this.#steps.length;
  }
}
