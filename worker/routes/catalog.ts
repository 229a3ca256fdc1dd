/** The tenant's catalog: read and replaced whole by its admin, read as event schemas by agents. */
import type { Hono } from "hono";
import { bodyCodingOf } from "../../shared/intake/headers.ts";
import { bodyError } from "../../shared/intake/usage-body.ts";
import { scanDocument } from "../../shared/json/document.ts";
import { decodeBody } from "../../shared/json/utf8.ts";
import { JsonNumber, type JsonValue } from "../../shared/json/value.ts";
import { HEADER } from "../../shared/wire.ts";
import { checkCatalog } from "../catalog/checks/document.ts";
import { refuse, type WeirContext, type WeirEnv } from "../context.ts";
import { readBody } from "../intake/read-body.ts";
import { requirePermission } from "../middleware/authenticate.ts";
import { tenantOf } from "./tenant.ts";

/** One D1 value holds at most 2 MB. */
const CATALOG_BYTES_MAX = 1_900_000;

export function registerCatalog(app: Hono<WeirEnv>): void {
  app.get("/admin/catalog", requirePermission("WEIR.ADMIN", "WEIR.OPERATOR"), getCatalog);
  app.put("/admin/catalog", requirePermission("WEIR.ADMIN", "WEIR.OPERATOR"), putCatalog);
  app.get("/schemas", requirePermission("METER_DATA.INGEST"), getSchemas);
}

async function getCatalog(c: WeirContext): Promise<Response> {
  const { catalogs, clock } = c.get("services");
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  return c.json((await catalogs.load(tenant, clock.now(), true)).document);
}

async function putCatalog(c: WeirContext): Promise<Response> {
  const tenant = tenantOf(c);
  if (tenant === null) return refuse(c, 403, "the key may not name another tenant");
  const coding = bodyCodingOf(c.req.header(HEADER.contentEncoding));
  if (coding === null) return refuse(c, 415, "send Content-Encoding gzip, or none");
  const read = await readBody(c.req.raw.body, coding, CATALOG_BYTES_MAX);
  if (read.kind === "too-large") return refuse(c, 413, `the catalog has more than ${CATALOG_BYTES_MAX} bytes`);
  if (read.kind === "broken") return refuse(c, 400, "the body ended early or is not valid gzip");
  const decoded = decodeBody(read.bytes);
  const scanned = decoded.kind === "text" ? scanDocument(decoded.text) : decoded;
  if (scanned.kind === "invalid") {
    const fault = bodyError(scanned.error);
    return refuse(c, 400, fault.message, [fault]);
  }
  const checked = checkCatalog(plainValue(scanned.value));
  if (checked.kind === "faults") {
    return refuse(c, 400, "the catalog is not valid; the old one stands", checked.faults);
  }
  await c.get("services").catalogs.replace(tenant, checked.catalog);
  return c.json(checked.catalog);
}

/** A scanned value as plain objects and numbers; a catalog's numbers are small integers, its decimals strings. */
function plainValue(value: JsonValue): unknown {
  if (value instanceof JsonNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(plainValue);
  if (value instanceof Map) return Object.fromEntries([...value].map(([key, member]) => [key, plainValue(member)]));
  return value;
}

async function getSchemas(c: WeirContext): Promise<Response> {
  const { catalogs, clock } = c.get("services");
  const catalog = await catalogs.load(c.get("principal").tenant, clock.now(), true);
  const tag = `"catalog-${catalog.version}"`;
  c.header("ETag", tag);
  c.header("Cache-Control", "private, no-cache");
  const known = (c.req.header("if-none-match") ?? "").split(",").map((item) => item.trim().replace(/^W\//, ""));
  if (known.includes(tag) || known.includes("*")) return c.body(null, 304);
  return c.json({ streams: catalog.document.streams });
}
