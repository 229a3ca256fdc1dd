/**
 * Which events are the same: every kind, by whatever it is known, wherever it goes, twice in a body, twice in two bodies
 * and in other sizes of bodies, against a model.
 */
import { describe, expect, it, test } from "vitest";
import {
  bodiesOf,
  createIdentityModel,
  KINDS,
  type Kind,
  NAMED_BY,
  type NamedBy,
  SCOPES,
  type SentBody,
  sentEvent,
} from "../support/identity-model.ts";
import { identityRequest } from "../support/identity-request.ts";
import { modelRuns } from "../support/model-runs.ts";
import { bindings, setupEdge, type TestEdge } from "./support/edge.ts";

const METER = "identity";

const SCOPES_TRIED = modelRuns({ full: SCOPES.length, short: 2 });

interface Result {
  readonly id: string;
  readonly status: string;
}

/** An edge whose key may name the entities, orgs and platforms of the table. */
async function setup(catalog: object = {}, lists: { entityIds?: string[]; orgIds?: string[] } = {}): Promise<TestEdge> {
  const edge = await setupEdge({ vars: { SOLVIMON_BASE_URL: "", ZUORA_BASE_URL: "" } });
  const { entityIds = ["e1", "e2"], orgIds = ["e1", "o1"] } = lists;
  await bindings.LEDGER.prepare(
    'UPDATE api_keys SET entity_ids = ?2, org_ids = ?3, platform_ids = \'["p1","p2"]\' WHERE tenant = ?1',
  )
    .bind(edge.tenant, JSON.stringify(entityIds), JSON.stringify(orgIds))
    .run();
  const stream = { meter_global_id: METER, fields: FIELDS, event_id_field: "Id" };
  expect((await edge.putCatalog({ streams: [stream], ...catalog })).status).toBe(200);
  return edge;
}

const FIELDS = [
  { name: "UsageDate", type: "date-time", required: true },
  { name: "Quantity", type: "number", required: true },
  { name: "Id", type: "string", required: false },
];

function streamOf(kind: Kind): string {
  return kind === "usage" ? `usage/${METER}` : kind;
}

async function send(edge: TestEdge, kind: Kind, sent: SentBody) {
  const { path, init } = identityRequest(kind, METER, sent);
  const response = await edge.request(path, init);
  const answer = await response.json<{ results: Result[]; message: string }>();
  expect([response.status, answer.message]).toEqual([200, answer.message]);
  return answer.results;
}

/** The ids that the ledger lists of a stream. */
async function stored(edge: TestEdge, kind: Kind): Promise<Set<string>> {
  const found = new Set<string>();
  let cursor = "";
  do {
    const path = `/admin/events?stream=${encodeURIComponent(streamOf(kind))}&limit=1000${cursor}`;
    const listed = await edge.request(path);
    const page = await listed.json<{ items: { id: string }[]; next: string | null }>();
    for (const { id } of page.items) found.add(id);
    cursor = page.next === null ? "" : `&cursor=${page.next}`;
  } while (cursor !== "");
  return found;
}

/** Sends bodies to the edge and to the model, and holds the one against the other. */
async function compare(edge: TestEdge, kind: Kind, bodies: readonly SentBody[], comparesContent = true) {
  const model = createIdentityModel(comparesContent);
  const idByName = new Map<string, string>();
  for (const [i, body] of bodies.entries()) {
    const results = await send(edge, kind, body);
    const expected = model.take(body);
    const about = `body ${i}: ${JSON.stringify(body)}`;
    expect(
      results.map(({ status }) => status),
      about,
    ).toEqual(expected.map(({ fate }) => fate));
    for (const [index, { name }] of expected.entries()) {
      const id = results[index]?.id ?? "";
      expect(idByName.get(name) ?? id, about).toBe(id);
      idByName.set(name, id);
    }
  }
  expect(new Set(idByName.values()).size).toBe(idByName.size);
  const accepted = new Set([...model.accepted.keys()].map((name) => idByName.get(name)));
  expect(await stored(edge, kind), "as read back").toEqual(accepted);
  const rows = (await edge.ledger()).filter(({ stream }) => stream === streamOf(kind));
  expect(rows.reduce((sum, row) => sum + row.accepted, 0)).toBe(model.accepted.size);
  return { model, ids: [...idByName.values()] };
}

const CASES = KINDS.flatMap((kind) => NAMED_BY.map((by) => [kind, by] as const));

describe("the same event", () => {
  test.each(CASES)("of %s by %s is the model's, wherever it goes and however it is cut", async (kind, by) => {
    const edge = await setup();
    const bodies = SCOPES.slice(0, SCOPES_TRIED).flatMap((scope, i) =>
      bodiesOf(kind, by, scope, by === "position" ? 100 * i : 0),
    );
    const { ids } = await compare(edge, kind, bodies);
    const path = kind === "usage" ? "/admin/events/" : "/v1/events/";
    for (const id of ids.slice(0, 10)) {
      const one = await edge.request(path + id);
      expect([id, one.status]).toEqual([id, 200]);
      expect(await one.json()).toMatchObject({ id });
    }
  });

  test.each(KINDS)("of %s is always another one where contents are not compared", async (kind) => {
    const settings = { deduplicate_by_content: { [kind]: false } };
    const stream = { meter_global_id: METER, fields: FIELDS, event_id_field: "Id", deduplicate_by_content: false };
    const edge = await setup(kind === "usage" ? { streams: [stream] } : { settings });
    const bodies = (["content", "own id", "key", "none"] as NamedBy[]).flatMap((by, i) =>
      SCOPES.slice(0, 2).flatMap((scope) => bodiesOf(kind, by, scope, 100 * i)),
    );
    await compare(edge, kind, bodies, false);
  });

  it("with other ids at a taken position is a conflict, though its bytes are the same", async () => {
    const edge = await setup();
    const body = { events: [sentEvent("charge", "position", 1)], key: null, producer: "p", position: 7 };
    const judged = SCOPES.map((scope) => ({ ...body, scope }));
    const { model } = await compare(edge, "charge", [...judged, ...judged]);
    expect(model.accepted.size).toBe(1);
  });
});
