/**
 * Which events are the same, sent to an agent: it answers with the ids that the edge files them under, knows the repeats
 * of an idempotency key by itself, and the rest is counted once by the edge, as the model says.
 */
import { createHash } from "node:crypto";
import { expect, it } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import {
  bodiesOf,
  createIdentityModel,
  KINDS,
  type Kind,
  NAMED_BY,
  SCOPES,
  type SentBody,
  sentEvent,
} from "../support/identity-model.ts";
import { identityRequest } from "../support/identity-request.ts";
import { METER, putCatalog, type River } from "../support/river.ts";
import { startRiver } from "./support.ts";

const FIELDS = [
  { name: "UsageDate", type: "date-time", required: true },
  { name: "Quantity", type: "number", required: true },
  { name: "Id", type: "string", required: false },
];

/** A key that may name the entities, orgs and platforms of the table. */
async function createKey(river: River): Promise<string> {
  const response = await fetch(`${river.edge.url}/admin/api-keys`, {
    method: "POST",
    headers: { "x-api-key": LOCAL_KEYS.admin, "content-type": "application/json" },
    body: JSON.stringify({
      name: "agent",
      permissions: ["METER_DATA.INGEST"],
      entity_ids: ["e1", "e2"],
      org_ids: ["e1"],
      platform_ids: ["p1", "p2"],
    }),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { key: string }).key;
}

/** Without a position of its own: an agent refuses one from a client, and gives it. */
async function send(url: string, kind: Kind, sent: SentBody) {
  const { path, init } = identityRequest(kind, METER, { ...sent, producer: null });
  const response = await fetch(url + path, init);
  expect(response.status).toBe(200);
  return ((await response.json()) as { results: { id: string; status: string }[] }).results;
}

const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX = { usage: "usev_", persist: "prda_", charge: "chda_", adjustment: "adda_", "meter-data": "mtda_" };

/** The id of an event with an own id, by the documented formula in big integers. */
function idOf(kind: Kind, scope: Readonly<Record<string, string>>, ownId: string): string {
  const named = [
    ["entity", scope["zuora-entity-ids"]],
    ["org", scope["zuora-org-ids"]],
    ["platform", scope["x-platform-id"]],
  ].flatMap(([name, ids]) => (ids === undefined ? [] : [`"${name}":"${ids.replaceAll(" ", "")}"`]));
  const where = named.length === 0 ? "" : `s:{${named.join(",")}}\n`;
  const stream = kind === "usage" ? `usage/${METER}` : kind;
  const hash = createHash("sha256").update(`${kind}\n${stream}\n${where}i:${ownId}`).digest("hex");
  let rest = BigInt(`0x${hash}`) % 62n ** 20n;
  let digits = "";
  for (let i = 0; i < 20; i++, rest /= 62n) digits = DIGITS.charAt(Number(rest % 62n)) + digits;
  return PREFIX[kind] + digits;
}

it("an agent gives the ids that the edge files, and each event of the model's is counted once", async () => {
  const river = await startRiver({ ZUORA_BASE_URL: "", SOLVIMON_BASE_URL: "" });
  await putCatalog(river.edge.url, {
    streams: [{ meter_global_id: METER, fields: FIELDS, event_id_field: "Id" }],
  });
  const agent = await river.startAgent({ env: { WEIR_API_KEY: await createKey(river) } });
  const filed = new Set<string>();
  for (const kind of KINDS) {
    for (const by of NAMED_BY) {
      // Positions are the agent's own to give; usage carries its time always.
      if (by === "position" || (by === "none" && kind === "usage")) continue;
      const model = createIdentityModel();
      // Repeats that carry neither id nor key are the whole body's, which has tests of its own.
      const isNamed = by === "own id" || by === "key";
      const bodies = SCOPES.flatMap((scope, i): SentBody[] => {
        const single = { events: [sentEvent(kind, by, 10 * i)], scope, key: null, producer: null, position: 1 };
        return isNamed ? bodiesOf(kind, by, scope, 0) : [single];
      });
      for (const body of bodies) {
        const results = await send(agent.url, kind, body);
        const expected = model.take(body);
        const about = `${kind} by ${by}: ${JSON.stringify(body)}`;
        if (by === "key")
          expect(
            results.map(({ status }) => status),
            about,
          ).toEqual(expected.map(({ fate }) => fate));
        for (const [i, event] of body.events.entries()) {
          if (event.ownId !== null) expect(results[i]?.id, about).toBe(idOf(kind, body.scope, event.ownId));
          if (expected[i]?.fate === "accepted") filed.add(results[i]?.id ?? "");
        }
      }
    }
  }
  const rows = async () => (await river.edgeRows()).reduce((sum, row) => sum + row.accepted, 0);
  await until(async () => (await rows()) >= filed.size, { what: "the events at the edge", timeoutMs: 120_000 });
  await until(
    async () => {
      const status = (await (await fetch(`${agent.url}/status`)).json()) as { ledger: { pending: number } };
      return status.ledger.pending === 0;
    },
    { what: "the agent to be empty", timeoutMs: 120_000 },
  );
  expect(await listed(river)).toEqual(filed);
  expect(await rows()).toBe(filed.size);
});

async function listed(river: River): Promise<Set<string>> {
  const ids = new Set<string>();
  let cursor = "";
  do {
    const response = await fetch(`${river.edge.url}/admin/events?limit=1000${cursor}`, {
      headers: { "x-api-key": LOCAL_KEYS.admin },
    });
    const page = (await response.json()) as { items: { id: string }[]; next: string | null };
    for (const { id } of page.items) ids.add(id);
    cursor = page.next === null ? "" : `&cursor=${page.next}`;
  } while (cursor !== "");
  return ids;
}
