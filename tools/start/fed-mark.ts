/**
 * How much of the sample was fed, kept beside the state it was fed into, so that a second start feeds no real
 * event twice. Written after each taken body: a crash in between sends that body again under the same
 * Idempotency-Key, which the agent folds.
 */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export class FedMark {
  readonly #file: string;

  constructor(directory: string) {
    this.#file = join(directory, "fed");
  }

  /** Lines fed so far; 0 where nothing is known. */
  read(): number {
    try {
      const fed = Number(readFileSync(this.#file, "utf8"));
      return Number.isSafeInteger(fed) && fed >= 0 ? fed : 0;
    } catch {
      return 0;
    }
  }

  write(fed: number): void {
    writeFileSync(`${this.#file}.new`, String(fed));
    renameSync(`${this.#file}.new`, this.#file);
  }
}
