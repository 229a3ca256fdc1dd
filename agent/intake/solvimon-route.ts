/** Which of Solvimon's operations a path names. */
import { SOLVIMON, SOLVIMON_KINDS, type SolvimonKind } from "../../shared/events/kind.ts";

export interface SolvimonIngestRoute {
  readonly kind: "ingest";
  readonly stream: SolvimonKind;
  readonly form: "single" | "list";
  readonly version: string;
}

export type SolvimonRoute = SolvimonIngestRoute | { readonly kind: "calculate"; readonly version: string };

const OPERATIONS: ReadonlyMap<string, Pick<SolvimonIngestRoute, "stream" | "form">> = new Map(
  SOLVIMON_KINDS.flatMap((stream) =>
    (["single", "list"] as const).flatMap((form) =>
      SOLVIMON[stream].paths[form].map((path) => [path, { stream, form }] as const),
    ),
  ),
);

const CALCULATE = "/events/calculate";

/** Null for a path that names none of them. */
export function solvimonRouteOf(path: string): SolvimonRoute | null {
  const [, version, operation] = /^\/v([^/]+)(\/.+)$/.exec(path) ?? [];
  if (version === undefined || operation === undefined) return null;
  if (operation === CALCULATE) return { kind: "calculate", version };
  const named = OPERATIONS.get(operation);
  return named === undefined ? null : { kind: "ingest", version, ...named };
}

/** Whether a path speaks Solvimon's dialect, known operation or not: it decides the shape of errors. */
export function isSolvimonPath(path: string): boolean {
  return /^\/v\d/.test(path) || solvimonRouteOf(path) !== null;
}
