/** Refusals in the shape that the request's own vendor would use. */
import { solvimonRefusal } from "../../shared/intake/solvimon-answer.ts";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { isSolvimonPath } from "./solvimon-route.ts";

export interface Refusal {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: object;
}

/** @param path of the request, its query allowed. */
export function refuseIn(
  path: string,
  status: number,
  message: string,
  headers: Readonly<Record<string, string>> = {},
): Refusal {
  const body = isSolvimonPath(path) ? solvimonRefusal(status, message) : usageRefusal(message);
  return { status, headers, body };
}
