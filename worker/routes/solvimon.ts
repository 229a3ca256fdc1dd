/** Solvimon's ingest operations: persist, charge, adjustment and meter data, single and in lists. */
import { SOLVIMON, SOLVIMON_KINDS, type SolvimonKind } from "../../shared/events/kind.ts";
import { reprocessGroup } from "../../shared/events/solvimon-fields.ts";
import { eventId } from "../../shared/identity.ts";
import type { SolvimonReason } from "../../shared/intake/solvimon-answer.ts";
import { solvimonCheck } from "../../shared/intake/solvimon-body.ts";
import { type SolvimonForm, solvimonDialect } from "../../shared/intake/solvimon-dialect.ts";
import { usageAnswer } from "../../shared/intake/usage-answer.ts";
import { parsed } from "../../shared/json/span.ts";
import { type Route, type RouteSpec, route } from "../http/route.ts";
import type { EdgeDialect } from "../intake/edge-dialect.ts";
import { ANSWER_HEADER, answer } from "../openapi/answers.ts";
import { INGEST_HEADERS, PREFER } from "../openapi/headers.ts";
import { INGEST_ANSWER } from "../openapi/ingest-answer.ts";
import { EXAMPLE } from "../openapi/solvimon-examples.ts";
import { EVENT_SCHEMA, LIST_SCHEMA, RESOURCE_SCHEMA } from "../openapi/solvimon-schemas.ts";
import type { Bounds } from "../tenants/bounds.ts";
import { measureOfMeterData } from "../usage/measure.ts";
import { foreignMeters } from "./foreign-meters.ts";
import { answerIngest } from "./ingest.ts";
import { VERSION, versioned } from "./version.ts";

function edgeSolvimonDialect(kind: SolvimonKind, form: SolvimonForm, bounds: Bounds): EdgeDialect<SolvimonReason> {
  const ownCheck = solvimonCheck(kind);
  return {
    ...solvimonDialect(kind, form),
    rulesBy: ({ document, references }) => ({
      check(event) {
        const errors = ownCheck(event);
        // Names are looked up only in an event that is right in itself.
        if (errors.length > 0) return errors;
        return [...foreignMeters(kind, event, bounds), ...(references?.unknown(kind, parsed(event)) ?? [])];
      },
      ownIdField: "reference",
      deduplicatesByContent: document.settings.deduplicate_by_content?.[kind] ?? true,
      measure: (event) => (kind === "meter-data" ? measureOfMeterData(parsed(event)) : null),
      group: (event) => (kind === "persist" ? reprocessGroup(event) : null),
    }),
  };
}

/** What single events and lists have in common. */
const INGEST = {
  method: "post",
  permission: ["METER_DATA.INGEST"],
  fromPages: true,
  params: { version: VERSION },
  tag: "Solvimon",
  dialect: "Solvimon",
  refusals: [409, 507],
} as const;

/** `/ingest/persist-data` is ingestPersistData. */
function idOf(path: string): string {
  return path.slice(1).replace(/[/-](.)/g, (_, letter: string) => letter.toUpperCase());
}

type Words = Pick<
  RouteSpec<typeof INGEST.params, Record<never, never>, undefined, undefined>,
  "summary" | "description" | "headers" | "ownBody" | "answers"
>;

function single(kind: SolvimonKind): Words {
  const event = EXAMPLE[kind];
  const id = eventId(kind, kind, { by: "id", id: event.reference });
  const resource = { object_type: SOLVIMON[kind].objectType, id, ...event };
  return {
    summary: `Accept one event: ${SOLVIMON[kind].objectType}`,
    description: "A repeat gets the answer the event got first; other content under its reference is a 409.",
    headers: INGEST_HEADERS,
    ownBody: { "application/json": { schema: EVENT_SCHEMA[kind], example: event } },
    answers: { 201: answer("The event, stored.", RESOURCE_SCHEMA[kind], resource, ANSWER_HEADER.idempotentReplayed) },
  };
}

function list(kind: SolvimonKind): Words {
  const event = EXAMPLE[kind];
  const id = eventId(kind, kind, { by: "id", id: event.reference });
  const accepted = usageAnswer([{ index: 0, status: "accepted", id }], true);
  return {
    summary: `Accept a list of events: ${SOLVIMON[kind].objectType}`,
    description: "All or nothing, unless Prefer says handling=lenient.",
    headers: [...INGEST_HEADERS, PREFER],
    ownBody: { "application/json": { schema: LIST_SCHEMA[kind], example: { [SOLVIMON[kind].listMember]: [event] } } },
    answers: { 200: answer("Each event's fate, counted.", INGEST_ANSWER, accepted, ANSWER_HEADER.preferenceApplied) },
  };
}

function routesOf(kind: SolvimonKind, form: SolvimonForm, words: Words): Route[] {
  return SOLVIMON[kind].paths[form].map((path) =>
    route({ ...INGEST, ...words, path: versioned(path), id: idOf(path) }, (c) =>
      answerIngest(c, edgeSolvimonDialect(kind, form, c.get("principal").bounds)),
    ),
  );
}

export const solvimonRoutes = SOLVIMON_KINDS.flatMap((kind) => [
  ...routesOf(kind, "single", single(kind)),
  ...routesOf(kind, "list", list(kind)),
]);
