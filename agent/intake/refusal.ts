/** Refusals in the shape that the request's own vendor would use. */
import { type ErrorDetails, type SolvimonCode, solvimonError } from "../../shared/intake/solvimon-answer.ts";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { isSolvimonPath } from "./solvimon-route.ts";

export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

const CODES: Readonly<Record<number, SolvimonCode>> = {
  401: "UNAUTHORISED",
  404: "RESOURCE_NOT_FOUND",
  415: "UNSUPPORTED_MEDIA_TYPE",
};

/** A refusal as Solvimon words it; its codes know neither "too large" nor "too many". */
export function refuseSolvimon(status: number, message: string, details: ErrorDetails = {}): Refusal {
  const code = CODES[status] ?? (status >= 500 ? "INTERNAL_ERROR" : "BAD_REQUEST");
  return { status, body: solvimonError(code, message, details) };
}

/** @param path of the request, its query allowed. */
export function refuseIn(
  path: string,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  const refusal = isSolvimonPath(path) ? refuseSolvimon(status, message) : { status, body: usageRefusal(message) };
  return { ...refusal, headers };
}
