/** How the buffer's bound is shared out. Pure. */

export interface Bounds {
  /** All files in the buffer's directory together. */
  readonly bytesMax: number;
  /** The write-ahead log is carried over into the database once it has this many bytes. */
  readonly checkpointBytes: number;
  /** Room kept in the write-ahead log's share for settling, beyond what appends may fill. */
  readonly walBytes: number;
  /** The ballast that is given up where the disk is full. */
  readonly reserveBytes: number;
  /** Delivered batches kept for an audit, packed: about ten times as much event text. */
  readonly retainedBytes: number;
  /** Bodies that a repeat is told by; one takes about fifty bytes. */
  readonly bodiesMax: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;

export function boundsOf(bytesMax: number): Bounds {
  // Carrying over needs at most what the write-ahead log holds: its threshold and one group of requests.
  const checkpointBytes = Math.max(32 * KIB, Math.min(2 * MIB, Math.floor(bytesMax / 64)));
  return {
    bytesMax,
    checkpointBytes,
    walBytes: 2 * checkpointBytes,
    reserveBytes: Math.min(8 * MIB, Math.max(checkpointBytes, Math.floor(bytesMax / 16))),
    retainedBytes: Math.min(8 * MIB, Math.floor(bytesMax / 32)),
    bodiesMax: Math.min(MIB, Math.floor(bytesMax / KIB)),
  };
}
