/** The counts that prove it: a tenant's whole ledger for its admin, a producer's rows for its agent. */
import { bytesToHex, hexToBytes, utf8ToBytes } from "@noble/hashes/utils.js";
import { KINDS, usageStream } from "../../shared/events/kind.ts";
import type { WeirContext } from "../context.ts";
import { cursor, limitOf, pageOf } from "../http/page.ts";
import { whole } from "../http/parameters.ts";
import { ADMIN, route } from "../http/route.ts";
import type { LedgerKey } from "../ledger/ledger.ts";
import { answer } from "../openapi/answers.ts";
import { schema } from "../openapi/component.ts";
import { COUNT, choice, described, type JsonSchema, list, object, TEXT } from "../openapi/json-schema.ts";
import { PRODUCER, STREAM, STREAM_NAME, THIS_PRODUCER } from "./filters.ts";

const DIGEST: JsonSchema = { type: "string", pattern: "^[0-9a-f]{16}$" };
const COUNTS = ["accepted", "duplicates", "conflicts", "pending", "delivered", "quarantined", "discarded"];

const LEDGER_ROW = schema(
  "LedgerRow",
  object(
    {
      kind: choice(KINDS),
      stream: STREAM_NAME,
      ...Object.fromEntries(COUNTS.map((name) => [name, COUNT])),
      gaps: described(
        list(list(COUNT, { minItems: 2, maxItems: 2 }), { maxItems: 1000 }),
        "Positions missing between first and last, ends inclusive; further ones by gaps_after.",
      ),
      digest: described(
        DIGEST,
        "Over position and bytes of every position taken, whatever their order; without a producer over what each event is known by.",
      ),
      digested: described(COUNT, "How many events the digest covers: all but those taken before there was one."),
    },
    {
      producer: TEXT,
      first_sequence: COUNT,
      last_sequence: COUNT,
      gaps_total: COUNT,
    },
    { description: "accepted = pending + delivered + quarantined + discarded." },
  ),
);

const EXAMPLE = {
  kind: "usage",
  stream: usageStream("web-egress"),
  producer: "plant-7",
  accepted: 100,
  duplicates: 2,
  conflicts: 0,
  pending: 10,
  delivered: 89,
  quarantined: 1,
  discarded: 0,
  first_sequence: 1,
  last_sequence: 101,
  gaps: [[40, 40]],
  gaps_total: 1,
  digest: "0123456789abcdef",
  digested: 100,
};

const ROWS = answer("A row a stream and producer, in this order.", pageOf(LEDGER_ROW), {
  items: [EXAMPLE],
  next: null,
});

const GAPS_AFTER = whole(
  { min: 0, max: Number.MAX_SAFE_INTEGER, absent: 0 },
  "Gaps are listed that begin after this position: the end of the last one listed gives the next page.",
  1,
  "gaps_after is a position, say the end of the last gap listed",
);

const LIMIT = limitOf(1000);

/** A cursor is the row it goes on with: producer, a slash and stream, in hex, since a meter's id holds any character. */
const CURSOR = cursor<LedgerKey | undefined>(undefined, (text) => {
  if (!/^(?:[0-9a-f]{2})+$/.test(text)) return null;
  const [, producer, stream] = /^([^/]*)\/(.+)$/s.exec(new TextDecoder().decode(hexToBytes(text))) ?? [];
  return producer === undefined || stream === undefined ? null : { producer, stream };
});

function cursorText({ producer, stream }: LedgerKey): string {
  return bytesToHex(utf8ToBytes(`${producer}/${stream}`));
}

interface RowFilter {
  readonly producer: string | null;
  readonly stream: string | null;
  readonly gaps_after: number;
  readonly limit: number;
  readonly cursor: LedgerKey | undefined;
}

async function answerRows(c: WeirContext, query: RowFilter): Promise<Response> {
  const { producer, stream, gaps_after: gapsAfter, cursor: from, limit } = query;
  const { rows, next } = await c.get("services").ledger.rows(c.get("tenant"), {
    producer: producer ?? undefined,
    stream: stream ?? undefined,
    gapsAfter,
    from,
    limit,
  });
  return c.json({ items: rows, next: next === null ? null : cursorText(next) });
}

export const ledgerRoutes = [
  route(
    {
      method: "get",
      path: "/admin/ledger",
      permission: ADMIN,
      query: { producer: PRODUCER, stream: STREAM, gaps_after: GAPS_AFTER, limit: LIMIT, cursor: CURSOR },
      id: "getLedger",
      tag: "Ledger",
      summary: "Read the counts of every stream and producer",
      answers: { 200: ROWS },
    },
    (c, { query }) => answerRows(c, query),
  ),
  route(
    {
      method: "get",
      path: "/ledger",
      permission: ["METER_DATA.INGEST"],
      query: { producer: THIS_PRODUCER, stream: STREAM, gaps_after: GAPS_AFTER, limit: LIMIT, cursor: CURSOR },
      id: "getProducerLedger",
      tag: "Ledger",
      summary: "Read a producer's own counts, to hold its ledger against them",
      answers: { 200: ROWS },
    },
    (c, { query }) => answerRows(c, query),
  ),
];
