/** Hostile requests to every route of an agent, by everybody who may ask one. */
import fc from "fast-check";
import {
  type FuzzRequest,
  type OpenApi,
  type Operation,
  operationsOf,
  requestsOf,
} from "../../support/fuzz/requests.ts";
import { readOpenApi } from "../../support/openapi.ts";

export type Caller = "nobody" | "wrong token" | "key" | "bearer" | "socket";

/** What an agent answers beside what the edge's document names: its own bounds, and where a web page asks. */
const AGENT_STATUSES = ["200", "400", "401", "403", "404", "408", "413", "415", "417", "429", "431", "503", "507"];
const SERVED = /^\/(meters|usage|oauth|healthz)|^\/v\{version\}\/(ingest|events\/(ingest|calculate))/;

function operations(): Operation[] {
  const document = operationsOf(JSON.parse(readOpenApi().text) as OpenApi).filter(({ path }) => SERVED.test(path));
  const reads = ["/status", "/metrics", "/"].map((path) => ({
    ...{ method: "GET", path, parameters: [], bodies: [], statuses: new Set<string>() },
  }));
  return [...document, ...reads].map((operation) => ({
    ...operation,
    // Refused here whatever else a request holds: one route is enough to see that.
    parameters: operation.parameters.filter(
      ({ name }) => !name.startsWith("Weir-") || operation.path === "/usage/bulk/{meterGlobalId}",
    ),
    statuses: new Set([...operation.statuses, ...AGENT_STATUSES]),
  }));
}

const TWISTS: readonly ((target: string) => string)[] = [
  (target) => `/${target}`,
  (target) => `${target}/`,
  (target) => target.toUpperCase(),
  (target) => target.replace("/", "/%2e%2e/"),
  (target) => target.replaceAll("/", "%2f"),
  (target) => target.replaceAll("/", "\\"),
  (target) => `/healthz/..${target}`,
  (target) => `http://evil.example${target}`,
  (target) => `//evil.example${target}`,
  (target) => `${target}#/healthz`,
  (target) => `${target};a=b`,
  (target) => `${target}?${"a=b&".repeat(2_000)}`,
  () => "*",
  (target) => target.replace("/", "/%00"),
];

/** One in ten goes to a path that only looks like a route's. */
function twisted(requests: fc.Arbitrary<FuzzRequest<Caller>>): fc.Arbitrary<FuzzRequest<Caller>> {
  const twist = fc.oneof(
    { weight: 9, arbitrary: fc.constant((target: string) => target) },
    { weight: 1, arbitrary: fc.constantFrom(...TWISTS) },
  );
  return fc.tuple(requests, twist).map(([request, change]) => ({ ...request, target: change(request.target) }));
}

/** @param meters that the agent knows. */
export function agentRequests(meters: readonly string[]): fc.Arbitrary<FuzzRequest<Caller>> {
  const names: Readonly<Record<string, readonly string[]>> = { meterGlobalId: meters, version: ["1", "1", "1"] };
  const known = (_: Operation, parameter: string) => names[parameter] ?? [];
  return twisted(
    requestsOf<Caller>(operations(), [
      ["nobody", 1, known],
      ["wrong token", 1, known],
      ["key", 5, known],
      ["bearer", 3, known],
      ["socket", 2, known],
    ]),
  );
}
