/** By what the ledger knows an event. */
import { idPrefixOf, type Kind } from "../../shared/events/kind.ts";
import {
  eventId,
  type Identity,
  identityText,
  KEY_HASH_BYTES,
  toHex,
  wordsHex,
  writeDigits,
} from "../../shared/identity.ts";
import { sha256OfText, sha256Words } from "../../shared/sha256.ts";

/**
 * The ledger's key of an event: first 16 bytes, in hex, of SHA-256 over tenant and id. The id stands for kind,
 * stream and identity; the same event of two tenants is two events.
 */
export function ledgerKey(tenant: string, eventId: string): string {
  return toHex(sha256OfText(`${tenant}\n${eventId}`).subarray(0, KEY_HASH_BYTES));
}

/** What of an identity is put into bytes by hand; a longer text takes the way round by the id. */
const IDENTITY_MAX = 1024;
const ID_DIGITS = 20;
const KEY_WORDS = KEY_HASH_BYTES / 4;

/** The keys of a stream's events, each as `ledgerKey` gives it, of which no id is made as a text. */
export class LedgerKeys {
  private readonly rule: { readonly tenant: string; readonly kind: Kind; readonly stream: string };
  private readonly sentIds: string;
  /** What an id is a hash of, up to the identity; what a key is a hash of, up to the id's digits. */
  private readonly idText: Uint8Array;
  private readonly idLength: number;
  private readonly keyText: Uint8Array;
  private readonly keyLength: number;

  constructor(rule: { readonly tenant: string; readonly kind: Kind; readonly stream: string }, sentIds: string) {
    this.rule = rule;
    this.sentIds = sentIds;
    const { tenant, kind, stream } = rule;
    [this.idText, this.idLength] = withRoom(`${kind}\n${stream}\n`, IDENTITY_MAX);
    [this.keyText, this.keyLength] = withRoom(`${tenant}\n${idPrefixOf(kind)}`, ID_DIGITS);
  }

  of(identity: Identity): string {
    const text = identityText(identity, this.sentIds);
    const { tenant, kind, stream } = this.rule;
    if (!this.write(text)) return ledgerKey(tenant, eventId(kind, stream, identity, this.sentIds));
    writeDigits(sha256Words(this.idText, 0, this.idLength + text.length), this.keyText, this.keyLength);
    return wordsHex(sha256Words(this.keyText, 0, this.keyText.length), KEY_WORDS);
  }

  /** False for what is too long, or not ASCII. */
  private write(text: string): boolean {
    if (text.length > IDENTITY_MAX) return false;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code >= 0x80) return false;
      this.idText[this.idLength + at] = code;
    }
    return true;
  }
}

function withRoom(text: string, room: number): [bytes: Uint8Array, length: number] {
  const encoded = new TextEncoder().encode(text);
  const bytes = new Uint8Array(encoded.length + room);
  bytes.set(encoded);
  return [bytes, encoded.length];
}
