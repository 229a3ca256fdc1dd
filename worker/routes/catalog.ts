/** The tenant's catalog: read and replaced whole by its admin, read as event schemas by agents. */
import { DEFAULT_FIELDS, streamSchema } from "../../shared/events/stream-schema.ts";
import { boundsErrors } from "../catalog/checks/bounds.ts";
import { checkCatalog } from "../catalog/checks/document.ts";
import { type Catalog, catalogSchema } from "../catalog/schema/document.ts";
import { refuse, type WeirContext, writerOf } from "../context.ts";
import { type BodyOutcome, jsonBody, notValid, readPlain } from "../http/body.ts";
import { ADMIN, type Refusal, route } from "../http/route.ts";
import { ANSWER_HEADER, answer, emptyAnswer } from "../openapi/answers.ts";
import { lateSchema } from "../openapi/component.ts";
import { IF_MATCH, IF_NONE_MATCH } from "../openapi/headers.ts";
import { list, object } from "../openapi/json-schema.ts";
import { zodSchema } from "../openapi/zod-schema.ts";
import { UNBOUNDED } from "../tenants/bounds.ts";

/** One D1 value holds at most 2 MB. */
const CATALOG_BYTES_MAX = 1_900_000;

const CATALOG = lateSchema("Catalog", () => zodSchema(catalogSchema));
const STREAM_SCHEMA = lateSchema("StreamSchema", () => zodSchema(streamSchema));
const EXAMPLE = {
  settings: { catalog: "pass" },
  streams: [{ meter_global_id: "web-egress", name: "Web egress", fields: DEFAULT_FIELDS }],
};

function readCatalog(text: string): BodyOutcome<Catalog> {
  const document = readPlain(text);
  if (document.kind === "refused") return document;
  const checked = checkCatalog(document.body);
  if (checked.kind === "catalog") return { kind: "body", body: checked.catalog };
  return notValid(checked.errors, "the catalog is not valid; the old one stands");
}

const etagOf = (version: number): string => `"catalog-${version}"`;

async function getCatalog(c: WeirContext): Promise<Response> {
  const { catalogs, clock } = c.get("services");
  const { version, document } = await catalogs.load(c.get("tenant"), clock.now(), true);
  c.header("ETag", etagOf(version));
  return c.json(document);
}

/** Which versions a PUT may replace; null for any. A tag that Weir never gave is no version's. */
function versionsOf(ifMatch: string): readonly number[] | null {
  if (ifMatch.trim() === "*") return null;
  return ifMatch.split(",").flatMap((tag) => {
    const version = /^"catalog-(\d{1,15})"$/.exec(tag.trim())?.[1];
    return version === undefined ? [] : [Number(version)];
  });
}

const NOT_SAID = { status: 428, message: "send If-Match with the ETag of GET /admin/catalog, or *" } as const;
const ANOTHER = {
  status: 412,
  message: "the catalog is not the one that If-Match names; the old one stands",
} as const;

/** Whoever edits another catalog than the one that stands is told that first, not what is wrong with the edit. */
async function ifMatchUnmet(c: WeirContext): Promise<Refusal | null> {
  const ifMatch = c.req.header("if-match");
  if (ifMatch === undefined) return NOT_SAID;
  const { catalogs, clock } = c.get("services");
  const versions = versionsOf(ifMatch);
  if (versions === null) return null;
  const { version } = await catalogs.load(c.get("tenant"), clock.now(), true);
  return versions.includes(version) ? null : ANOTHER;
}

async function putCatalog(c: WeirContext, catalog: Catalog): Promise<Response> {
  const { tenants, catalogs } = c.get("services");
  const errors = boundsErrors(catalog, (await tenants.find(c.get("tenant")))?.allowed ?? UNBOUNDED);
  if (errors.length > 0)
    return refuse(c, 400, "the catalog goes beyond what the tenant may use; the old one stands", errors);
  const versions = versionsOf(c.req.header("if-match") ?? "");
  // Compared again as it is written: another admin may have been faster since the precondition was looked at.
  const version = await catalogs.replace(c.get("tenant"), catalog, versions, writerOf(c));
  if (version === null) return refuse(c, ANOTHER.status, ANOTHER.message);
  c.header("ETag", etagOf(version));
  return c.json(catalog);
}

async function getSchemas(c: WeirContext): Promise<Response> {
  const { catalogs, clock } = c.get("services");
  const catalog = await catalogs.load(c.get("tenant"), clock.now(), true);
  const tag = etagOf(catalog.version);
  c.header("ETag", tag);
  c.header("Cache-Control", "private, no-cache");
  const known = (c.req.header("if-none-match") ?? "").split(",").map((item) => item.trim().replace(/^W\//, ""));
  if (known.includes(tag) || known.includes("*")) return c.body(null, 304);
  const { streams, settings } = catalog.document;
  const { deduplicate_by_content } = settings;
  return c.json({ streams, ...(deduplicate_by_content === undefined ? {} : { settings: { deduplicate_by_content } }) });
}

const SCHEMAS_SETTINGS = object({
  deduplicate_by_content: {
    type: "object",
    additionalProperties: { type: "boolean" },
    description: "As in the catalog: by Solvimon's kinds, those that are absent are.",
  },
});

const VERSION_HEADERS = { ...ANSWER_HEADER.etag, ...ANSWER_HEADER.cacheControl };

export const catalogRoutes = [
  route(
    {
      method: "get",
      path: "/admin/catalog",
      permission: ADMIN,
      id: "getCatalog",
      tag: "Catalog",
      summary: "Read the catalog; what this gives, PUT takes",
      answers: { 200: answer("The whole catalog.", CATALOG, EXAMPLE, ANSWER_HEADER.etag) },
    },
    getCatalog,
  ),
  route(
    {
      method: "put",
      path: "/admin/catalog",
      permission: ADMIN,
      headers: [IF_MATCH],
      precondition: ifMatchUnmet,
      body: jsonBody({ schema: CATALOG, example: EXAMPLE, bytesMax: () => CATALOG_BYTES_MAX, read: readCatalog }),
      id: "putCatalog",
      tag: "Catalog",
      summary: "Replace the catalog",
      description:
        "Checked whole and applied whole; a 400 lists every error, and the old catalog stands. " +
        "It must be the one that If-Match names: else 412, and without the header 428, both before the body is read.",
      refusals: [412, 428],
      answers: { 200: answer("The catalog as it stands now.", CATALOG, EXAMPLE, ANSWER_HEADER.etag) },
    },
    (c, { body }) => putCatalog(c, body),
  ),
  route(
    {
      method: "get",
      path: "/schemas",
      permission: ["METER_DATA.INGEST"],
      headers: [IF_NONE_MATCH],
      id: "getSchemas",
      tag: "Catalog",
      summary: "Read the event schemas, as agents do",
      answers: {
        200: answer(
          "The catalog's streams, and of its settings what bears on events.",
          object({ streams: list(STREAM_SCHEMA) }, { settings: SCHEMAS_SETTINGS }),
          { streams: EXAMPLE.streams, settings: { deduplicate_by_content: { charge: false } } },
          VERSION_HEADERS,
        ),
        304: emptyAnswer("What you have still stands.", VERSION_HEADERS),
      },
    },
    getSchemas,
  ),
];
