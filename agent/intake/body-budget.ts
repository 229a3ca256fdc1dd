/** Bounds the bytes of request bodies that are in memory at once, over all clients. */
export interface BodyBudget {
  /** Takes `bytes`, or says that they are not to be had now. */
  take(bytes: number): boolean;
  giveBack(bytes: number): void;
}

export function createBodyBudget(bytesMax: number): BodyBudget {
  let taken = 0;
  return {
    take(bytes) {
      if (taken > 0 && taken + bytes > bytesMax) return false;
      taken += bytes;
      return true;
    },
    giveBack(bytes) {
      taken -= bytes;
    },
  };
}
