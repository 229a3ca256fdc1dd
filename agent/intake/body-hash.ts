/** What a repeated body is told by. */
import { createHash, hash } from "node:crypto";
import { BODY_HASH_BYTES } from "../buffer/tables/bodies.ts";
import { type Scope, scopeText } from "../buffer/tables/scope.ts";

/** Up to this size a body is hashed in one call, at half the price of three; a larger one would be copied for it. */
const AT_ONCE_BYTES_MAX = 16 * 1024;

/** SHA-256 over the stream, the ids it goes to and the body after inflation, cut to what is kept of it. */
export function bodyHash(stream: string, scope: Scope, body: Uint8Array): Uint8Array {
  const head = `${stream}\n${scopeText(scope)}\n`;
  const digest =
    body.length > AT_ONCE_BYTES_MAX
      ? createHash("sha256").update(head).update(body).digest("binary")
      : hash("sha256", Buffer.concat([Buffer.from(head), body]), "binary");
  // Bytes of their own: they travel to another thread, and a view would take along what it is a view of.
  const kept = new Uint8Array(BODY_HASH_BYTES);
  for (let i = 0; i < BODY_HASH_BYTES; i++) kept[i] = digest.charCodeAt(i);
  return kept;
}
