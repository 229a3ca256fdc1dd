/** What a repeated body is told by. */
import { createHash } from "node:crypto";
import { BODY_HASH_BYTES } from "../buffer/tables/bodies.ts";
import { type Scope, scopeText } from "../buffer/tables/scope.ts";

/** SHA-256 over the stream, the ids it goes to and the body after inflation, cut to what is kept of it. */
export function bodyHash(stream: string, scope: Scope, body: Uint8Array): Uint8Array {
  const hash = createHash("sha256")
    .update(`${stream}\n${scopeText(scope)}\n`)
    .update(body)
    .digest();
  return Uint8Array.prototype.slice.call(hash, 0, BODY_HASH_BYTES);
}
