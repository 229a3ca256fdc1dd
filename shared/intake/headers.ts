/** Reads the request headers of ingestion; edge and agent give the same answer to the same header. */
import { type ValidationError, validationError } from "../events/validation-error.ts";
import { type BodyForm, POSITION_MAX, PRODUCER_PATTERN } from "../wire.ts";

/**
 * The form of a body by its Content-Type. None means application/json; case and parameters don't matter.
 * @returns null for a type that is not accepted (415).
 */
export function bodyFormOf(contentType: string | null | undefined): BodyForm | null {
  const essence = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  if (essence === "" || essence === "application/json") return "json";
  return NDJSON_TYPES.has(essence) ? "ndjson" : null;
}

/** Two names of one form. */
const NDJSON_TYPES: ReadonlySet<string> = new Set(["application/x-ndjson", "application/jsonl"]);

export type BodyCoding = "identity" | "gzip";

/** The coding of a body by its Content-Encoding; null for one that is not accepted (415). */
export function bodyCodingOf(contentEncoding: string | null | undefined): BodyCoding | null {
  const coding = (contentEncoding ?? "").trim().toLowerCase();
  if (coding === "" || coding === "identity") return "identity";
  return coding === "gzip" || coding === "x-gzip" ? "gzip" : null;
}

export interface Preferences {
  readonly lenient: boolean;
  readonly representation: boolean;
}

/** Reads `Prefer` (RFC 7240): handling=lenient|strict and return=representation; what is unknown is ignored. */
export function preferencesOf(prefer: string | null | undefined): Preferences {
  if (prefer === null || prefer === undefined) return NO_PREFERENCES;
  const wanted = new Map<string, string>();
  for (const part of (prefer ?? "").split(",")) {
    const [name, value] = (part.split(";", 1)[0] ?? "").split("=", 2);
    const key = name?.trim().toLowerCase() ?? "";
    // The first of several stands (RFC 7240, section 2).
    if (key !== "" && !wanted.has(key)) wanted.set(key, (value ?? "").trim().replaceAll('"', "").toLowerCase());
  }
  return {
    lenient: wanted.get("handling") === "lenient",
    representation: wanted.get("return") === "representation",
  };
}

const NO_PREFERENCES: Preferences = { lenient: false, representation: false };

/** Zuora's track id: at most 64 US-ASCII characters, none of `: ; " '`. */
export function isTrackId(value: string): boolean {
  return /^[\x20-\x7e]{0,64}$/.test(value) && !/[:;"']/.test(value);
}

export function trackIdError(value: string | null | undefined): ValidationError | null {
  if (value === null || value === undefined || isTrackId(value)) return null;
  return validationError("Zuora-Track-Id takes at most 64 US-ASCII characters and none of : ; \" '", {
    field: "Zuora-Track-Id",
  });
}

/** Idempotency keys are 1 to 255 characters. */
export function idempotencyKeyError(value: string | null | undefined): ValidationError | null {
  if (value === null || value === undefined || (value.length >= 1 && value.length <= 255)) return null;
  return validationError("Idempotency-Key takes 1 to 255 characters", { field: "Idempotency-Key" });
}

export interface ProducerPosition {
  readonly producer: string;
  /** The first event's position; event i of the body has this plus i. */
  readonly first: number;
}

export type ProducerOutcome =
  | { readonly kind: "position"; readonly position: ProducerPosition | null }
  | { readonly kind: "invalid"; readonly error: ValidationError };

/** Reads Weir-Producer and Weir-Sequence: both or neither. */
export function producerPositionOf(
  producer: string | null | undefined,
  sequence: string | null | undefined,
): ProducerOutcome {
  const hasProducer = producer !== null && producer !== undefined;
  const hasSequence = sequence !== null && sequence !== undefined;
  if (!hasProducer && !hasSequence) return { kind: "position", position: null };
  if (!hasProducer) return invalid("Weir-Producer", "Weir-Sequence needs Weir-Producer beside it");
  if (!hasSequence) return invalid("Weir-Sequence", "Weir-Producer needs Weir-Sequence beside it");
  if (!PRODUCER_PATTERN.test(producer)) {
    return invalid("Weir-Producer", "Weir-Producer takes 1 to 128 of A-Z a-z 0-9 . _ -");
  }
  const first = Number(sequence);
  if (!/^\d{1,16}$/.test(sequence) || first > POSITION_MAX) {
    return invalid("Weir-Sequence", "Weir-Sequence is a whole number from 0 to 2^53-1");
  }
  return { kind: "position", position: { producer, first } };
}

function invalid(field: string, message: string): ProducerOutcome {
  return { kind: "invalid", error: validationError(message, { field }) };
}
