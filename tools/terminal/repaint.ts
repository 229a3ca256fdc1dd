/** A block of lines on a terminal that is drawn again in its place. */
import { stripVTControlCharacters } from "node:util";

export interface Terminal {
  readonly columns: number;
  readonly rows: number;
  write(text: string): unknown;
}

export class Repaint {
  readonly #terminal: Terminal;
  #drawn = 0;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  /** Draws the lines over those drawn before. A line too long is cut: a wrapped one could not be counted. */
  draw(lines: readonly string[]): void {
    const { columns, rows } = this.#terminal;
    const shown = lines.slice(0, Math.max(1, rows - 1)).map((line) => cut(line, columns));
    this.#terminal.write(`${this.#up()}${shown.map((line) => `${line}\n`).join("")}`);
    this.#drawn = shown.length;
  }

  /** Takes the block away; what is written next stands in its place. */
  erase(): void {
    this.#terminal.write(this.#up());
    this.#drawn = 0;
  }

  /** Back to the block's first line, everything from there on cleared. */
  #up(): string {
    return this.#drawn === 0 ? "" : `\u001b[${this.#drawn}A\r\u001b[J`;
  }
}

function cut(line: string, columns: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length < columns ? line : plain.slice(0, Math.max(0, columns - 1));
}
