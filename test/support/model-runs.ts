import { inject } from "vitest";

declare module "vitest" {
  export interface ProvidedContext {
    /** Whether models run at their full length. */
    readonly isFullLength: boolean;
  }
}

/** How often a `*.model.test.ts` tries: the full number in `npm run proof`, the short one in `npm test`. */
export function modelRuns({ full, short }: { readonly full: number; readonly short: number }): number {
  return inject("isFullLength") ? full : short;
}
