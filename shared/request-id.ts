import { randomText } from "./random-text.ts";

/** A fresh id for an answer's X-REQUEST-ID, in Solvimon's form: a prefix and 20 alphanumerics. */
export function createRequestId(): string {
  return `reqr_${randomText(20)}`;
}
