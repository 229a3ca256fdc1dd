/** The five kinds of event, how their streams are named and how their ids begin. */

export const KINDS = ["usage", "persist", "charge", "adjustment", "meter-data"] as const;
export type Kind = (typeof KINDS)[number];

/** Solvimon writes ids as a prefix, an underscore and 20 alphanumerics; usage events follow suit. */
export const ID_PREFIX: Record<Kind, string> = {
  usage: "usev_",
  persist: "prda_",
  charge: "chda_",
  adjustment: "adda_",
  "meter-data": "mtda_",
};

/** The name of a meter's usage stream, the same in every route, log and ledger. */
export function usageStream(meterGlobalId: string): string {
  return `usage/${meterGlobalId}`;
}

export type ParsedStream =
  | { readonly kind: "usage"; readonly meterGlobalId: string }
  | { readonly kind: Exclude<Kind, "usage"> };

/** Reads a stream's name; null for a name that is none. */
export function parseStream(stream: string): ParsedStream | null {
  if (stream.startsWith("usage/") && stream.length > "usage/".length) {
    return { kind: "usage", meterGlobalId: stream.slice("usage/".length) };
  }
  const kind = KINDS.find((known) => known === stream);
  return kind === undefined || kind === "usage" ? null : { kind };
}
