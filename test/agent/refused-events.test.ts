/** What is refused or goes to quarantine leaves a line in the agent's log, and never an event in it. */
import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { logLines } from "./support/log-lines.ts";
import { EVENT, setup } from "./support/setup.ts";

const SECRET = "cus_nobody_may_read";
const PATH = "/meters/streaming/ingestion";
const REFUSED = "events were refused";

test("a refused body, a quarantined event and one that the destination refuses are logged, each stream's first at once", async () => {
  const { logger, lines } = logLines();
  await using agent = await setup({
    logger,
    reply: (call) => (call.path.endsWith("/turned-away") ? { status: 400, body: { message: SECRET } } : undefined),
  });
  const bad = `{"CustomerId":"${SECRET}","UsageIdentifier":"u","UsageDate":"${SECRET}","Quantity":1}`;
  const told = () => lines.filter(({ msg }) => msg === REFUSED);
  await agent.post(`${PATH}/strict`, `[${bad},${EVENT}]`);
  await agent.post(`${PATH}/lenient`, `[${bad},${EVENT}]`, { prefer: "handling=lenient" });
  await agent.post(`${PATH}/broken`, `{"${SECRET}":`);
  await agent.post(`${PATH}/turned-away`, EVENT);
  await until(() => told().length === 4, { what: "a line of each" });
  const first = { code: 70000000, field: "UsageDate" };
  expect(told()).toMatchObject([
    { stream: "usage/strict", requests: 1, refused: 2, conflicts: 0, quarantined: 0, first },
    { stream: "usage/lenient", requests: 1, refused: 0, conflicts: 0, quarantined: 1, first },
    { stream: "usage/broken", requests: 1, refused: 0, conflicts: 0, quarantined: 0 },
    { stream: "usage/turned-away", quarantined: 1, first: { why: "the destination answered 400" } },
  ]);
  expect(JSON.stringify(lines)).not.toContain(SECRET);
});

test("a thousand refused bodies leave one line, and at the end one with the rest of them", async () => {
  const { logger, lines } = logLines();
  const agent = await setup({ logger });
  for (let i = 0; i < 1000; i++) await agent.post(`${PATH}/m`, "{}");
  const told = () => lines.filter(({ msg }) => msg === REFUSED);
  expect(told()).toHaveLength(1);
  await agent[Symbol.asyncDispose]();
  expect(told().map(({ requests, refused }) => [requests, refused])).toEqual([
    [1, 1],
    [999, 999],
  ]);
});
