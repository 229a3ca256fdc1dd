/** Answers and their headers: successes with an example each, refusals in the shape of the route's dialect. */
import {
  CONFLICT_CODE,
  ERRORS_LISTED_MAX,
  VALIDATION_CODE,
  validationError,
} from "../../shared/events/validation-error.ts";
import { SOLVIMON_CODES, type SolvimonCode, solvimonError } from "../../shared/intake/solvimon-answer.ts";
import { usageRefusal } from "../../shared/intake/usage-answer.ts";
import { component, schema } from "./component.ts";
import { COUNT, choice, described, INDEX, type JsonSchema, list, type Members, object, TEXT } from "./json-schema.ts";

export type Dialect = "Weir" | "Solvimon";
export type RefusalStatus = 400 | 401 | 403 | 404 | 409 | 412 | 413 | 415 | 428 | 429 | 503 | 507;

const header = (name: string, description: string, of: JsonSchema = TEXT): Members => ({
  [name]: component("headers", name, { description, schema: of }),
});

const EVERY_ANSWER: Members = {
  ...header("X-REQUEST-ID", "The answer's own id.", { type: "string", pattern: "^reqr_[0-9A-Za-z]{20}$" }),
  ...header("Zuora-Track-Id", "Your own name for the call, where you gave one."),
};

/** Headers that an answer may carry, to be spread into what `answer` is given. */
export const ANSWER_HEADER = {
  preferenceApplied: header("Preference-Applied", "The preferences that were followed."),
  idempotentReplayed: header(
    "Idempotent-Replayed",
    "true: the event was accepted before, this is the answer it got then.",
    { type: "string", const: "true" },
  ),
  retryAfter: header("Retry-After", "Seconds to wait before the request is sent again.", {
    type: "integer",
    minimum: 1,
    maximum: 60,
  }),
  rate: {
    ...header("ratelimit-limit", "Requests a minute the key may send to one instance.", COUNT),
    ...header("ratelimit-remaining", "How many of them are left.", COUNT),
    ...header("ratelimit-reset", "Seconds until they are counted anew.", COUNT),
  },
  cacheControl: header("Cache-Control", "Who may keep the answer."),
  etag: header("ETag", "The version of what was answered."),
} as const satisfies Record<string, Members>;

/** A JSON answer with an example of it. */
export function answer(description: string, of: JsonSchema, example: unknown, headers: Members = {}): JsonSchema {
  return {
    description,
    headers: { ...EVERY_ANSWER, ...headers },
    content: { "application/json": { schema: of, example } },
  };
}

export function emptyAnswer(description: string, headers: Members = {}): JsonSchema {
  return { description, headers: { ...EVERY_ANSWER, ...headers } };
}

export function textAnswer(description: string, example: string): JsonSchema {
  return { description, headers: EVERY_ANSWER, content: { "text/plain": { schema: TEXT, example } } };
}

/** A validation error, as refusals list it and quarantine keeps it. */
export const VALIDATION_ERROR = schema(
  "ValidationError",
  object(
    {
      code: {
        type: "integer",
        description: `${VALIDATION_CODE} for a validation error, ${CONFLICT_CODE} for a conflict.`,
      },
      message: TEXT,
    },
    { index: INDEX, field: described(TEXT, "Which field or header, dotted.") },
  ),
);

/** The body of every refusal outside Solvimon's routes. */
export const REFUSAL = schema(
  "Refusal",
  object({
    success: { type: "boolean", const: false },
    message: TEXT,
    reasons: list(VALIDATION_ERROR, { maxItems: ERRORS_LISTED_MAX }),
  }),
);

const SOLVIMON_ERROR = schema("SolvimonError", solvimonErrorSchema());

function solvimonErrorSchema(): JsonSchema {
  const code = choice(SOLVIMON_CODES);
  const field = described(TEXT, "The field it is about, dotted, list members by index.");
  const reason = object({ code, message: TEXT }, { field, index: INDEX });
  return object(
    {
      type: choice(["INVALID_REQUEST", "API_ERROR"]),
      code,
      message: TEXT,
      reasons: list(reason, { minItems: 1, maxItems: 100, description: "Every error, the first one included." }),
    },
    {
      field,
      resource_id: described(TEXT, "The event that was there before."),
      resource_type: described(TEXT, "Its kind."),
    },
  );
}

interface Refusal {
  readonly description: string;
  readonly message: string;
  readonly code: SolvimonCode;
}

/** By status; 4XX stands for every other refusal. */
const REFUSALS: Record<RefusalStatus | "4XX", Refusal> = {
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
    description: "In conflict with what was accepted before.",
    message: "an event with this reference exists with other content",
    code: "RESOURCE_ALREADY_EXISTS",
  },
  412: {
    description: "What you read has changed since; read it again.",
    message: "the catalog has changed since you read it",
    code: "BAD_REQUEST",
  },
  413: {
    description: "Too many bytes or events.",
    message: "the body has more than 10000 events",
    code: "BAD_REQUEST",
  },
  415: {
    description: "A type or coding not accepted here.",
    message: "send application/json",
    code: "UNSUPPORTED_MEDIA_TYPE",
  },
  428: {
    description: "Say what you have read, so that nothing is overwritten by accident.",
    message: "send If-Match with the ETag of GET /admin/catalog, or *",
    code: "BAD_REQUEST",
  },
  429: { description: "Too many requests.", message: "the key may send 600 requests a minute", code: "BAD_REQUEST" },
  503: {
    description: "Not now; the request may be repeated.",
    message: "the request could not be completed and may be repeated",
    code: "INTERNAL_ERROR",
  },
  507: {
    description: "The ledger is near its bound: new events are refused until delivery and retention made room.",
    message: "the ledger is full; events are taken again once retention has made room",
    code: "INTERNAL_ERROR",
  },
  "4XX": { description: "Refused for another reason.", message: "there is nothing here", code: "BAD_REQUEST" },
};

const HEADERS_OF: Readonly<Record<string, Members>> = {
  429: { ...ANSWER_HEADER.retryAfter, ...ANSWER_HEADER.rate },
  503: ANSWER_HEADER.retryAfter,
  507: ANSWER_HEADER.retryAfter,
};

/** A refusal as the dialect's clients meet it. */
function refusal(dialect: Dialect, status: string, { description, message, code }: Refusal): JsonSchema {
  const field = status === "400" ? "Quantity" : "reference";
  if (dialect === "Solvimon") {
    const details = status === "400" || status === "409" ? { field } : {};
    return answer(description, SOLVIMON_ERROR, solvimonError(code, message, details), HEADERS_OF[status]);
  }
  const errors = status === "400" ? [validationError(message, { index: 3, field })] : [];
  return answer(description, REFUSAL, usageRefusal(message, errors), HEADERS_OF[status]);
}

function refusalsOf(dialect: Dialect): Members {
  return Object.fromEntries(
    Object.entries(REFUSALS).map(([status, described]) => [
      status,
      component("responses", `${dialect}${status}`, refusal(dialect, status, described)),
    ]),
  );
}

const REFUSED: Record<Dialect, Members> = { Weir: refusalsOf("Weir"), Solvimon: refusalsOf("Solvimon") };

/** The refusals of an operation; 4XX stands for those that are not listed. */
export function refusals(dialect: Dialect, statuses: readonly RefusalStatus[]): Members {
  const wanted = new Set<string>([...statuses.map(String), "4XX"]);
  return Object.fromEntries(Object.entries(REFUSED[dialect]).filter(([status]) => wanted.has(status)));
}
