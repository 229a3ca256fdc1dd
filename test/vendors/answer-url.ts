import type { Recipient } from "./answers.ts";

/** The base URL under which a row of the table answers, anew for each session. */
export function rowUrl(server: string, at: number, recipient: Recipient, session: string): string {
  return `${server}/${at}/${recipient}/${session}`;
}
