/** Of one event's two offsets there is no room too much. */
const FIRST = 2;
const NONE = new Uint32Array(0);

/** Whole numbers below 2^32, four bytes each, however many: an array of them would be copied each time that it grows. */
export class Numbers {
  length = 0;
  private words = NONE;

  push(value: number): void {
    if (this.length === this.words.length) this.grow();
    this.words[this.length++] = value;
  }

  private grow(): void {
    const { buffer, length } = this.words;
    this.words = length === 0 ? new Uint32Array(FIRST) : new Uint32Array(buffer.transfer(2 * buffer.byteLength));
  }

  /** All of them; a view, for as long as none is added. */
  get all(): Uint32Array {
    return this.length === this.words.length ? this.words : this.words.subarray(0, this.length);
  }
}
