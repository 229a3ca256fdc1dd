/** The keys of the objects that are open in a scan, to find one that stands twice. */
import { BACKSLASH } from "./characters.ts";
import { textOf } from "./source.ts";

/** Up to here keys are compared with one another; beyond, a set of them is cheaper. */
const COMPARED_MAX = 64;
/** Numbers kept of a key: where it begins and ends, and a print that equal keys share. */
const STRIDE = 3;

/** Each object's keys lie behind those of the objects around it. */
export class OpenKeys {
  private readonly bytes: Uint8Array;
  private readonly keys: number[] = [];
  private top = 0;
  /** Where the innermost open object's keys begin. */
  private base = 0;
  /** Of the innermost open object, where its keys are many or spelt with escapes. */
  private names: Set<string> | null = null;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  /** Opens an object; what it gives closes it again. */
  open(): { readonly base: number; readonly names: Set<string> | null } {
    const outer = { base: this.base, names: this.names };
    this.base = this.top;
    this.names = null;
    return outer;
  }

  close(outer: { readonly base: number; readonly names: Set<string> | null }): void {
    this.top = this.base;
    this.base = outer.base;
    this.names = outer.names;
  }

  /** Adds a key of the innermost object, by the span inside its quotes; false where it stands there already. */
  add(from: number, to: number, escaped: boolean): boolean {
    if (this.names === null) {
      if (!escaped && this.top - this.base < COMPARED_MAX * STRIDE) return this.addCompared(from, to);
      this.names = this.collected();
    }
    const name = keyText(this.bytes, from, to);
    if (this.names.has(name)) return false;
    this.names.add(name);
    return true;
  }

  private addCompared(from: number, to: number): boolean {
    const { bytes, keys, base, top } = this;
    const length = to - from;
    const print =
      (length << 24) ^ ((bytes[from] ?? 0) << 16) ^ ((bytes[(from + to) >> 1] ?? 0) << 8) ^ (bytes[to - 1] ?? 0);
    for (let at = base; at < top; at += STRIDE) {
      if (keys[at + 2] === print && this.isSame(from, length, keys[at] ?? 0, keys[at + 1] ?? 0)) return false;
    }
    keys[top] = from;
    keys[top + 1] = to;
    keys[top + 2] = print;
    this.top = top + STRIDE;
    return true;
  }

  private isSame(from: number, length: number, otherFrom: number, otherTo: number): boolean {
    if (otherTo - otherFrom !== length) return false;
    const { bytes } = this;
    let at = 0;
    while (at < length && bytes[from + at] === bytes[otherFrom + at]) at++;
    return at === length;
  }

  private collected(): Set<string> {
    const names = new Set<string>();
    for (let at = this.base; at < this.top; at += STRIDE) {
      names.add(textOf(this.bytes, this.keys[at] ?? 0, this.keys[at + 1] ?? 0));
    }
    return names;
  }
}

/** The text of a checked string, by the span inside its quotes: escapes decoded. */
export function keyText(bytes: Uint8Array, from: number, to: number): string {
  const text = textOf(bytes, from, to);
  const isEscaped = text.includes(String.fromCharCode(BACKSLASH));
  return isEscaped ? (JSON.parse(`"${text}"`) as string) : text;
}
