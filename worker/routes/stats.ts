/** The ledger in numbers: `/metrics` for Prometheus, `/admin/stats` by the minute. */
import { usageStream } from "../../shared/events/kind.ts";
import type { WeirContext } from "../context.ts";
import { ADMIN, route } from "../http/route.ts";
import { metricsText, sizeMetrics, standingMetrics, usageMetrics } from "../metrics-text.ts";
import { answer, textAnswer } from "../openapi/answers.ts";
import { COUNT, described, list, object, TEXT, TIME } from "../openapi/json-schema.ts";
import { STREAM } from "./filters.ts";

const MINUTE_MS = 60_000;
/** Minutes reported, the current one included. */
const MINUTES = 60;

const iso = (ms: number) => new Date(ms).toISOString();

const METRICS_EXAMPLE =
  "# HELP weir_events_pending Events that wait for delivery.\n# TYPE weir_events_pending gauge\n" +
  `weir_events_pending{tenant="acme",stream="${usageStream("web-egress")}"} 10\n`;

async function showMetrics(c: WeirContext): Promise<Response> {
  const { stats, standing, usageFold, ledgerSize, clock } = c.get("services");
  const now = clock.now();
  const [totals, holds, destinations, lanes, setAside, bytes] = await Promise.all([
    ...([stats.totals(), stats.holds(now), standing.destinations(now), standing.lanes()] as const),
    ...([usageFold.setAside(), ledgerSize.read()] as const),
  ]);
  c.header("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  const size = sizeMetrics([{ database: "LEDGER", bytes, bytesMax: ledgerSize.bytesMax }]);
  return c.body(metricsText(totals, holds, now) + standingMetrics(destinations, lanes) + usageMetrics(setAside) + size);
}

const STREAM_MINUTES = object(
  {
    stream: TEXT,
    minutes: described(
      list(object({ at: described(TIME, "When the minute began."), accepted: COUNT })),
      "A minute not listed had no event.",
    ),
  },
  { cut_before: described(TIME, "Nothing before this was counted: more came in than one call reads.") },
);

const STATS_EXAMPLE = {
  from: "2026-11-01T09:06:00.000Z",
  to: "2026-11-01T10:05:03.551Z",
  items: [{ stream: usageStream("web-egress"), minutes: [{ at: "2026-11-01T10:05:00.000Z", accepted: 120 }] }],
};

async function showStats(c: WeirContext, stream: string | null): Promise<Response> {
  const { stats, clock } = c.get("services");
  const now = clock.now();
  const from = (Math.floor(now / MINUTE_MS) - MINUTES + 1) * MINUTE_MS;
  const streams = await stats.minutes(c.get("tenant"), stream, from);
  return c.json({
    from: iso(from),
    to: iso(now),
    items: streams.map(({ stream, minutes, cutBefore }) => ({
      stream,
      minutes: minutes.map(({ at, accepted }) => ({ at: iso(at), accepted })),
      ...(cutBefore === null ? {} : { cut_before: iso(cutBefore) }),
    })),
  });
}

export const statsRoutes = [
  route(
    {
      method: "get",
      path: "/metrics",
      permission: ["WEIR.OPERATOR"],
      id: "getMetrics",
      tag: "Service",
      summary: "Every tenant's ledger in Prometheus' text format",
      answers: { 200: textAnswer("The metrics.", METRICS_EXAMPLE) },
    },
    showMetrics,
  ),
  route(
    {
      method: "get",
      path: "/admin/stats",
      permission: ADMIN,
      query: { stream: STREAM },
      id: "getStats",
      tag: "Ledger",
      summary: "Events accepted by the minute, the last hour's",
      answers: {
        200: answer(
          "Each stream's minutes.",
          object({ from: TIME, to: TIME, items: list(STREAM_MINUTES) }),
          STATS_EXAMPLE,
        ),
      },
    },
    (c, { query }) => showStats(c, query.stream),
  ),
];
