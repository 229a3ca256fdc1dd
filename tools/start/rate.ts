/** Events a second over the last few seconds. */
export class Rate {
  readonly #windowMs: number;
  #samples: { readonly atMs: number; readonly count: number }[] = [];

  constructor(windowMs = 5_000) {
    this.#windowMs = windowMs;
  }

  /** @param count the running total at `atMs`. */
  sample(count: number, atMs: number): void {
    this.#samples.push({ atMs, count });
    this.#samples = this.#samples.filter((sample) => sample.atMs >= atMs - this.#windowMs);
  }

  perSecond(): number {
    const first = this.#samples[0];
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
    return Math.max(0, Math.round(((last.count - first.count) * 1000) / (last.atMs - first.atMs)));
  }
}
