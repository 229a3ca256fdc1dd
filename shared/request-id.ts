/** Solvimon's request ids: a prefix and 20 alphanumerics. */

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A fresh id for an answer's X-REQUEST-ID. */
export function createRequestId(): string {
  let id = "reqr_";
  // 248 is the largest multiple of 62 in a byte: what lies above would favour the first letters.
  while (id.length < 25) {
    for (const byte of crypto.getRandomValues(new Uint8Array(24))) {
      if (byte < 248 && id.length < 25) id += ALPHABET.charAt(byte % 62);
    }
  }
  return id;
}
