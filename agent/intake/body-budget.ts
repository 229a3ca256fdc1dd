/**
 * Bounds the memory that request bodies take at once, over all clients: what was received of them, and what that became.
 * A body is charged as it comes. One that finds no room waits, its socket unread, so that its bytes stay with the sender;
 * the large body that came first always finds room, so that one of them can end, and then the next.
 */
export interface BodyBudget {
  /** The share of one request, empty at first. */
  share(): BodyShare;
}

export interface BodyShare {
  /** Takes `bytes` more, or says that they are not to be had now. */
  take(bytes: number): boolean;
  /** Takes them once there is room; false after the request has waited for too long in all. */
  wait(bytes: number): Promise<boolean>;
  /** Takes them though there be no room, for what is there already and soon gives them back. */
  charge(bytes: number): void;
  /** Gives some of it back. */
  give(bytes: number): void;
  /** Waits until no other large body is worked on, and keeps others waiting until `done` or `end`; false as `wait`. */
  turn(): Promise<boolean>;
  /** Others may work. */
  done(): void;
  /** Gives all of it back. */
  end(): void;
}

export interface BodyBudgetOptions {
  /** Of large bodies; the one that came first may take more. */
  readonly bytesMax: number;
  /** How long one request may wait in all. */
  readonly waitMsMax: number;
}

/** Up to here a body is small. Small ones have room of their own, so that large ones never keep them out. */
const SMALL_BYTES_MAX = 64 * 1024;
const SMALL_ROOM_BYTES = 4 * 1024 * 1024;

interface Room {
  readonly max: number;
  taken: number;
}

interface Waiting {
  readonly share: Share;
  readonly bytes: number;
  readonly end: (taken: boolean) => void;
}

interface Rooms {
  readonly small: Room;
  readonly large: Room;
  /** Shares of large bodies, the one that came first in front. */
  readonly order: Set<Share>;
  /** For room, and for their turn. */
  readonly waiting: Set<Waiting>;
  readonly turns: Set<Waiting>;
  working: Share | null;
  readonly waitMsMax: number;
}

export function createBodyBudget({ bytesMax, waitMsMax }: BodyBudgetOptions): BodyBudget {
  const rooms: Rooms = {
    small: { max: SMALL_ROOM_BYTES, taken: 0 },
    large: { max: bytesMax, taken: 0 },
    order: new Set(),
    waiting: new Set(),
    turns: new Set(),
    working: null,
    waitMsMax,
  };
  return { share: () => new Share(rooms) };
}

class Share implements BodyShare {
  private readonly rooms: Rooms;
  private isLarge = false;
  private own = 0;
  private waitedMs = 0;
  private isEnded = false;

  constructor(rooms: Rooms) {
    this.rooms = rooms;
  }

  take(bytes: number): boolean {
    const { small, large, order } = this.rooms;
    const wanted = this.own + bytes;
    if (!this.isLarge && wanted <= SMALL_BYTES_MAX) {
      if (small.taken + bytes > small.max) return false;
      this.charge(bytes);
      return true;
    }
    // Its place is by when it became large, whether there is room for it or not.
    order.add(this);
    const others = large.taken - (this.isLarge ? this.own : 0);
    const [first] = order;
    if (first !== this && others + wanted > large.max) return false;
    this.charge(bytes);
    return true;
  }

  charge(bytes: number): void {
    const { small, large, order } = this.rooms;
    const wasLarge = this.isLarge;
    this.isLarge ||= this.own + bytes > SMALL_BYTES_MAX;
    if (this.isLarge !== wasLarge) {
      order.add(this);
      small.taken -= this.own;
      large.taken += this.own;
    }
    this.own += bytes;
    (this.isLarge ? large : small).taken += bytes;
  }

  wait(bytes: number): Promise<boolean> {
    if (this.take(bytes)) return Promise.resolve(true);
    return this.waitIn(this.rooms.waiting, bytes);
  }

  turn(): Promise<boolean> {
    if (this.rooms.working !== null && this.rooms.working !== this) return this.waitIn(this.rooms.turns, 0);
    this.rooms.working = this;
    return Promise.resolve(true);
  }

  private waitIn(line: Set<Waiting>, bytes: number): Promise<boolean> {
    const begun = performance.now();
    return new Promise((resolve) => {
      const waiting: Waiting = {
        ...{ share: this, bytes },
        end: (taken) => {
          clearTimeout(timer);
          line.delete(waiting);
          this.waitedMs += performance.now() - begun;
          resolve(taken);
        },
      };
      const timer = setTimeout(() => waiting.end(false), Math.max(0, this.rooms.waitMsMax - this.waitedMs));
      line.add(waiting);
    });
  }

  give(bytes: number): void {
    const { small, large } = this.rooms;
    this.own -= bytes;
    (this.isLarge ? large : small).taken -= bytes;
    this.wake();
  }

  done(): void {
    if (this.rooms.working !== this) return;
    this.rooms.working = null;
    const [next] = this.rooms.turns;
    if (next === undefined) return;
    this.rooms.working = next.share;
    next.end(true);
  }

  end(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    const { small, large, order, waiting, turns } = this.rooms;
    (this.isLarge ? large : small).taken -= this.own;
    this.own = 0;
    order.delete(this);
    for (const line of [waiting, turns]) for (const one of line) if (one.share === this) one.end(false);
    this.done();
    this.wake();
  }

  /** Those that find room now go on, in the order in which they began to wait. */
  private wake(): void {
    for (const one of this.rooms.waiting) if (one.share.take(one.bytes)) one.end(true);
  }
}

/** Of whoever needs no bound but a body's own. */
export const UNBOUNDED_SHARE: BodyShare = {
  take: () => true,
  wait: () => Promise.resolve(true),
  charge: () => {},
  give: () => {},
  turn: () => Promise.resolve(true),
  done: () => {},
  end: () => {},
};
