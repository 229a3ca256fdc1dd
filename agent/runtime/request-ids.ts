import { randomText } from "../../shared/random-text.ts";

const PREFIX_CHARACTERS = 12;
const COUNT_CHARACTERS = 8;

/**
 * Ids of answers in Solvimon's form, a prefix and 20 alphanumerics: random for each process, then counted. They need not be
 * secret, and a random draw for each would cost a request more than its check.
 */
export function createRequestIds(): () => string {
  const prefix = `reqr_${randomText(PREFIX_CHARACTERS)}`;
  let count = 0;
  return () => prefix + (++count).toString(36).padStart(COUNT_CHARACTERS, "0");
}
