/** Solvimon's answers: its error shape, and the resource that a 201 carries. Edge and agent give the same. */
import { SOLVIMON, type SolvimonKind } from "../events/kind.ts";
import { type FieldError, READ_ONLY } from "../events/solvimon-fields.ts";
import { ERRORS_LISTED_MAX, VALIDATION_CODE, type ValidationError } from "../events/validation-error.ts";
import { scanMembers } from "../json/document.ts";
import { SOLVIMON_VERSION } from "../wire.ts";

/** Solvimon's published codes, as far as Weir gives them. */
export const SOLVIMON_CODES = [
  "BAD_REQUEST",
  "UNSUPPORTED_MEDIA_TYPE",
  "UNSUPPORTED_VERSION",
  "UNAUTHORISED",
  "USER_NOT_ALLOWED",
  "RESOURCE_NOT_FOUND",
  "RESOURCE_ALREADY_EXISTS",
  "MISSING_FIELD",
  "INVALID_FIELD",
  "INVALID_OPERATION",
  "IDEMPOTENCY_CHECK_FAILED",
  "CUSTOMER_NOT_FOUND",
  "METER_NOT_FOUND",
  "METER_VALUE_NOT_FOUND",
  "METER_PROPERTY_NOT_FOUND",
  "PRODUCT_ITEM_NOT_FOUND",
  "PRICING_NOT_FOUND",
  "PRICING_ITEM_NOT_FOUND",
  "INTERNAL_ERROR",
] as const;
export type SolvimonCode = (typeof SOLVIMON_CODES)[number];

export interface SolvimonReason {
  readonly code: SolvimonCode;
  readonly message: string;
  readonly field?: string;
  /** Which event of a list, from 0. */
  readonly index?: number;
}

export interface SolvimonError {
  readonly type: "INVALID_REQUEST" | "API_ERROR";
  readonly code: SolvimonCode;
  readonly message: string;
  readonly field?: string;
  readonly resource_id?: string;
  readonly resource_type?: string;
  readonly reasons: readonly SolvimonReason[];
}

export interface ErrorDetails {
  readonly field?: string;
  readonly resource_id?: string;
  readonly resource_type?: string;
}

export function solvimonError(code: SolvimonCode, message: string, details: ErrorDetails = {}): SolvimonError {
  const { field } = details;
  return {
    type: code === "INTERNAL_ERROR" ? "API_ERROR" : "INVALID_REQUEST",
    code,
    message,
    ...details,
    reasons: [{ code, message, ...(field === undefined ? {} : { field }) }],
  };
}

const CODE_OF_STATUS: Readonly<Record<number, SolvimonCode>> = {
  401: "UNAUTHORISED",
  403: "USER_NOT_ALLOWED",
  404: "RESOURCE_NOT_FOUND",
  409: "INVALID_OPERATION",
  415: "UNSUPPORTED_MEDIA_TYPE",
};

/** The error of a status; Solvimon's codes know neither "too large" nor "too many". */
export function solvimonRefusal(status: number, message: string): SolvimonError {
  return solvimonError(CODE_OF_STATUS[status] ?? (status >= 500 ? "INTERNAL_ERROR" : "BAD_REQUEST"), message);
}

/** The error of a version of the API that is not spoken here (400). */
export function unsupportedVersion(version: string): SolvimonError {
  const shown = JSON.stringify(version.slice(0, 20));
  return solvimonError("UNSUPPORTED_VERSION", `version ${shown} is not supported; use ${SOLVIMON_VERSION}`);
}

/** The error of a request with several errors: the first one speaks, the first 100 are listed. */
export function solvimonErrors(reasons: readonly [SolvimonReason, ...SolvimonReason[]]): SolvimonError {
  const [{ code, message, field }] = reasons;
  return {
    type: "INVALID_REQUEST",
    code,
    message,
    ...(field === undefined ? {} : { field }),
    reasons: reasons.slice(0, ERRORS_LISTED_MAX),
  };
}

/** How an event's error is kept with it in quarantine: Weir's shape, Solvimon's code in its message. */
export function quarantineError(reason: FieldError | SolvimonReason, index: number): ValidationError {
  const { field } = reason;
  return {
    code: VALIDATION_CODE,
    message: `${reason.code}: ${reason.message}`,
    index,
    ...(field === undefined ? {} : { field }),
  };
}

/**
 * The event as it goes upstream: its source, with `timestamp` filled in where it was absent or null. The one
 * edit an event ever gets; everything else stays byte for byte.
 */
export function withTimestamp(source: string, receivedAt: string): string {
  const scanned = scanMembers(source);
  if (scanned.kind === "invalid") throw new Error("a checked event is not an object");
  const given = scanned.members.get("timestamp");
  const filled = JSON.stringify(receivedAt);
  if (given !== undefined) {
    if (given.span !== null) return source;
    return source.slice(0, given.start) + filled + source.slice(given.start + given.source.length);
  }
  const end = source.lastIndexOf("}");
  const comma = scanned.members.size === 0 ? "" : ",";
  return `${source.slice(0, end)}${comma}"timestamp":${filled}${source.slice(end)}`;
}

export interface ResourceExtras {
  /** Further members, JSON texts by name; they replace the event's own. */
  readonly members?: Readonly<Record<string, string>>;
}

/** The resource of a 201: object type, id, then every field as it was sent, numbers by their source text. */
export function resourceText(
  kind: SolvimonKind,
  id: string,
  source: string,
  receivedAt: string,
  extras: ResourceExtras = {},
): string {
  const scanned = scanMembers(withTimestamp(source, receivedAt));
  if (scanned.kind === "invalid") throw new Error("a checked event is not an object");
  const replaced = { ...(kind === "meter-data" ? ingested(receivedAt) : {}), ...extras.members };
  const own = [...scanned.members]
    .filter(([name]) => !READ_ONLY[kind].has(name) && !(name in replaced))
    .map(([name, member]) => `${JSON.stringify(name)}:${member.source}`);
  const added = Object.entries(replaced).map(([name, json]) => `${JSON.stringify(name)}:${json}`);
  const head = [`"object_type":${JSON.stringify(SOLVIMON[kind].objectType)}`, `"id":${JSON.stringify(id)}`];
  return `{${[...head, ...own, ...added].join(",")}}`;
}

/** What Solvimon adds to meter data that it accepted. */
function ingested(receivedAt: string): Readonly<Record<string, string>> {
  return { type: '"INGEST"', created_at: JSON.stringify(receivedAt), deleted: "false" };
}
