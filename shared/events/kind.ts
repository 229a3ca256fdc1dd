/** The kinds of event: each declared once, with what names its streams, ids, operations and resources. */

interface SolvimonKindDeclaration {
  /** Solvimon writes ids as a prefix, an underscore and 20 alphanumerics. */
  readonly idPrefix: string;
  /** The `object_type` of its resources. */
  readonly objectType: string;
  /** The member of a list body that holds the events. */
  readonly listMember: string;
  /** The last part of its operations' paths, behind `/v{version}`; the first is the one to call. */
  readonly paths: { readonly single: readonly [string, ...string[]]; readonly list: readonly [string, ...string[]] };
}

/** The kinds of Solvimon's shape. A kind's name is its stream's name too. Its fields stand in solvimon-fields.ts. */
export const SOLVIMON = {
  persist: {
    idPrefix: "prda_",
    objectType: "PERSIST_DATA",
    listMember: "persist_datas",
    paths: { single: ["/ingest/persist-data"], list: ["/ingest/persist-datas"] },
  },
  charge: {
    idPrefix: "chda_",
    objectType: "CHARGE_DATA",
    listMember: "charge_datas",
    paths: { single: ["/ingest/charge-data"], list: ["/ingest/charge-datas"] },
  },
  adjustment: {
    idPrefix: "adda_",
    objectType: "ADJUSTMENT_DATA",
    listMember: "adjustment_datas",
    paths: { single: ["/ingest/adjustment-data"], list: ["/ingest/adjustment-datas"] },
  },
  "meter-data": {
    idPrefix: "mtda_",
    objectType: "METER_DATA",
    listMember: "meter_datas",
    paths: {
      single: ["/ingest/meter-data", "/events/ingest"],
      list: ["/ingest/meter-datas", "/events/ingest-list", "/events/ingest-batch"],
    },
  },
} as const satisfies Record<string, SolvimonKindDeclaration>;

export type SolvimonKind = keyof typeof SOLVIMON;
export type Kind = "usage" | SolvimonKind;

export const SOLVIMON_KINDS = Object.keys(SOLVIMON) as readonly SolvimonKind[];
export const KINDS: readonly Kind[] = ["usage", ...SOLVIMON_KINDS];

/** How an id of this kind begins; usage events follow Solvimon's form. */
export function idPrefixOf(kind: Kind): string {
  return isSolvimonKind(kind) ? SOLVIMON[kind].idPrefix : "usev_";
}

export function isSolvimonKind(kind: string): kind is SolvimonKind {
  return Object.hasOwn(SOLVIMON, kind);
}

/** The name of a meter's usage stream, the same in every route, log and ledger. */
export function usageStream(meterGlobalId: string): string {
  return `usage/${meterGlobalId}`;
}

export type ParsedStream = { readonly kind: "usage"; readonly meterGlobalId: string } | { readonly kind: SolvimonKind };

/** Reads a stream's name that somebody gave; null for a name that is none. */
export function parseStream(stream: string): ParsedStream | null {
  if (stream.startsWith("usage/") && stream.length > "usage/".length) {
    return { kind: "usage", meterGlobalId: stream.slice("usage/".length) };
  }
  return isSolvimonKind(stream) ? { kind: stream } : null;
}

/** A name was kept as a stream's that is none: nothing about its events can be said. */
export class UnknownStreamError extends Error {
  readonly code = "UNKNOWN_STREAM";
  constructor(stream: string) {
    super(`${JSON.stringify(stream)} is no stream`);
  }
}

/**
 * The kind of a stream that was parsed when it was accepted.
 * @throws UnknownStreamError for a name that is none: to call it usage would give its events wrong ids.
 */
export function kindOf(stream: string): Kind {
  const parsed = parseStream(stream);
  if (parsed === null) throw new UnknownStreamError(stream);
  return parsed.kind;
}
