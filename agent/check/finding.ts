/** What `check` finds, in words that say what to do; names and words of others are written out in them. */
import { visible, visibleLines } from "../runtime/visible-text.ts";

export interface Finding {
  readonly check: "configuration" | "disk" | "buffer" | "destination" | "credentials";
  readonly ok: boolean;
  /** It works as it is, and somebody should look at it. */
  readonly warning?: true;
  readonly message: string;
}

export function sound(check: Finding["check"], message: string): Finding {
  return { check, ok: true, message: visible(message) };
}

export function failed(check: Finding["check"], message: string): Finding {
  return { check, ok: false, message: visible(message) };
}

export function warned(check: Finding["check"], message: string): Finding {
  return { check, ok: true, warning: true, message: visible(message) };
}

/** A configuration that cannot be read: a line for each thing that is wrong with it. */
export function misconfigured(message: string): Finding {
  return { check: "configuration", ok: false, message: visibleLines(message) };
}
