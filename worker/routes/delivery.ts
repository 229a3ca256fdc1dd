/** `GET /delivery`: what becomes of a producer's events after the edge accepted them, for whoever sent them. */
import { usageStream } from "../../shared/events/kind.ts";
import type { WeirContext } from "../context.ts";
import { route } from "../http/route.ts";
import { answer } from "../openapi/answers.ts";
import { COUNT, described, list, nullable, object, TIME } from "../openapi/json-schema.ts";
import { STREAM_NAME, THIS_PRODUCER } from "./filters.ts";
import { iso, STANDING, standingBody } from "./standing.ts";

const STREAM = object({
  stream: STREAM_NAME,
  pending: described(COUNT, "The producer's events that are accepted and not yet delivered."),
  oldest_pending_at: described(
    nullable(TIME),
    "When the stream's oldest event that waits was accepted, whoever sent it.",
  ),
  ...STANDING,
});

const EXAMPLE = {
  items: [
    {
      stream: usageStream("web-egress"),
      pending: 3_100_000,
      oldest_pending_at: "2026-11-01T10:05:03.551Z",
      state: "waiting",
      since: "2026-11-01T10:05:04.012Z",
      why: ["credentials refused (answered 401)"],
      lanes_waiting: 1,
    },
  ],
};

async function showDelivery(c: WeirContext, producer: string): Promise<Response> {
  const { standing, clock } = c.get("services");
  const streams = await standing.producer(c.get("tenant"), producer, clock.now());
  return c.json({
    items: streams.map(({ stream, pending, oldestPendingAt, ...rest }) => ({
      stream,
      pending,
      oldest_pending_at: iso(oldestPendingAt),
      ...standingBody(rest),
    })),
  });
}

export const deliveryRoutes = [
  route(
    {
      method: "get",
      path: "/delivery",
      permission: ["METER_DATA.INGEST"],
      query: { producer: THIS_PRODUCER },
      id: "getDelivery",
      tag: "Ledger",
      summary: "Whether a producer's events go on to the vendor",
      description:
        "A row a stream of the producer. What holds its destination is told without naming who else waits for it.",
      answers: { 200: answer("A row a stream.", object({ items: list(STREAM) }), EXAMPLE) },
    },
    (c, { query }) => showDelivery(c, query.producer),
  ),
];
