/**
 * Which rows a hash may be in: an open-addressing table of 32 bits of each hash beside its row's number, 8 bytes a slot.
 * The row itself tells whether it is the one; of a million rows about one new hash in four thousand looks like another.
 * So a hash is looked for without an index on disk, whose random pages would cost each append some writes.
 */
export interface HashIndex {
  /** Rows whose hashes begin alike, as {@link rowMark} writes them. */
  marks(hash: Uint8Array): number[];
  add(hash: Uint8Array, mark: number): void;
  remove(hash: Uint8Array, mark: number): void;
}

const SLOTS_MIN = 1024;
/** Longer runs of taken slots would slow each look. */
const LOAD_MAX = 0.7;
const MARKS = 0xffff_ffff;

/** A row's number as a slot holds it: 32 bits, never 0, which is an empty slot. */
export function rowMark(row: number): number {
  return (row % MARKS) + 1;
}

/** The row that a mark stands for, among the last four billion. */
export function rowOf(mark: number, newestRow: number): number {
  const behind = (newestRow - (mark - 1)) % MARKS;
  return newestRow - (behind < 0 ? behind + MARKS : behind);
}

export function createHashIndex(): HashIndex {
  let slots = SLOTS_MIN;
  let tags = new Uint32Array(slots);
  let rows = new Uint32Array(slots);
  let count = 0;
  const homeOf = (tag: number) => Math.floor((tag / 2 ** 32) * slots);
  const next = (slot: number) => (slot + 1) & (slots - 1);
  const put = (tag: number, mark: number): void => {
    let slot = homeOf(tag);
    while (rows[slot] !== 0) slot = next(slot);
    tags[slot] = tag;
    rows[slot] = mark;
  };
  const grow = (): void => {
    const [oldTags, oldRows] = [tags, rows];
    slots *= 2;
    tags = new Uint32Array(slots);
    rows = new Uint32Array(slots);
    for (const [slot, mark] of oldRows.entries()) if (mark !== 0) put(oldTags[slot] ?? 0, mark);
  };
  /** Closes the hole: what stands behind it moves up, unless it would leave the run that begins at its home. */
  const close = (hole: number): void => {
    for (let slot = next(hole); rows[slot] !== 0; slot = next(slot)) {
      const fromHome = (slot - homeOf(tags[slot] ?? 0)) & (slots - 1);
      if (fromHome < ((slot - hole) & (slots - 1))) continue;
      tags[hole] = tags[slot] ?? 0;
      rows[hole] = rows[slot] ?? 0;
      hole = slot;
    }
    rows[hole] = 0;
  };
  return {
    marks(hash) {
      const tag = tagOf(hash);
      const found: number[] = [];
      for (let slot = homeOf(tag); rows[slot] !== 0; slot = next(slot)) {
        if (tags[slot] === tag) found.push(rows[slot] ?? 0);
      }
      return found;
    },
    add(hash, mark) {
      if (count + 1 > slots * LOAD_MAX) grow();
      put(tagOf(hash), mark);
      count++;
    },
    remove(hash, mark) {
      const tag = tagOf(hash);
      for (let slot = homeOf(tag); rows[slot] !== 0; slot = next(slot)) {
        if (tags[slot] !== tag || rows[slot] !== mark) continue;
        close(slot);
        count--;
        return;
      }
    },
  };
}

function tagOf(hash: Uint8Array): number {
  return (((hash[0] ?? 0) << 24) | ((hash[1] ?? 0) << 16) | ((hash[2] ?? 0) << 8) | (hash[3] ?? 0)) >>> 0;
}
