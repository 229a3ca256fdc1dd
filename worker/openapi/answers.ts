/** Answers and their headers: successes with an example each, refusals in the shape of the route's dialect. */

import { validationError } from "../../shared/events/validation-error.ts";
import { type SolvimonCode, solvimonError } from "../../shared/intake/solvimon-answer.ts";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { type JsonSchema, type Members, schemaRef, TEXT } from "./json-schema.ts";

export type Dialect = "Weir" | "Solvimon";
export type RefusalStatus = 400 | 401 | 403 | 404 | 409 | 413 | 415 | 429 | 503;

const header = (description: string, schema: JsonSchema = TEXT): JsonSchema => ({ description, schema });
const SECONDS: JsonSchema = { type: "integer", minimum: 1, maximum: 60 };
const COUNT: JsonSchema = { type: "integer", minimum: 0 };

export const ANSWER_HEADERS = {
  "X-REQUEST-ID": header("The answer's own id.", { type: "string", pattern: "^reqr_[0-9A-Za-z]{20}$" }),
  "Zuora-Track-Id": header("Your own name for the call, where you gave one."),
  "Preference-Applied": header("The preferences that were followed."),
  "Idempotent-Replayed": header("true: the event was taken before, this is the answer it got then.", {
    type: "string",
    const: "true",
  }),
  "Retry-After": header("Seconds to wait before the request is sent again.", SECONDS),
  "ratelimit-limit": header("Requests a minute the key may send to one instance.", COUNT),
  "ratelimit-remaining": header("How many of them are left.", COUNT),
  "ratelimit-reset": header("Seconds until they are counted anew.", SECONDS),
  "Cache-Control": header("Who may keep the answer."),
  ETag: header("The version of what was answered."),
} as const satisfies Members;
export type AnswerHeader = keyof typeof ANSWER_HEADERS;

export const RATE_HEADERS: readonly AnswerHeader[] = ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"];

/** Every answer has an id and echoes the track id. */
export function headerRefs(names: readonly AnswerHeader[] = []): Members {
  const all: readonly AnswerHeader[] = ["X-REQUEST-ID", "Zuora-Track-Id", ...names];
  return Object.fromEntries(all.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}

/** A JSON answer with an example of it. */
export function answer(
  description: string,
  schema: JsonSchema,
  example: unknown,
  headers: readonly AnswerHeader[] = [],
): JsonSchema {
  return { description, headers: headerRefs(headers), content: { "application/json": { schema, example } } };
}

export function emptyAnswer(description: string, headers: readonly AnswerHeader[] = []): JsonSchema {
  return { description, headers: headerRefs(headers) };
}

const REFUSALS: Record<
  RefusalStatus,
  { readonly description: string; readonly message: string; readonly code: SolvimonCode }
> = {
  400: {
    description: "The request is not valid.",
    message: "Quantity must be a number, got a string",
    code: "INVALID_FIELD",
  },
  401: {
    description: "No credentials, or bad ones.",
    message: "the credentials are unknown, revoked or expired",
    code: "UNAUTHORISED",
  },
  403: { description: "The key may not do this.", message: "the key lacks the permission", code: "USER_NOT_ALLOWED" },
  404: { description: "There is no such thing.", message: "there is no such event", code: "RESOURCE_NOT_FOUND" },
  409: {
    description: "In conflict with what was taken before.",
    message: "an event with this reference exists with other content",
    code: "RESOURCE_ALREADY_EXISTS",
  },
  413: {
    description: "Too many bytes or events.",
    message: "the body has more than 10000 events",
    code: "BAD_REQUEST",
  },
  415: {
    description: "A type or coding not taken here.",
    message: "send application/json",
    code: "UNSUPPORTED_MEDIA_TYPE",
  },
  429: { description: "Too many requests.", message: "the key may send 600 requests a minute", code: "BAD_REQUEST" },
  503: {
    description: "Not now; the request may be repeated.",
    message: "the request could not be completed and may be repeated",
    code: "INTERNAL_ERROR",
  },
};

const HEADERS_OF: Partial<Record<RefusalStatus, readonly AnswerHeader[]>> = {
  429: ["Retry-After", ...RATE_HEADERS],
  503: ["Retry-After"],
};

export const REFUSAL_STATUSES = Object.keys(REFUSALS).map(Number) as RefusalStatus[];

/** A refusal as the dialect's clients meet it. */
export function refusal(dialect: Dialect, status: RefusalStatus): JsonSchema {
  const { description, message, code } = REFUSALS[status];
  const field = status === 400 ? "Quantity" : "reference";
  if (dialect === "Solvimon") {
    const details = status === 400 || status === 409 ? { field } : {};
    return answer(description, schemaRef("SolvimonError"), solvimonError(code, message, details), HEADERS_OF[status]);
  }
  const faults = status === 400 ? [validationError(message, { index: 3, field })] : [];
  return answer(description, schemaRef("Refusal"), usageRefusal(message, faults), HEADERS_OF[status]);
}

/** The refusals of an operation, by reference. */
export function refusalRefs(dialect: Dialect, statuses: readonly RefusalStatus[]): Members {
  return Object.fromEntries(statuses.map((status) => [status, { $ref: `#/components/responses/${dialect}${status}` }]));
}
