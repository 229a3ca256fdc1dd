/** One operation: who may call it, what it takes, what it answers. */
import type { Permission } from "../accounts/principal.ts";
import { type Dialect, type RefusalStatus, refusalRefs } from "./answers.ts";
import type { JsonSchema, Members } from "./json-schema.ts";
import { type ParameterName, parameterRefs } from "./parameters.ts";

export type Paths = Readonly<Record<string, Members>>;

export const TAGS = {
  Usage: "Usage events in Zuora's dialect.",
  Solvimon: "Persist, charge, adjustment and meter data in Solvimon's dialect.",
  Ledger: "The counts that prove it, and the events behind them.",
  Quarantine: "Events that wait for a person.",
  Catalog: "What meters there are and what their events look like.",
  Keys: "API keys and access tokens.",
  Service: "The service itself.",
} as const;

export interface OperationSpec {
  readonly id: string;
  readonly tag: keyof typeof TAGS;
  readonly summary: string;
  readonly description?: string;
  /** One of these permissions is enough; none for a call without credentials. */
  readonly permissions: readonly Permission[];
  readonly dialect?: Dialect;
  readonly parameters?: readonly ParameterName[];
  readonly body?: JsonSchema;
  readonly answers: Readonly<Record<number, JsonSchema>>;
  readonly refusals?: readonly RefusalStatus[];
}

export function operation(spec: OperationSpec): JsonSchema {
  const needs = spec.permissions.length === 0 ? "No key needed." : `Needs ${spec.permissions.join(" or ")}.`;
  return {
    operationId: spec.id,
    tags: [spec.tag],
    summary: spec.summary,
    description: spec.description === undefined ? needs : `${spec.description} ${needs}`,
    security: securityOf(spec.permissions),
    ...(spec.parameters === undefined ? {} : { parameters: parameterRefs(spec.parameters) }),
    ...(spec.body === undefined ? {} : { requestBody: spec.body }),
    responses: { ...spec.answers, ...refusalRefs(spec.dialect ?? "Weir", spec.refusals ?? []) },
  };
}

/** Each permission by each way of naming a key is a way in. */
function securityOf(permissions: readonly Permission[]): readonly JsonSchema[] {
  return permissions.flatMap((permission) => [{ apiKey: [permission] }, { bearer: [permission] }]);
}

/** A body of JSON with an example. */
export function jsonBody(schema: JsonSchema, example: unknown, required = true): JsonSchema {
  return { required, content: { "application/json": { schema, example } } };
}
