/** Errors in Solvimon's words. */
import { type Answer, type ErrorWording, jsonAnswer } from "./answer.ts";

const CODES: Record<number, string> = {
  400: "INVALID_FIELD",
  401: "UNAUTHORISED",
  403: "USER_NOT_ALLOWED",
  404: "RESOURCE_NOT_FOUND",
  409: "RESOURCE_ALREADY_EXISTS",
  413: "BAD_REQUEST",
  415: "UNSUPPORTED_MEDIA_TYPE",
  429: "BAD_REQUEST",
};

/** An error as Solvimon words it. */
export function solvimonError(status: number, message: string, wording: ErrorWording = {}): Answer {
  const { index, headers } = wording;
  const field = index === undefined ? wording.field : ["meter_datas", index, wording.field].filter(isSaid).join(".");
  const code = wording.code ?? CODES[status] ?? "INTERNAL_ERROR";
  const type = status >= 500 ? "API_ERROR" : "INVALID_REQUEST";
  return jsonAnswer(status, { type, code, message, ...(field === undefined ? {} : { field }) }, headers);
}

function isSaid(part: string | number | undefined): boolean {
  return part !== undefined && part !== "";
}

export function badRequest(message: string): Answer {
  return solvimonError(400, message, { code: "BAD_REQUEST" });
}

export function fullAnswer(): Answer {
  return solvimonError(503, "the twin is full: DELETE /twin");
}
