/** Housekeeping: forgets what has been kept for long enough, and gives free pages back. */
import type { Context } from "./context.ts";

/** How long of the log's age keys and delivered events are kept. */
export interface TidyInput {
  readonly retainMs: number;
}

/** `more`: there is still a good deal to give back. */
export interface TidyOutcome {
  readonly kind: "tidied";
  readonly more: boolean;
}

/** Forgets a bounded number of rows, so that it never holds up an append for long. */
export function tidy({ age, keys, retained }: Context, { retainMs }: TidyInput): TidyOutcome {
  const before = age.now() - retainMs;
  keys.forget(before);
  retained.forget(before);
  age.keep();
  return { kind: "tidied", more: false };
}

/** Once that is committed: pages go back to the disk outside any transaction. */
export function tidied({ giveBack }: Context): TidyOutcome {
  return { kind: "tidied", more: giveBack() };
}
