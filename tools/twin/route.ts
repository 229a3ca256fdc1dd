/** Which of the upstreams' operations a path names. */

/** Solvimon's kinds of event, by the last segment of their path. */
export type SolvimonKind = "persist" | "charge" | "adjustment" | "meter-data";

export type Operation =
  | { readonly kind: "zuora-token" }
  | { readonly kind: "zuora-ingest"; readonly stream: string }
  | {
      readonly kind: "solvimon-ingest";
      readonly stream: SolvimonKind;
      readonly form: "single" | "list";
      readonly version: string;
    }
  | { readonly kind: "solvimon-calculate"; readonly version: string }
  | { readonly kind: "unknown" };

const SOLVIMON_PATHS: Record<string, { stream: SolvimonKind; form: "single" | "list" }> = {
  "ingest/persist-data": { stream: "persist", form: "single" },
  "ingest/charge-data": { stream: "charge", form: "single" },
  "ingest/adjustment-data": { stream: "adjustment", form: "single" },
  "ingest/meter-data": { stream: "meter-data", form: "single" },
  "events/ingest": { stream: "meter-data", form: "single" },
  "ingest/meter-datas": { stream: "meter-data", form: "list" },
  "events/ingest-list": { stream: "meter-data", form: "list" },
};

export function operationOf(method: string, path: string): Operation {
  if (method !== "POST") return { kind: "unknown" };
  if (path === "/oauth/token") return { kind: "zuora-token" };
  const usage = /^\/(?:meters\/streaming\/ingestion|usage\/bulk)\/([^/]+)$/.exec(path)?.[1];
  if (usage !== undefined) {
    const meter = decoded(usage);
    return meter === null ? { kind: "unknown" } : { kind: "zuora-ingest", stream: `usage/${meter}` };
  }
  const [, version, operation] = /^\/v([^/]+)\/(.+)$/.exec(path) ?? [];
  if (version === undefined || operation === undefined) return { kind: "unknown" };
  if (operation === "events/calculate") return { kind: "solvimon-calculate", version };
  const named = Object.hasOwn(SOLVIMON_PATHS, operation) ? SOLVIMON_PATHS[operation] : undefined;
  return named === undefined ? { kind: "unknown" } : { kind: "solvimon-ingest", version, ...named };
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** Whether a path speaks Solvimon's dialect; it decides the wording of errors that come before any operation. */
export function isSolvimonPath(path: string): boolean {
  return /^\/v\d/.test(path);
}
