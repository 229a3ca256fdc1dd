import { expect, it } from "vitest";
import { SOLVIMON } from "../../shared/events/kind.ts";
import { withTimestamp } from "../../shared/intake/solvimon-answer.ts";
import { until } from "../../tools/processes/until.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { SOLVIMON_KINDS, solvimonEvent } from "../agent/support/solvimon-events.ts";
import { startRiver } from "./support.ts";

interface Resource {
  readonly id: string;
  readonly timestamp: string;
}

it("Solvimon's events accepted by an agent without an edge arrive as the 201 said, under the id it gave", async () => {
  const river = await startRiver();
  await river.edge.stop();
  const agent = await river.startAgent();
  const headers = { "content-type": "application/json", "x-platform-id": "platform-1" };
  const answered: { readonly kind: string; readonly source: string; readonly resource: Resource }[] = [];
  for (const kind of SOLVIMON_KINDS) {
    for (const more of ["", '"reference":"reference-1"', '"timestamp":"2026-01-02T03:04:05Z"']) {
      const source = solvimonEvent(kind, more);
      const url = `${agent.url}/v1${SOLVIMON[kind].paths.single[0]}`;
      const response = await fetch(url, { method: "POST", headers, body: source });
      expect(response.status).toBe(201);
      answered.push({ kind, source, resource: (await response.json()) as Resource });
    }
  }
  await river.edge.restart();
  await until(async () => (await river.twinCounts()).events === answered.length, {
    what: "the events at the twin",
    timeoutMs: 120_000,
  });
  const expected = answered.map(({ source, resource }) => withTimestamp(source, resource.timestamp));
  expect((await river.twinEvents()).toSorted()).toEqual(expected.toSorted());
  for (const { resource } of answered) {
    const found = await fetch(`${river.edge.url}/v1/events/${resource.id}`, {
      headers: { "x-api-key": LOCAL_KEYS.ingest },
    });
    expect([resource.id, found.status, await found.json()]).toEqual([resource.id, 200, resource]);
  }
});
