/**
 * The text of a key. The last six characters check the rest: what was mistyped, cut off or made up in a key's shape is
 * known without a look at the database. It is no secret and proves nothing.
 */
import { ALPHANUMERICS, randomText } from "../../shared/random-text.ts";
import { hashApiKey } from "./key-hash.ts";

const RANDOM_CHARACTERS = 32;
const CHECK_CHARACTERS = 6;
const CHECKED = /^(weir_key_[0-9A-Za-z]*)_([0-9A-Za-z]*)$/;
/** Bytes; an operator may have chosen a first key of another form. */
const LENGTH_MAX = 256;

export function createKeyText(): string {
  const text = `weir_key_${randomText(RANDOM_CHARACTERS)}`;
  return `${text}_${checkOf(text)}`;
}

/** Whether a credential may be a key. Keys from before the check, and those that somebody chose, have none. */
export function mayBeKey(credential: string): boolean {
  if (credential.length > LENGTH_MAX) return false;
  const [, text, check] = CHECKED.exec(credential) ?? [];
  return text === undefined || check === checkOf(text);
}

/** 32 bits of the text's hash. */
function checkOf(text: string): string {
  let bits = Number.parseInt(hashApiKey(`weir key check\n${text}`).slice(0, 8), 16);
  let check = "";
  for (let i = 0; i < CHECK_CHARACTERS; i++, bits = Math.floor(bits / 62))
    check = ALPHANUMERICS.charAt(bits % 62) + check;
  return check;
}
