/** Events read back: Solvimon's own routes for its kinds, the admin's for every stream. */
import type { Hono } from "hono";
import { isDateTime } from "../../shared/events/date-time.ts";
import { KINDS } from "../../shared/events/kind.ts";
import { isSolvimonKind, OBJECT_TYPE, resourceText } from "../../shared/intake/solvimon-answer.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import type { AttemptRow, EventCursor, EventFilter } from "../ledger/event-reader.ts";
import { EVENT_STATES, type StoredEvent } from "../ledger/stored-event.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { pageLimitOf, wholeNumber } from "./page.ts";
import { requireVersion } from "./solvimon.ts";
import { tenantOf } from "./tenant.ts";

export function registerEvents(app: Hono<WeirEnv>): void {
  const reader = [requirePermission("METER_DATA.INGEST", "WEIR.ADMIN", "WEIR.OPERATOR"), requireVersion] as const;
  app.get("/:version{v[^/]*}/events", ...reader, listResources);
  app.get("/:version{v[^/]*}/events/:id", ...reader, getResource);
  app.get("/:version{v[^/]*}/events/:id/event_trace", ...reader, getTrace);
  const admin = requirePermission("WEIR.ADMIN", "WEIR.OPERATOR");
  app.get("/admin/events", admin, listEvents);
  app.get("/admin/events/:id", admin, getEvent);
}

const SOLVIMON_STREAMS = KINDS.filter(isSolvimonKind);

async function listResources(c: WeirContext): Promise<Response> {
  const { tenant } = c.get("principal");
  const page = cursorOf(c);
  if (page.kind === "fault") return refuse(c, 400, page.message);
  const filter: EventFilter = {
    streams: SOLVIMON_STREAMS,
    producer: null,
    state: null,
    from: 0,
    to: Number.MAX_SAFE_INTEGER,
  };
  const { events, next } = await c.get("services").events.list(tenant, filter, page.cursor, page.limit);
  return jsonText(c, listText(events.map(resourceOf), next));
}

function resourceOf(event: StoredEvent): string {
  if (!isSolvimonKind(event.kind)) throw new Error("a usage event is no Solvimon resource");
  return resourceText(event.kind, event.id, event.source, event.receivedAt);
}

/** A Solvimon event of the key's tenant; usage events are none. */
async function findResource(c: WeirContext): Promise<StoredEvent | null> {
  const event = await c.get("services").events.find(c.get("principal").tenant, c.req.param("id") ?? "");
  return event === null || !isSolvimonKind(event.kind) ? null : event;
}

async function getResource(c: WeirContext): Promise<Response> {
  const event = await findResource(c);
  return event === null ? refuse(c, 404, "there is no such event") : jsonText(c, resourceOf(event));
}

async function getTrace(c: WeirContext): Promise<Response> {
  const event = await findResource(c);
  if (event === null || !isSolvimonKind(event.kind)) return refuse(c, 404, "there is no such event");
  const attempts = await c.get("services").events.attempts(event);
  return c.json({
    object_type: "EVENT_TRACE",
    event_id: event.id,
    event_object_type: OBJECT_TYPE[event.kind],
    state: event.state,
    received_at: event.receivedAt,
    attempts: attempts.map(attemptOf),
  });
}

function attemptOf(row: AttemptRow) {
  const { shipment, attempt, at, duration_ms, status, verdict, message } = row;
  return { call: String(shipment), attempt, at: new Date(at).toISOString(), duration_ms, status, verdict, message };
}

async function listEvents(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const page = cursorOf(c);
  if (page.kind === "fault") return refuse(c, 400, page.message);
  const { stream, producer, state, from, to } = c.req.query();
  const wanted = EVENT_STATES.find((known) => known === state) ?? null;
  if (state !== undefined && wanted === null) return refuse(c, 400, `state is one of ${EVENT_STATES.join(", ")}`);
  const bounds = [from, to].map((text) =>
    text === undefined ? null : isDateTime(text) ? Date.parse(text) : Number.NaN,
  );
  if (bounds.some(Number.isNaN)) return refuse(c, 400, "from and to are date-times with offset (RFC 3339)");
  const filter: EventFilter = {
    streams: stream === undefined ? null : [stream],
    producer: producer ?? null,
    state: wanted,
    from: bounds[0] ?? 0,
    to: bounds[1] ?? Number.MAX_SAFE_INTEGER,
  };
  const { events, next } = await c.get("services").events.list(tenant, filter, page.cursor, page.limit);
  return jsonText(
    c,
    listText(
      events.map((event) => eventText(event)),
      next,
    ),
  );
}

async function getEvent(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const { events } = c.get("services");
  const event = await events.find(tenant, c.req.param("id") ?? "");
  if (event === null) return refuse(c, 404, "there is no such event");
  return jsonText(c, eventText(event, (await events.attempts(event)).map(attemptOf)));
}

/** An event with its ledger data; its own text stands in the answer as it was sent. */
function eventText(event: StoredEvent, attempts?: readonly unknown[]): string {
  const { id, stream, producer, position, state, receivedAt, batch } = event;
  const fields = {
    id,
    stream,
    ...(producer === null ? {} : { producer }),
    ...(position === null ? {} : { position }),
    state,
    received_at: receivedAt,
    batch: { id: String(batch), entry: event.entry },
    ...(attempts === undefined ? {} : { attempts }),
  };
  return `${JSON.stringify(fields).slice(0, -1)},"event":${event.source}}`;
}

type PageOutcome =
  | { readonly kind: "page"; readonly limit: number; readonly cursor: EventCursor }
  | { readonly kind: "fault"; readonly message: string };

/** A cursor is `BATCH.ENTRY`, where the next page begins. */
function cursorOf(c: WeirContext): PageOutcome {
  const limit = pageLimitOf(c);
  if (limit === null) return { kind: "fault", message: "limit is a whole number from 1 to 1000" };
  const [batch = "0", entry = "0", ...more] = (c.req.query("cursor") ?? "0.0").split(".");
  const [batchAt, entryAt] = [wholeNumber(batch), wholeNumber(entry)];
  if (batchAt === null || entryAt === null || more.length > 0)
    return { kind: "fault", message: "cursor is one that a list gave" };
  return { kind: "page", limit, cursor: { batch: batchAt, entry: entryAt } };
}

function listText(items: readonly string[], next: EventCursor | null): string {
  return `{"items":[${items.join(",")}],"next":${next === null ? "null" : JSON.stringify(`${next.batch}.${next.entry}`)}}`;
}

function jsonText(c: WeirContext, text: string): Response {
  c.header("Content-Type", "application/json");
  return c.body(text);
}
