/** An admin's or a client's small body: what is accepted and how it is described, and the reading of it within its bounds. */
import type { z } from "zod";
import { ERRORS_LISTED_MAX, type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { REFUSAL } from "../../shared/intake/dialect.ts";
import { bodyCodingOf } from "../../shared/intake/headers.ts";
import { bodyError } from "../../shared/intake/usage-body.ts";
import { scanDocument } from "../../shared/json/document.ts";
import { decodeBody } from "../../shared/json/utf8.ts";
import { JsonNumber, type JsonValue } from "../../shared/json/value.ts";
import { schemaWords } from "../../shared/schema-words.ts";
import { HEADER } from "../../shared/wire.ts";
import { refuse, type WeirContext } from "../context.ts";
import type { Settings } from "../env.ts";
import { readBody } from "../intake/read-body.ts";
import { refusalOf, withRoom } from "../intake/with-body.ts";
import type { JsonSchema, Members } from "../openapi/json-schema.ts";

export type BodyOutcome<T> =
  | { readonly kind: "body"; readonly body: T }
  /** Refused with 400. */
  | { readonly kind: "refused"; readonly message: string; readonly reasons: readonly ValidationError[] };

/** 503: there is no room for it now. */
export type BodyRefusalStatus = 400 | 413 | 415 | 503;

export interface Body<T> {
  /** The document's media types of it, each with its schema and example. */
  readonly content: Members;
  /** False where a request without a body has a meaning too. */
  readonly required: boolean;
  /** Whether other media types than the documented are read as well. */
  readonly anyType: boolean;
  /** After inflation. */
  bytesMax(settings: Settings): number;
  /** @param mediaType in lower case, without parameters; application/json where none was named. */
  parse(bytes: Uint8Array, mediaType: string): BodyOutcome<T>;
  /** Answers a refusal in a shape of its own. */
  refuse?(c: WeirContext, status: BodyRefusalStatus, message: string, reasons?: readonly ValidationError[]): Response;
}

/** Hands the inflated body on. Refuses with 415 another type or coding, 413 too many bytes, 400 one that ends early. */
export async function withBytes(
  c: WeirContext,
  body: Body<unknown>,
  next: (bytes: Uint8Array, mediaType: string) => Promise<Response>,
): Promise<Response> {
  const no = body.refuse ?? refuse;
  const mediaType = mediaTypeOf(c.req.header(HEADER.contentType));
  const types = Object.keys(body.content);
  if (!body.anyType && !types.includes(mediaType)) return no(c, 415, `send ${types.join(" or ")}`);
  const coding = bodyCodingOf(c.req.header(HEADER.contentEncoding));
  if (coding === null) return no(c, 415, "send Content-Encoding gzip, or none");
  const { settings, admission } = c.get("services");
  const bytesMax = body.bytesMax(settings);
  const sent = { stream: c.req.raw.body, coding, declared: c.req.header(HEADER.contentLength) ?? null };
  return withRoom(admission, c.get("principal")?.tenant ?? ANYBODY, async (room) => {
    const read = await readBody(sent, bytesMax, room);
    if (read.kind === "bytes") return next(read.bytes, mediaType);
    const { cause, message } = refusalOf(read.kind, bytesMax);
    const { status, retryAfterS } = REFUSAL[cause];
    if (retryAfterS !== undefined) c.header("Retry-After", String(retryAfterS));
    return no(c, status as BodyRefusalStatus, message);
  });
}

/** Who asks without a key shares the room of one tenant with all that do; no tenant has this name. */
const ANYBODY = "";

function mediaTypeOf(contentType: string | undefined): string {
  const essence = (contentType ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
  return essence === "" ? "application/json" : essence;
}

export interface JsonBodySpec<T> {
  readonly schema: JsonSchema;
  readonly example: unknown;
  /** False: no body is an empty object. */
  readonly required?: boolean;
  readonly bytesMax: (settings: Settings) => number;
  /** @param text of a body that is not empty. */
  readonly read: (text: string) => BodyOutcome<T>;
}

/** A JSON body of an admin's call, whatever its Content-Type says; one without a byte counts as an empty object. */
export function jsonBody<T>({ schema, example, required = true, bytesMax, read }: JsonBodySpec<T>): Body<T> {
  return {
    content: { "application/json": { schema, example } },
    required,
    anyType: true,
    bytesMax,
    parse(bytes) {
      const decoded = decodeBody(bytes);
      if (decoded.kind === "invalid") return notValid([bodyError(decoded.error)]);
      return read(decoded.text.trim() === "" ? "{}" : decoded.text);
    },
  };
}

/** A refusal for what is wrong with a body; without a sentence for all of it the first error speaks. */
export function notValid<T>(reasons: readonly ValidationError[], message = reasons[0]?.message ?? ""): BodyOutcome<T> {
  return { kind: "refused", message, reasons };
}

/** Reads a JSON document as strictly as events; its numbers become JavaScript's. */
export function readPlain(text: string): BodyOutcome<unknown> {
  const scanned = scanDocument(text);
  if (scanned.kind === "invalid") return notValid([bodyError(scanned.error)]);
  return { kind: "body", body: plainValue(scanned.value) };
}

function plainValue(value: JsonValue): unknown {
  if (value instanceof JsonNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(plainValue);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, member]) => [key, plainValue(member)]));
  return value;
}

/**
 * A reader of documents that a zod schema checks.
 * @param refusal the sentence above the list of what is wrong.
 */
export function checkedBy<T>(schema: z.ZodType<T>, refusal: string): (text: string) => BodyOutcome<T> {
  return (text) => {
    const document = readPlain(text);
    if (document.kind === "refused") return document;
    const parsed = schema.safeParse(document.body, { error: schemaWords });
    if (parsed.success) return { kind: "body", body: parsed.data };
    return notValid(parsed.error.issues.flatMap(errorsOf), refusal);
  };
}

/** An issue of zod's where it lies; unknown members each by their own name. */
function errorsOf(issue: z.core.$ZodIssue): ValidationError[] {
  if (issue.code === "unrecognized_keys")
    return issue.keys
      .slice(0, ERRORS_LISTED_MAX)
      .map((name) =>
        errorAt([...issue.path, name], `${JSON.stringify(name.slice(0, NAME_SHOWN))} is not a field here`),
      );
  return [errorAt(issue.path, issue.message)];
}

/** Characters of a field's name that are repeated to whoever sent it. */
const NAME_SHOWN = 80;

function errorAt(path: readonly PropertyKey[], message: string): ValidationError {
  const field = path.map((part) => String(part).slice(0, NAME_SHOWN)).join(".");
  return validationError(message, field === "" ? {} : { field });
}
