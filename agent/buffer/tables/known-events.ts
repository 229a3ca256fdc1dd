/** The events of a body that were taken before. A body may have hundreds of thousands, so they travel as columns. */

export interface KnownEvent {
  readonly index: number;
  readonly position: number;
  /** Whether it was taken with the same content. */
  readonly same: boolean;
  /** When it was first taken. */
  readonly receivedAt: number;
}

/** In the order of their indexes; a value of each column is one event's. */
export interface KnownEvents {
  readonly indexes: Uint32Array;
  readonly positions: Float64Array;
  /** 1 for the same content, 0 for other. */
  readonly same: Uint8Array;
  readonly receivedAt: Float64Array;
}

/** Known events one by one, each made when it is asked for. */
export interface KnownInOrder {
  readonly length: number;
  at(place: number): KnownEvent | undefined;
}

export const NONE_KNOWN: KnownEvents = columns(0);

export function knownIn({ indexes, positions, same, receivedAt }: KnownEvents): KnownInOrder {
  return {
    length: indexes.length,
    at(place) {
      const index = indexes[place];
      if (index === undefined) return undefined;
      return {
        index,
        position: positions[place] ?? 0,
        same: same[place] === 1,
        receivedAt: receivedAt[place] ?? 0,
      };
    },
  };
}

/** Each event of a body that was taken as it is. */
export function allKnown(count: number, firstPosition: number, receivedAt: number): KnownInOrder {
  return {
    length: count,
    at: (index) => (index < count ? { index, position: firstPosition + index, same: true, receivedAt } : undefined),
  };
}

/** How many of them have an index below `index`. */
export function countBelow({ indexes }: KnownEvents, index: number): number {
  let count = 0;
  while (count < indexes.length && (indexes[count] ?? 0) < index) count++;
  return count;
}

/** Takes known events one after the other. */
export class KnownList {
  private readonly found: KnownEvents;
  private length = 0;

  /** @param most how many there may be. */
  constructor(most: number) {
    this.found = columns(most);
  }

  add(index: number, position: number, same: boolean, receivedAt: number): void {
    const at = this.length++;
    this.found.indexes[at] = index;
    this.found.positions[at] = position;
    this.found.same[at] = same ? 1 : 0;
    this.found.receivedAt[at] = receivedAt;
  }

  /** All of them, in memory of their own: a message to another thread takes along whatever a view is a view of. */
  get all(): KnownEvents {
    const { found, length } = this;
    if (length === found.indexes.length) return found;
    return {
      indexes: found.indexes.slice(0, length),
      positions: found.positions.slice(0, length),
      same: found.same.slice(0, length),
      receivedAt: found.receivedAt.slice(0, length),
    };
  }
}

function columns(length: number): KnownEvents {
  return {
    indexes: new Uint32Array(length),
    positions: new Float64Array(length),
    same: new Uint8Array(length),
    receivedAt: new Float64Array(length),
  };
}
