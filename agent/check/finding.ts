/** What `check` finds, in words that say what to do. */
export interface Finding {
  readonly check: "configuration" | "disk" | "buffer" | "destination" | "credentials";
  readonly ok: boolean;
  /** It works as it is, and somebody should look at it. */
  readonly warning?: true;
  readonly message: string;
}

export function sound(check: Finding["check"], message: string): Finding {
  return { check, ok: true, message };
}

export function failed(check: Finding["check"], message: string): Finding {
  return { check, ok: false, message };
}

export function warned(check: Finding["check"], message: string): Finding {
  return { check, ok: true, warning: true, message };
}
