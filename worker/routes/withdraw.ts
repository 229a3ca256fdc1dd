/** Withdrawal: what waits leaves the road for quarantine, on an admin's word. */
import { isDateTime } from "../../shared/events/date-time.ts";
import { usageStream } from "../../shared/events/kind.ts";
import { sentIdsText } from "../../shared/identity.ts";
import { sentIdsOf } from "../../shared/intake/sent-ids.ts";
import { bodyError } from "../../shared/intake/usage-body.ts";
import { scanMembers } from "../../shared/json/document.ts";
import { HEADER } from "../../shared/wire.ts";
import { writerOf } from "../context.ts";
import type { WithdrawFilter } from "../delivery/delivery.ts";
import { type BodyOutcome, jsonBody, notValid } from "../http/body.ts";
import { ADMIN, route } from "../http/route.ts";
import { answer } from "../openapi/answers.ts";
import { COUNT, described, object, TEXT, TIME } from "../openapi/json-schema.ts";
import { STREAM_NAME } from "./filters.ts";

/** The ids headers by which lanes are told apart, in small letters. */
const ID_HEADERS = [HEADER.entityIds, HEADER.orgIds, HEADER.platformId].map((name) => name.toLowerCase());

/** Null for what is no object of ids headers. */
function contextIn(value: unknown): string | null {
  if (!(value instanceof Map)) return null;
  const ids = new Map<string, string>();
  for (const [name, of] of value) {
    const header = String(name).toLowerCase();
    if (!ID_HEADERS.includes(header) || typeof of !== "string") return null;
    ids.set(header, of);
  }
  return sentIdsText(sentIdsOf((name) => ids.get(name) ?? null).ids);
}

/** Null for what is no date-time. */
function timeIn(value: unknown): number | null {
  return typeof value === "string" && isDateTime(value) ? Date.parse(value) : null;
}

const FIELDS = {
  stream: { read: (value: unknown) => (typeof value === "string" ? value : null), is: "a stream's name" },
  context: { read: contextIn, is: `an object of ${ID_HEADERS.join(", ")}, {} for none of them` },
  from: { read: timeIn, is: "a date-time with offset (RFC 3339)" },
  to: { read: timeIn, is: "a date-time with offset (RFC 3339)" },
} as const;

function readFilter(text: string): BodyOutcome<WithdrawFilter> {
  const scanned = scanMembers(text);
  if (scanned.kind === "invalid") return notValid([bodyError(scanned.error)]);
  const { members } = scanned;
  const stranger = [...members.keys()].find((name) => !Object.hasOwn(FIELDS, name));
  if (stranger !== undefined) {
    const known = Object.keys(FIELDS).join(", ");
    return notValid([], `${JSON.stringify(stranger.slice(0, 80))} is not a field here; known are ${known}`);
  }
  const filter = {
    stream: FIELDS.stream.read(members.get("stream")?.value),
    context: FIELDS.context.read(members.get("context")?.value),
    from: FIELDS.from.read(members.get("from")?.value),
    to: FIELDS.to.read(members.get("to")?.value),
  };
  const wrong = (Object.keys(FIELDS) as (keyof typeof FIELDS)[]).find(
    (name) => members.has(name) && filter[name] === null,
  );
  if (wrong !== undefined) return notValid([], `${wrong} is ${FIELDS[wrong].is}`);
  return { kind: "body", body: filter };
}

const FILTER = jsonBody({
  schema: object(
    {},
    {
      stream: STREAM_NAME,
      context: {
        type: "object",
        additionalProperties: TEXT,
        description: `The ids headers that it was sent with (${ID_HEADERS.join(", ")}); {} for none.`,
      },
      from: described(TIME, "Received then or later."),
      to: described(TIME, "Received then or before. A call that was fixed counts where all of it does."),
    },
    { additionalProperties: false },
  ),
  example: { stream: usageStream("web-egress"), context: { [HEADER.entityIds.toLowerCase()]: "e1" } },
  bytesMax: () => 65_536,
  read: readFilter,
});

export const withdrawRoutes = [
  route(
    {
      method: "post",
      path: "/admin/quarantine/withdraw",
      permission: ADMIN,
      body: FILTER,
      id: "withdrawWaiting",
      tag: "Quarantine",
      summary: "Take what waits at an upstream that refuses it into quarantine, up to about 10,000 events a call",
      answers: {
        200: answer(
          "How many events are in quarantine now, and how many the filter finds that still wait.",
          object({
            success: { type: "boolean", const: true },
            message: TEXT,
            withdrawn: COUNT,
            remaining: described(COUNT, "Of a call that is under way, or for the next withdrawal."),
          }),
          { success: true, message: "1 event is in quarantine", withdrawn: 1, remaining: 0 },
        ),
      },
    },
    async (c, { body }) => {
      const { withdrawn, remaining } = await c.get("services").delivery.withdraw(c.get("tenant"), body, writerOf(c));
      const message = withdrawn === 1 ? "1 event is in quarantine" : `${withdrawn} events are in quarantine`;
      return c.json({ success: true, message, withdrawn, remaining });
    },
  ),
];
