/** The part of Solvimon's paths that names the API's version; there is one. */
import { unsupportedVersion } from "../../shared/intake/solvimon-answer.ts";
import { SOLVIMON_VERSION } from "../../shared/wire.ts";
import { type Parameter, value } from "../http/parameters.ts";

/** A path of Solvimon's as the router reads it. */
export function versioned(path: string): string {
  return `/:version{v[^/]*}${path}`;
}

export const VERSION: Parameter<string> = {
  schema: { type: "string", const: SOLVIMON_VERSION, default: SOLVIMON_VERSION },
  description: "The API's version.",
  example: SOLVIMON_VERSION,
  read(text) {
    const version = text?.slice(1) ?? "";
    if (version === SOLVIMON_VERSION) return value(version);
    const { message, code } = unsupportedVersion(version);
    return { kind: "refused", message, code };
  },
};
