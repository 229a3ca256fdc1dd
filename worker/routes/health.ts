/** Is it up, and can it do its work. No key needed, nothing said but yes or no. */
import type { WeirContext } from "../context.ts";
import { route } from "../http/route.ts";
import { logFailure } from "../log.ts";
import { answer } from "../openapi/answers.ts";
import { type JsonSchema, object } from "../openapi/json-schema.ts";

function statusAnswer(description: string, status: string): JsonSchema {
  return answer(description, object({ status: { type: "string", const: status } }), { status });
}

async function readiness(c: WeirContext): Promise<Response> {
  try {
    await c.env.LEDGER.prepare("SELECT version FROM catalogs LIMIT 1").first();
    return c.json({ status: "ok" });
  } catch (cause) {
    logFailure("the ledger cannot be read", cause);
    return c.json({ status: "unavailable" }, 503);
  }
}

export const healthRoutes = [
  route(
    {
      method: "get",
      path: "/healthz",
      permission: [],
      id: "getHealth",
      tag: "Service",
      summary: "Is it up",
      answers: { 200: statusAnswer("It is.", "ok") },
    },
    (c) => c.json({ status: "ok" }),
  ),
  route(
    {
      method: "get",
      path: "/readyz",
      permission: [],
      id: "getReadiness",
      tag: "Service",
      summary: "Can it do its work",
      answers: {
        200: statusAnswer("It can.", "ok"),
        503: statusAnswer("The ledger cannot be read.", "unavailable"),
      },
    },
    readiness,
  ),
];
