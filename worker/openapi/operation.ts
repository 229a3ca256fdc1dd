/** One operation: who may call it, what it accepts, what it answers. */
import type { Permission } from "../accounts/principal.ts";
import { ANSWER_HEADER, type Dialect, type RefusalStatus, refusals } from "./answers.ts";
import type { JsonSchema, Members } from "./json-schema.ts";

export const TAGS = {
  Usage: "Usage events in Zuora's dialect.",
  Solvimon: "Persist, charge, adjustment and meter data in Solvimon's dialect.",
  Ledger: "The counts that prove it, and the events behind them.",
  Quarantine: "Events that wait for a person.",
  Catalog: "What meters there are and what their events look like.",
  Keys: "API keys and access tokens.",
  Tenants: "Whose events go to which upstream account, and what they may name.",
  Service: "The service itself.",
} as const;

/** What a route says of itself in words; the rest of its operation follows from what it does. */
export interface OperationWords {
  readonly id: string;
  readonly tag: keyof typeof TAGS;
  readonly summary: string;
  readonly description?: string;
  readonly dialect?: Dialect;
  /** By status, the success first. */
  readonly answers: Readonly<Record<number, JsonSchema>>;
}

export interface OperationFacts {
  /** One of these permissions is enough; none for a call without credentials. */
  readonly permissions: readonly Permission[];
  readonly parameters: readonly JsonSchema[];
  readonly body?: JsonSchema | undefined;
  readonly refusals: readonly RefusalStatus[];
  /** Headers that each of its successes carries. */
  readonly answerHeaders: Members;
}

export function operation(words: OperationWords, facts: OperationFacts): JsonSchema {
  const { permissions, parameters, body } = facts;
  const needs = permissions.length === 0 ? "No key needed." : `Needs ${permissions.join(" or ")}.`;
  const answers = Object.entries(words.answers).map(([status, answer]) => [
    status,
    Number(status) < 300 ? withHeaders(answer, facts.answerHeaders) : answer,
  ]);
  return {
    operationId: words.id,
    tags: [words.tag],
    summary: words.summary,
    description: words.description === undefined ? needs : `${words.description} ${needs}`,
    security: securityOf(permissions),
    ...(parameters.length === 0 ? {} : { parameters }),
    ...(body === undefined ? {} : { requestBody: body }),
    responses: { ...refusals(words.dialect ?? "Weir", facts.refusals), ...Object.fromEntries(answers) },
  };
}

function withHeaders(answer: JsonSchema, headers: Members): JsonSchema {
  return { ...answer, headers: { ...(answer["headers"] as Members), ...headers } };
}

/** Each permission by each way of naming a key is a way in. */
function securityOf(permissions: readonly Permission[]): readonly JsonSchema[] {
  return permissions.flatMap((permission) => [{ apiKey: [permission] }, { bearer: [permission] }]);
}

/** What routes of one sort add to each of their answers. */
export const RATE_HEADERS = ANSWER_HEADER.rate;
export const NO_STORE_HEADERS = ANSWER_HEADER.cacheControl;
