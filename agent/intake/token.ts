/** The bearer token that ingest asks for where one is configured. */
import { createHash, timingSafeEqual } from "node:crypto";

/** Whether an Authorization header carries the token; compares in a time that tells nothing of it. */
export function carriesToken(authorization: string | undefined, token: string): boolean {
  const match = /^Bearer +(\S+) *$/i.exec(authorization ?? "");
  const given = match?.[1];
  return given !== undefined && timingSafeEqual(digest(given), digest(token));
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
