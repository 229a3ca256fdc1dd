/** Bounds the memory that request bodies take at once, over all clients: what was received of them, and what that became. */
export interface BodyBudget {
  /** The share of one request, empty at first. */
  share(): BodyShare;
}

export interface BodyShare {
  /** Takes `bytes` more, or says that they are not to be had now; somebody always gets what it needs. */
  take(bytes: number): boolean;
  /** Gives some of it back. */
  give(bytes: number): void;
  /** Gives all of it back. */
  end(): void;
}

/** Up to here a body is small. Small ones have room of their own, so that large ones never keep them out. */
const SMALL_BYTES_MAX = 64 * 1024;
const SMALL_ROOM_BYTES = 8 * 1024 * 1024;

/** @param bytesMax of large bodies; one that is alone may take more. */
export function createBodyBudget(bytesMax: number): BodyBudget {
  const small = { taken: 0, max: SMALL_ROOM_BYTES };
  const large = { taken: 0, max: bytesMax };
  return {
    share() {
      let own = 0;
      let room = small;
      const move = (wanted: number): boolean => {
        const next = room === small && wanted > SMALL_BYTES_MAX ? large : room;
        const others = next.taken - (next === room ? own : 0);
        if (others > 0 && others + wanted > next.max) return false;
        room.taken -= own;
        next.taken += wanted;
        room = next;
        own = wanted;
        return true;
      };
      return {
        take: (bytes) => move(own + bytes),
        give(bytes) {
          room.taken -= bytes;
          own -= bytes;
        },
        end() {
          room.taken -= own;
          own = 0;
        },
      };
    },
  };
}

/** Of whoever needs no bound but a body's own. */
export const UNBOUNDED_SHARE: BodyShare = { take: () => true, give: () => {}, end: () => {} };
