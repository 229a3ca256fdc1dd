/** Letters and digits by the runtime's own source of random bytes. */

/** The digits of ids and random names, in the order of their codes. */
export const ALPHANUMERICS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/** A random text; each character carries 5.95 bits. */
export function randomText(length: number): string {
  let text = "";
  while (text.length < length) {
    for (const byte of crypto.getRandomValues(new Uint8Array(length + 4))) {
      // 248 is the largest multiple of 62 in a byte: what lies above would favour the first letters.
      if (byte < 248 && text.length < length) text += ALPHANUMERICS.charAt(byte % 62);
    }
  }
  return text;
}
