/** The ledger in numbers, for those who watch it. */
import { usageStream } from "../../shared/events/kind.ts";
import { answer, headerRefs } from "./answers.ts";
import { COUNT, described, type JsonSchema, list, object, TEXT, TIME } from "./json-schema.ts";
import { operation, type Paths } from "./operation.ts";

export function statsPaths(): Paths {
  return { "/metrics": { get: getMetrics() }, "/admin/stats": { get: getStats() } };
}

function getMetrics(): JsonSchema {
  const example =
    "# HELP weir_events_pending Events that wait for delivery.\n# TYPE weir_events_pending gauge\n" +
    `weir_events_pending{tenant="acme",stream="${usageStream("web-egress")}"} 10\n`;
  return operation({
    id: "getMetrics",
    tag: "Service",
    summary: "Every tenant's ledger in Prometheus' text format",
    permissions: ["WEIR.OPERATOR"],
    parameters: ["PlatformId"],
    answers: {
      200: { description: "The metrics.", headers: headerRefs(), content: { "text/plain": { schema: TEXT, example } } },
    },
    refusals: [401, 403, 503],
  });
}

function getStats(): JsonSchema {
  const minute = object({ at: described(TIME, "When the minute began."), accepted: COUNT });
  const item = object(
    { stream: TEXT, minutes: described(list(minute), "A minute not listed had no event.") },
    { cut_before: described(TIME, "Nothing before this was counted: more came in than one call reads.") },
  );
  const example = {
    from: "2026-11-01T09:06:00.000Z",
    to: "2026-11-01T10:05:03.551Z",
    items: [{ stream: usageStream("web-egress"), minutes: [{ at: "2026-11-01T10:05:00.000Z", accepted: 120 }] }],
  };
  return operation({
    id: "getStats",
    tag: "Ledger",
    summary: "Events accepted by the minute, the last hour's",
    permissions: ["WEIR.ADMIN", "WEIR.OPERATOR"],
    parameters: ["StreamName", "Tenant", "PlatformId"],
    answers: { 200: answer("Each stream's minutes.", object({ from: TIME, to: TIME, items: list(item) }), example) },
    refusals: [401, 403, 503],
  });
}
