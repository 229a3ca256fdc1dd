/** Single JSON documents, whole or by their members, as strictly as events. */
import { OPEN_BRACE } from "./characters.ts";
import { type ScanError, ScanStop, scanErrorOf } from "./scan-error.ts";
import { Scanner } from "./scanner.ts";
import type { JsonValue } from "./value.ts";

/**
 * Scans one JSON document of any type, as strictly as events.
 * @returns the parsed value, or the first error.
 */
export function scanDocument(
  text: string,
): { readonly kind: "value"; readonly value: JsonValue } | { readonly kind: "invalid"; readonly error: ScanError } {
  const scanner = new Scanner(text, { eventsMax: 1, eventBytesMax: text.length * 3 });
  try {
    scanner.refuseByteOrderMark();
    scanner.space();
    const value = scanner.value(0);
    scanner.space();
    if (scanner.position < text.length) throw scanner.unexpected(scanner.position, "the end of the document");
    return { kind: "value", value };
  } catch (stop) {
    return { kind: "invalid", error: scanErrorOf(stop, text) };
  }
}

export interface Member {
  /** The member's value by its source text. */
  readonly source: string;
  readonly value: JsonValue;
  /** Where its source begins in the text, in UTF-16 units. */
  readonly start: number;
}

/**
 * Scans one JSON object and gives its members with their source texts, for envelopes whose content must travel
 * byte for byte.
 * @param envelopes levels around the events that are not counted as theirs.
 */
export function scanMembers(
  text: string,
  envelopes = 0,
):
  | { readonly kind: "members"; readonly members: ReadonlyMap<string, Member> }
  | { readonly kind: "invalid"; readonly error: ScanError } {
  const scanner = new Scanner(text, { eventsMax: 1, eventBytesMax: text.length * 3 });
  const members = new Map<string, Member>();
  try {
    scanner.refuseByteOrderMark();
    scanner.space();
    if (scanner.peek() !== OPEN_BRACE) throw new ScanStop("not-object", "send a JSON object", scanner.position);
    scanner.object(1 - envelopes, (key, value, start, end) =>
      members.set(key, { source: text.slice(start, end), value, start }),
    );
    scanner.space();
    if (scanner.position < text.length) throw scanner.unexpected(scanner.position, "the end of the document");
    return { kind: "members", members };
  } catch (stop) {
    return { kind: "invalid", error: scanErrorOf(stop, text) };
  }
}
