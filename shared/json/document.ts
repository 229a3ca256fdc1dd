/** Single JSON documents, whole or by their members, as strictly as events. */
import { OPEN_BRACE } from "./characters.ts";
import { keyText } from "./open-keys.ts";
import { readValue } from "./read-value.ts";
import { type ScanError, ScanStop, scanErrorOf } from "./scan-error.ts";
import { Scanner } from "./scanner.ts";
import { Source } from "./source.ts";
import { type SpanValue, spanValue } from "./span.ts";
import type { JsonValue } from "./value.ts";

/** Of a document, which is held to neither. */
const NO_LIMITS = { eventsMax: 1, eventBytesMax: Number.POSITIVE_INFINITY };

/**
 * Scans one JSON document of any type, as strictly as events.
 * @returns the parsed value, or the first error.
 */
export function scanDocument(
  text: string,
): { readonly kind: "value"; readonly value: JsonValue } | { readonly kind: "invalid"; readonly error: ScanError } {
  const source = new Source(text);
  const scanner = new Scanner(source, NO_LIMITS);
  try {
    scanner.refuseByteOrderMark();
    scanner.space();
    const from = scanner.position;
    scanner.value(0);
    scanner.space();
    if (scanner.position < scanner.end) throw scanner.unexpected(scanner.position, "the end of the document");
    return { kind: "value", value: readValue(source.bytes, from) };
  } catch (stop) {
    return { kind: "invalid", error: scanErrorOf(stop, source) };
  }
}

/** A member of an object, by where its value lies; what is asked of it is made then. */
export class Member {
  /** Where its value lies in the body, in bytes. */
  readonly from: number;
  readonly to: number;
  /** Where its value begins in the text, in UTF-16 units. */
  readonly start: number;
  private readonly body: Source;
  private readonly textTo: number;

  constructor(body: Source, span: { readonly from: number; readonly to: number }, start: number, textTo: number) {
    this.body = body;
    this.from = span.from;
    this.to = span.to;
    this.start = start;
    this.textTo = textTo;
  }

  /** The value by its source text. */
  get source(): string {
    return this.body.text.slice(this.start, this.textTo);
  }

  /** The value parsed whole. */
  get value(): JsonValue {
    return readValue(this.body.bytes, this.from);
  }

  /** The value, to be asked for its parts. */
  get span(): SpanValue {
    return spanValue(this.body.bytes, this.from, this.to);
  }
}

/**
 * Scans one JSON object and gives its members by where they lie, for envelopes whose content must travel byte for byte.
 * @param envelopes levels around the events that are not counted as theirs.
 */
export function scanMembers(
  body: string | Uint8Array,
  envelopes = 0,
):
  | { readonly kind: "members"; readonly members: ReadonlyMap<string, Member> }
  | { readonly kind: "invalid"; readonly error: ScanError } {
  const source = new Source(body);
  const scanner = new Scanner(source, NO_LIMITS);
  const members = new Map<string, Member>();
  try {
    scanner.refuseByteOrderMark();
    scanner.space();
    if (scanner.peek() !== OPEN_BRACE) throw new ScanStop("not-object", "send a JSON object", scanner.position);
    scanner.object(1 - envelopes, null, (keyFrom, keyTo, from, to, surplusBefore) => {
      const member = new Member(source, { from, to }, from - surplusBefore, to - scanner.surplus);
      members.set(keyText(source.bytes, keyFrom, keyTo), member);
    });
    scanner.space();
    if (scanner.position < scanner.end) throw scanner.unexpected(scanner.position, "the end of the document");
    return { kind: "members", members };
  } catch (stop) {
    return { kind: "invalid", error: scanErrorOf(stop, source) };
  }
}
