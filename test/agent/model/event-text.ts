/** The events of a history: what each says about itself decides what agent and destination make of it. */

export const KINDS = [
  "good",
  /** Larger than any call may be. */
  "huge",
  /** A call that holds one is refused whole, with this status. */
  "refused-400",
  "refused-409",
  "refused-422",
  /** Named a conflict in the answer to a call that is taken otherwise. */
  "conflict",
  /** Not as its schema says, so that the agent itself holds it back. */
  "invalid",
] as const;
export type EventKind = (typeof KINDS)[number];

/** Bytes of an event's padding that make it larger than any call may be. */
const HUGE_BYTES = 600;

/** The schema that agent and destination check by: one integer. */
export const SCHEMAS = {
  streams: ["a", "b"].map((meter) => ({
    meter_global_id: meter,
    fields: [{ name: "n", type: "integer", required: true }],
  })),
};

export function eventText(kind: EventKind, n: number): string {
  const value = kind === "invalid" ? `"${n}"` : n;
  return `{"n":${value}, "is":"${kind}"${kind === "huge" ? `,"pad":"${"x".repeat(HUGE_BYTES)}"` : ""}}`;
}

export function kindOf(text: string): EventKind {
  return (JSON.parse(text) as { is: EventKind }).is;
}
