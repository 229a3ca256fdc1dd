/**
 * Tells a write-ahead log that was torn by a power cut from one that was damaged later. SQLite stops at the first
 * frame whose checksum is wrong and forgets what follows: right for a tear, whose transaction nobody was told of,
 * but a changed byte in the middle would silently take back transactions that were answered for.
 *
 * Every commit is synced before the next one writes. So where a frame is wrong and a later transaction than its
 * own has begun, the wrong one was whole once. A later one has begun where a sound frame directly follows the last
 * frame of one: of what lies further behind the end, a transaction that was torn before may have left whole frames.
 * Format: https://www.sqlite.org/fileformat2.html#walformat
 */

export const WAL_HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
const MAGIC = 0x377f0682;
/** The least that a disk writes whole. */
const SECTOR_BYTES = 512;

/** @returns what is wrong in words; null for a sound or merely torn one. */
export function walDamage(wal: Buffer): string | null {
  if (wal.length <= WAL_HEADER_BYTES + FRAME_HEADER_BYTES) return null;
  const magic = wal.readUInt32BE(0);
  const header = checksum(wal, 0, 24, [0, 0], (magic & 1) === 1);
  const headerSound = (magic & ~1) >>> 0 === MAGIC && sameSum(header, sumAt(wal, 24));
  const bigEndian = headerSound && (magic & 1) === 1;
  const pageBytes = headerSound ? wal.readUInt32BE(8) : DEFAULT_PAGE_BYTES;
  const frameBytes = FRAME_HEADER_BYTES + pageBytes;
  const salts = wal.subarray(headerSound ? 16 : WAL_HEADER_BYTES + 8, headerSound ? 24 : WAL_HEADER_BYTES + 16);

  let previous = sumAt(wal, 24);
  let wrong = !headerSound;
  let followsEnd = false;
  for (let at = WAL_HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    const ofThisLog = wal.compare(salts, 0, 8, at + 8, at + 16) === 0;
    const seen = checksum(wal, at, at + 8, previous, bigEndian);
    const sum = checksum(wal, at + FRAME_HEADER_BYTES, at + frameBytes, seen, bigEndian);
    previous = sumAt(wal, at + 16);
    const sound = ofThisLog && sameSum(sum, previous);
    if (wrong && followsEnd && sound) {
      const what = headerSound ? "a page in the middle" : "the header";
      return `the write-ahead log is damaged: ${what} has changed, and answered events follow it`;
    }
    if (!sound) {
      // Frames of an earlier round have other salts: the log ends where they begin, unless a wrong one came first.
      if (!ofThisLog && !wrong && !followed(wal, at + frameBytes, frameBytes, salts)) return null;
      wrong = true;
    }
    // The size of the database stands in the last frame of a transaction. In a frame that is wrong it is believed
    // only where the salts, which are of this log, and the sums came to the disk in one sector with it.
    const isBelieved = sound || (ofThisLog && at % SECTOR_BYTES <= SECTOR_BYTES - FRAME_HEADER_BYTES);
    followsEnd = isBelieved && wal.readUInt32BE(at + 4) !== 0;
  }
  return null;
}

const DEFAULT_PAGE_BYTES = 4096;

/** Whether any later frame is of this log: then a strange one here is one whose own salts have changed. */
function followed(wal: Buffer, from: number, frameBytes: number, salts: Buffer): boolean {
  for (let at = from; at + frameBytes <= wal.length; at += frameBytes) {
    if (wal.compare(salts, 0, 8, at + 8, at + 16) === 0) return true;
  }
  return false;
}

type Sum = readonly [number, number];

function sumAt(wal: Buffer, at: number): Sum {
  return [wal.readUInt32BE(at), wal.readUInt32BE(at + 4)];
}

function sameSum(a: Sum, b: Sum): boolean {
  return a[0] === b[0] && a[1] === b[1];
}

function checksum(bytes: Buffer, from: number, to: number, start: Sum, bigEndian: boolean): Sum {
  let [a, b] = start;
  for (let at = from; at < to; at += 8) {
    a = (a + (bigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at)) + b) >>> 0;
    b = (b + (bigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4)) + a) >>> 0;
  }
  return [a, b];
}
