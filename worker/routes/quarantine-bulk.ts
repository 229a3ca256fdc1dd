/** Quarantine worked by filter: all that it finds is replayed or discarded, a bounded share a call. */
import type { z } from "zod";
import { validationError } from "../../shared/events/validation-error.ts";
import { refuse, type WeirContext, writerOf } from "../context.ts";
import { type Body, jsonBody } from "../http/body.ts";
import { ADMIN, route } from "../http/route.ts";
import type { QuarantineFilter } from "../ledger/quarantine.ts";
import { answer, VALIDATION_ERROR } from "../openapi/answers.ts";
import { lateSchema, schema } from "../openapi/component.ts";
import { COUNT, described, type JsonSchema, list, nullable, object, TEXT } from "../openapi/json-schema.ts";
import { zodSchema } from "../openapi/zod-schema.ts";
import {
  correctedContext,
  discardSchema,
  filterOf,
  headerErrors,
  readFiltered,
  replaySchema,
} from "./quarantine-filter.ts";
import { replayEntry, replayReach } from "./replay.ts";

/** Entries settled by one call; each takes up to nine statements of D1, and an invocation has 600 of them. */
const REPLAYED_AT_ONCE = 60;
const DISCARDED_AT_ONCE = 100;
const BODY_BYTES_MAX = 65_536;

const GOING_ON = {
  remaining: described(COUNT, "How many the filter still finds behind these, among the next 10,000 open entries."),
  next: described(nullable(TEXT), "The `cursor` of the next call; null where nothing is left to look at."),
};
const REPLAYED = schema(
  "BulkReplay",
  object({
    success: { type: "boolean", const: true },
    message: TEXT,
    replayed: COUNT,
    refused: described(
      list(object({ id: TEXT, event_id: TEXT, message: TEXT, reasons: list(VALIDATION_ERROR) })),
      "Those that stay in quarantine, and why.",
    ),
    ...GOING_ON,
  }),
);
const DISCARDED = schema(
  "BulkDiscard",
  object({ success: { type: "boolean", const: true }, message: TEXT, discarded: COUNT, ...GOING_ON }),
);

const bodyOf = <T extends z.infer<typeof replaySchema> | z.infer<typeof discardSchema>>(
  name: string,
  of: z.ZodType<T>,
  example: JsonSchema,
): Body<T> =>
  jsonBody({
    schema: lateSchema(name, () => zodSchema(of)),
    example,
    bytesMax: () => BODY_BYTES_MAX,
    read: readFiltered(of),
  });

const REPLAY = bodyOf("BulkReplayRequest", replaySchema, {
  stream: "usage/web-egress",
  org_ids: ["org-7"],
  headers: { org_ids: ["org-9"] },
});
const DISCARD = bodyOf("BulkDiscardRequest", discardSchema, { code: "400", reason: "a test of ours, never used" });

/** How many a filter still finds behind an entry, and where a next call goes on. */
async function remainder(c: WeirContext, filter: QuarantineFilter, after: number) {
  const { matching, beyond } = await c.get("services").quarantine.count(c.get("tenant"), filter, after);
  const next = matching > 0 ? String(after) : beyond === null ? null : String(beyond - 1);
  return { remaining: matching, next };
}

async function replayAll(c: WeirContext, body: z.infer<typeof replaySchema>): Promise<Response> {
  const { quarantine, nudge } = c.get("services");
  const tenant = c.get("tenant");
  const reach = await replayReach(c);
  const errors = headerErrors(reach.maker, reach.allowed, body.headers ?? {});
  if (errors.length > 0) return refuse(c, 400, errors[0]?.message ?? "", errors);
  const filter = filterOf(body);
  const after = Number(body.cursor ?? 0);
  const matched = await quarantine.match(tenant, filter, after, REPLAYED_AT_ONCE);
  const streams = new Set<string>();
  const refused: unknown[] = [];
  let replayed = 0;
  for (const { number } of matched) {
    const entry = await quarantine.find(tenant, number);
    if (entry === null) throw new Error(`quarantine entry ${number} is gone`);
    const outcome = await replayEntry(c, entry, null, correctedContext(entry.context, body.headers ?? {}), reach);
    if (outcome.kind === "pending") {
      replayed++;
      streams.add(entry.stream);
      continue;
    }
    const { message, reasons } = outcome;
    refused.push({ id: String(number), event_id: entry.event_id, message, reasons });
  }
  for (const stream of streams) c.executionCtx.waitUntil(nudge(tenant, stream));
  const message = `${replayed} of ${matched.length} events are pending again`;
  const going = await remainder(c, filter, matched.at(-1)?.number ?? after);
  return c.json({ success: true, message, replayed, refused, ...going }, 202);
}

async function discardAll(c: WeirContext, body: z.infer<typeof discardSchema>): Promise<Response> {
  const { quarantine } = c.get("services");
  const tenant = c.get("tenant");
  const filter = filterOf(body);
  const after = Number(body.cursor ?? 0);
  const matched = await quarantine.match(tenant, filter, after, DISCARDED_AT_ONCE);
  let discarded = 0;
  for (const entry of matched) {
    const outcome = await quarantine.discard(tenant, entry, body.reason, writerOf(c));
    if (outcome.kind === "done") discarded++;
  }
  const message = `${discarded} of ${matched.length} events are discarded`;
  return c.json({
    success: true,
    message,
    discarded,
    ...(await remainder(c, filter, matched.at(-1)?.number ?? after)),
  });
}

const EVENT_ID = "usev_0000000000000000000a";

export const quarantineBulkRoutes = [
  route(
    {
      method: "post",
      path: "/admin/quarantine/replay",
      permission: ADMIN,
      body: REPLAY,
      id: "replayMatching",
      tag: "Quarantine",
      summary: "Send all again that a filter finds, with other ids in their headers if these were wrong",
      answers: {
        202: answer("What it came to.", REPLAYED, {
          success: true,
          message: "59 of 60 events are pending again",
          replayed: 59,
          refused: [
            {
              id: "17",
              event_id: EVENT_ID,
              message: "the event is still not valid; it stays in quarantine",
              reasons: [validationError("Quantity is required", { field: "Quantity" })],
            },
          ],
          remaining: 140,
          next: "60",
        }),
      },
    },
    (c, { body }) => replayAll(c, body),
  ),
  route(
    {
      method: "post",
      path: "/admin/quarantine/discard",
      permission: ADMIN,
      body: DISCARD,
      id: "discardMatching",
      tag: "Quarantine",
      summary: "Give all up that a filter finds; they stay on record and are known as duplicates",
      answers: {
        200: answer("What it came to.", DISCARDED, {
          success: true,
          message: "12 of 12 events are discarded",
          discarded: 12,
          remaining: 0,
          next: null,
        }),
      },
    },
    (c, { body }) => discardAll(c, body),
  ),
];
