/** `/admin/destinations`: upstream accounts beside the one of the settings. Their secrets go in and never come out. */

import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import { UPSTREAM_NAMES } from "../../shared/vendors/vendors.ts";
import { refuse, type WeirContext, writerOf } from "../context.ts";
import { mergedStanding } from "../delivery/standing.ts";
import {
  DEFAULT_DESTINATION,
  DESTINATION_NAME,
  type DestinationRequest,
  destinationSchema,
  urlError,
} from "../destinations/destination-requests.ts";
import { KEY_ADVICE } from "../destinations/sealing.ts";
import { checkedBy, jsonBody } from "../http/body.ts";
import { cursor, LIMIT, pageOf } from "../http/page.ts";
import { segment } from "../http/parameters.ts";
import { OPERATOR, route } from "../http/route.ts";
import { answer, emptyAnswer } from "../openapi/answers.ts";
import { lateSchema, schema } from "../openapi/component.ts";
import {
  COUNT,
  choice,
  described,
  type JsonSchema,
  type Members,
  nullable,
  object,
  TEXT,
} from "../openapi/json-schema.ts";
import { zodSchema } from "../openapi/zod-schema.ts";
import { STANDING, standingBody } from "./standing.ts";

const BODY_BYTES_MAX = 64_000;

const IS_SET: JsonSchema = { type: "boolean", description: "Whether one is set. It is sealed, and never shown again." };

const MEMBERS: Members = {
  name: TEXT,
  dialect: choice(UPSTREAM_NAMES),
  base_url: TEXT,
  ingest_path: described(nullable(TEXT), "Null: the vendor's own."),
  token_url: described(nullable(TEXT), "Null: /oauth/token below base_url."),
  client_id: nullable(TEXT),
  client_secret_set: IS_SET,
  api_key_set: IS_SET,
  max_bytes: described(nullable(COUNT), "Of a call before compression; null: the vendor's own limit."),
  max_events: described(nullable(COUNT), "Of a call; null: the vendor's own limit."),
  calls_per_minute: described(nullable(COUNT), "Of each instance of the Worker, and so approximate; null: any number."),
};

const DESTINATION = schema("Destination", object(MEMBERS));
/** As a list has it: with how delivery there stands. */
const LISTED = schema("ListedDestination", object({ ...MEMBERS, ...STANDING }));
const NEW_STANDING = standingBody(mergedStanding([]));

const EXAMPLE = {
  name: "acme-zuora",
  dialect: "zuora",
  base_url: "https://rest.eu.zuora.com",
  ingest_path: null,
  token_url: null,
  client_id: "client-1",
  client_secret_set: true,
  api_key_set: false,
  max_bytes: null,
  max_events: null,
  calls_per_minute: 600,
};

const LIST_EXAMPLE = {
  items: [
    {
      ...EXAMPLE,
      ...{ state: "waiting", since: "2026-11-01T10:05:04.012Z", why: ["credentials refused (answered 401)"] },
      lanes_waiting: 0,
    },
  ],
  next: null,
};

const WANTED = jsonBody({
  schema: lateSchema("DestinationRequest", () => zodSchema(destinationSchema)),
  example: {
    dialect: EXAMPLE.dialect,
    base_url: EXAMPLE.base_url,
    client_id: EXAMPLE.client_id,
    calls_per_minute: EXAMPLE.calls_per_minute,
  },
  bytesMax: () => BODY_BYTES_MAX,
  read: checkedBy(destinationSchema, "the destination is not valid"),
});

const NAME = segment("The destination's name: 1 to 64 of A-Z, a-z, 0-9, dot, dash and underscore.", EXAMPLE.name);

async function listDestinations(c: WeirContext, after: string, limit: number): Promise<Response> {
  const { destinations, standing } = c.get("services");
  const [records, standings] = await Promise.all([
    destinations.list(after, limit + 1),
    standing.named(after, limit + 1),
  ]);
  const standingOf = new Map(standings.map((one) => [one.destination, standingBody(one)]));
  // One that was made between the two reads has nothing that waits.
  const items = records.slice(0, limit).map((one) => ({ ...one, ...(standingOf.get(one.name) ?? NEW_STANDING) }));
  return c.json({ items, next: records.length > limit ? (items.at(-1)?.name ?? null) : null });
}

async function putDestination(c: WeirContext, name: string, wanted: DestinationRequest): Promise<Response> {
  const errors = [...nameErrors(name), ...urlErrors(c, wanted)];
  if (errors.length > 0) return refuse(c, 400, "the destination is not valid", errors);
  const { destinations, directory } = c.get("services");
  const outcome = await destinations.put(name, wanted, writerOf(c));
  directory.forget();
  switch (outcome.kind) {
    case "put":
      return c.json(outcome.record);
    case "no-key":
      return refuse(c, 503, `there is no key to seal the secret with: ${KEY_ADVICE}`);
    case "used":
      return refuse(c, 409, "its dialect cannot change while a tenant's events go to it");
  }
}

function nameErrors(name: string): ValidationError[] {
  const field = "name";
  if (!DESTINATION_NAME.test(name)) return [validationError("has a form that is not accepted here", { field })];
  if (name !== DEFAULT_DESTINATION) return [];
  return [validationError(`${DEFAULT_DESTINATION} is what the Worker's settings describe`, { field })];
}

function urlErrors(c: WeirContext, wanted: DestinationRequest): ValidationError[] {
  const { loopbackDestinations } = c.get("services").settings;
  return (["base_url", "token_url"] as const).flatMap((field) => {
    const url = wanted[field];
    const error = url === undefined ? null : urlError(url, loopbackDestinations);
    return error === null ? [] : [validationError(error, { field })];
  });
}

async function deleteDestination(c: WeirContext, name: string): Promise<Response> {
  const outcome = await c.get("services").destinations.delete(name, writerOf(c));
  if (outcome === "missing") return refuse(c, 404, "there is no such destination");
  if (outcome === "used") return refuse(c, 409, "a tenant's events go to it, or wait for it");
  return c.body(null, 204);
}

export const destinationRoutes = [
  route(
    {
      method: "get",
      path: "/admin/destinations",
      permission: OPERATOR,
      query: { limit: LIMIT, cursor: cursor("", (text) => text) },
      id: "listDestinations",
      tag: "Tenants",
      summary: "List destinations, without their secrets, and how delivery there stands",
      description: `The one that the Worker's settings describe, \`${DEFAULT_DESTINATION}\`, is not among them.`,
      answers: { 200: answer("A page of destinations.", pageOf(LISTED), LIST_EXAMPLE) },
    },
    (c, { query }) => listDestinations(c, query.cursor, query.limit),
  ),
  route(
    {
      method: "put",
      path: "/admin/destinations/:name",
      permission: OPERATOR,
      params: { name: NAME },
      body: WANTED,
      id: "putDestination",
      tag: "Tenants",
      summary: "Make a destination, or replace it",
      description:
        "A secret that is not sent stays as it is; every other field that is absent is unset. " +
        "Without the Worker's secret DESTINATION_KEY no secret is taken: 503.",
      answers: { 200: answer("The destination as it stands now.", DESTINATION, EXAMPLE) },
      refusals: [409],
    },
    (c, { path, body }) => putDestination(c, path.name, body),
  ),
  route(
    {
      method: "delete",
      path: "/admin/destinations/:name",
      permission: OPERATOR,
      params: { name: NAME },
      id: "deleteDestination",
      tag: "Tenants",
      summary: "Delete a destination that nothing goes to",
      answers: { 204: emptyAnswer("It is gone.") },
      refusals: [409],
    },
    (c, { path }) => deleteDestination(c, path.name),
  ),
];
