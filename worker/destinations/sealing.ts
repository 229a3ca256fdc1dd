/**
 * Secrets of destinations as the database keeps them: AES-GCM under a secret of the Worker, a fresh nonce each, and the
 * destination's and the field's name as associated data, so that a sealed text opens nowhere but where it was put.
 */

/** Whoever chooses `openssl rand -base64 32` has 44. */
const KEY_LENGTH_MIN = 16;
const NONCE_BYTES = 12;
const VERSION = "v1.";

export interface Place {
  readonly destination: string;
  readonly field: "client_secret" | "api_key";
}

export interface Sealer {
  seal(secret: string, place: Place): Promise<string>;
  /** Null for a text that was sealed under another key, for another place, or was changed. */
  open(sealed: string, place: Place): Promise<string | null>;
}

/** How to set the key, for whoever is told that it is missing. */
export const KEY_ADVICE =
  "set the secret DESTINATION_KEY (openssl rand -base64 32 | npx wrangler secret put DESTINATION_KEY)";

/** @returns null where the key is absent or too short to be one. */
export function createSealer(keyText: string): Sealer | null {
  if (keyText.trim().length < KEY_LENGTH_MIN) return null;
  let imported: Promise<CryptoKey> | undefined;
  const key = () => {
    imported ??= importKey(keyText.trim());
    return imported;
  };
  return {
    async seal(secret, place) {
      const iv = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const text = new TextEncoder().encode(secret);
      const sealed = await crypto.subtle.encrypt(
        { name: "AES-GCM", iv, additionalData: dataOf(place) },
        await key(),
        text,
      );
      return VERSION + toBase64(new Uint8Array([...iv, ...new Uint8Array(sealed)]));
    },
    async open(sealed, place) {
      const bytes = sealed.startsWith(VERSION) ? fromBase64(sealed.slice(VERSION.length)) : null;
      if (bytes === null) return null;
      const iv = bytes.subarray(0, NONCE_BYTES);
      const rest = bytes.subarray(NONCE_BYTES);
      try {
        const params = { name: "AES-GCM", iv, additionalData: dataOf(place) };
        return new TextDecoder().decode(await crypto.subtle.decrypt(params, await key(), rest));
      } catch (error) {
        // WebCrypto tells a tag that does not fit by an OperationError and nothing else.
        if (error instanceof Error && error.name === "OperationError") return null;
        throw error;
      }
    },
  };
}

/** Any text of enough chance makes a key. */
async function importKey(text: string): Promise<CryptoKey> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(`weir destinations\n${text}`));
  return crypto.subtle.importKey("raw", digest, "AES-GCM", false, ["encrypt", "decrypt"]);
}

function dataOf({ destination, field }: Place): Uint8Array {
  return new TextEncoder().encode(`weir destination\n${destination}\n${field}`);
}

function toBase64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}

function fromBase64(text: string): Uint8Array | null {
  return /^[A-Za-z0-9+/]*={0,2}$/.test(text) && text.length % 4 === 0
    ? Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
    : null;
}
