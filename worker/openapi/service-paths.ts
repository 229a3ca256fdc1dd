/** The service itself: is it up, can it work, what it takes. */
import { answer } from "./answers.ts";
import { type JsonSchema, object } from "./json-schema.ts";
import { operation, type Paths } from "./operation.ts";

const OPEN = { tag: "Service", permissions: [] } as const;

export function servicePaths(): Paths {
  return {
    "/healthz": { get: health() },
    "/readyz": { get: readiness() },
    "/openapi.json": { get: openApi() },
  };
}

function statusAnswer(description: string, status: string): JsonSchema {
  return answer(description, object({ status: { type: "string", const: status } }), { status });
}

function health(): JsonSchema {
  return operation({
    ...OPEN,
    id: "getHealth",
    summary: "Is it up",
    answers: { 200: statusAnswer("It is.", "ok") },
    refusals: [503],
  });
}

function readiness(): JsonSchema {
  return operation({
    ...OPEN,
    id: "getReadiness",
    summary: "Can it do its work",
    answers: { 200: statusAnswer("It can.", "ok"), 503: statusAnswer("The ledger cannot be read.", "unavailable") },
  });
}

function openApi(): JsonSchema {
  const schema = object({ openapi: { type: "string" }, info: { type: "object" }, paths: { type: "object" } });
  const example = { openapi: "3.1.0", info: { title: "Weir", version: "0.1.0" }, paths: {} };
  return operation({
    ...OPEN,
    id: "getOpenApi",
    summary: "This document",
    answers: { 200: answer("OpenAPI 3.1.", schema, example) },
    refusals: [503],
  });
}
