/** Bounds the bytes of request bodies that are in memory at once, over all clients. */
export interface BodyBudget {
  /** The share of one request, empty at first. */
  share(): BodyShare;
}

export interface BodyShare {
  /** Takes `bytes` more, or says that they are not to be had now; somebody always gets what it needs. */
  take(bytes: number): boolean;
  /** Gives all of it back. */
  end(): void;
}

export function createBodyBudget(bytesMax: number): BodyBudget {
  let taken = 0;
  return {
    share() {
      let own = 0;
      return {
        take(bytes) {
          if (taken > own && taken + bytes > bytesMax) return false;
          taken += bytes;
          own += bytes;
          return true;
        },
        end() {
          taken -= own;
          own = 0;
        },
      };
    },
  };
}

/** Of whoever needs no bound but a body's own. */
export const UNBOUNDED_SHARE: BodyShare = { take: () => true, end: () => {} };
