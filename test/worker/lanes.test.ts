/** Who waits for whom: a lane for itself, all with the same credentials for those, nobody for another's mistake. */
import { afterEach, expect, it, vi } from "vitest";
import { STATEMENTS_MAX } from "../../worker/database/statement-budget.ts";
import { bindings, connectEdge, event, setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";
import { tapRuntime } from "./support/tapped.ts";

const MINUTE_MS = 60_000;
const E1 = { "zuora-entity-ids": "e1" };
const E2 = { "zuora-entity-ids": "e2" };

afterEach(async () => {
  vi.restoreAllMocks();
  await answerAgain();
  // What one test leaves waiting is swept by no other.
  await bindings.LEDGER.batch(
    ["DELETE FROM outbox", "DELETE FROM holds", "UPDATE shipments SET state = 'split' WHERE state = 'open'"].map(
      (sql) => bindings.LEDGER.prepare(sql),
    ),
  );
});

/** A tenant with one meter, a key that may name two entities, and a clock that the test turns. */
async function setup(vars: Record<string, string> = {}, fetching?: (url: string) => Promise<void>) {
  const base = await setupEdge();
  await bindings.LEDGER.prepare("DELETE FROM holds").run();
  await bindings.LEDGER.prepare(`UPDATE api_keys SET entity_ids = '["e1","e2"]' WHERE tenant = ?1`)
    .bind(base.tenant)
    .run();
  const meter = `lanes-${base.tenant}`;
  await base.putCatalog({ streams: [{ meter_global_id: meter }] });
  let now = Date.now();
  const connect = (tenant: string, more: Record<string, string> = {}) =>
    connectEdge(tenant, {
      vars: { BACKOFF_BASE_MS: "1000", BACKOFF_MAX_MS: String(MINUTE_MS), ...vars, ...more },
      runtime: {
        clock: { now: () => now },
        fetch: async (input, init) => {
          await fetching?.(String(input));
          return fetch(input, init);
        },
      },
    });
  return {
    edge: connect(base.tenant),
    connect,
    meter,
    pass: (ms: number) => {
      now += ms;
    },
    calls: () => callsOf(meter),
    row: async () => (await base.ledger()).find((row) => row.stream === `usage/${meter}`),
  };
}

const calls500 = async (meter: string) => (await callsOf(meter)).filter(({ status }) => status === 500);

async function callsOf(meter: string): Promise<{ status: number | null; events: number }[]> {
  const answer = await fetch(`${twinUrl()}/twin/requests`);
  const { items } = await answer.json<{ items: { path: string; status: number | null; events: number }[] }>();
  return items
    .filter(({ path }) => path.endsWith(`/${meter}`))
    .map(({ status, events: sent }) => ({ status, events: sent }));
}

/** What makes calls fail, by the text in their bodies. The twin is shared with other files' tests, each with its own. */
const failing = new Set<string>();

/** Takes back this file's failures alone. */
async function answerAgain(): Promise<void> {
  for (const contains of failing) {
    await fetch(`${twinUrl()}/twin/faults?${new URLSearchParams({ contains })}`, { method: "DELETE" });
  }
  failing.clear();
}

/** Calls whose body holds the text fare so, for ever. */
async function fail(contains: string, failure: Record<string, unknown>): Promise<void> {
  failing.add(contains);
  const script = [{ contains, times: 1_000_000, ...failure }];
  const answer = await fetch(`${twinUrl()}/twin/faults`, { method: "POST", body: JSON.stringify(script) });
  if (!answer.ok) throw new Error(await answer.text());
}

const sweep = (edge: TestEdge) => edge.services.delivery.sweep();
const named = (name: string, n = 0) => event({ CustomerId: name, Quantity: n });

it.each([403, 404, 431])(
  "a %i holds its lane alone: other ids of the same stream and other tenants go on",
  async (status) => {
    const { edge, meter, connect, calls, row } = await setup();
    const other = connect((await setupEdge()).tenant);
    await other.putCatalog({ streams: [{ meter_global_id: `other-${meter}` }] });
    await fail(`bad-${meter}`, { status });
    await edge.post(meter, named(`bad-${meter}`), E1);
    await sweep(edge);
    for (let n = 0; n < 5; n++) {
      await edge.post(meter, named("good", n), E2);
      await other.post(`other-${meter}`, named("theirs", n));
      await sweep(edge);
    }
    expect(await edge.twinEvents(meter)).toHaveLength(5);
    expect(await edge.twinEvents(`other-${meter}`)).toHaveLength(5);
    expect((await calls()).filter((call) => call.status === status)).toHaveLength(1);
    expect(await row()).toMatchObject({ accepted: 6, delivered: 5, pending: 1, quarantined: 0 });
    const [hold, ...more] = await edge.services.delivery.holds.list("", 10);
    expect(more).toEqual([]);
    expect(hold).toMatchObject({
      ...{ kind: "lane", vendor: "zuora", destination: "default", tenant: edge.tenant, stream: `usage/${meter}` },
      ...{ context: '{"entity":"e1"}', verdict: "pause", status, attempts: 1 },
    });
  },
);

it("what waits is tried by one call each BACKOFF_MAX_MS, and flows once that gets through", async () => {
  const { edge, meter, pass, calls, row } = await setup({ ZUORA_MAX_EVENTS: "1" });
  await fail(`bad-${meter}`, { status: 403, times: 4 });
  await edge.post(meter, `[${Array.from({ length: 6 }, (_, n) => named(`bad-${meter}`, n)).join(",")}]`, E1);
  await sweep(edge);
  const begun = (await calls()).length;
  expect(begun).toBeLessThanOrEqual(3);
  while ((await calls()).length < 4) {
    const before = (await calls()).length;
    await sweep(edge);
    expect(await calls()).toHaveLength(before);
    pass(MINUTE_MS);
    await Promise.all([sweep(edge), sweep(edge)]);
    expect(await calls()).toHaveLength(before + 1);
  }
  pass(MINUTE_MS);
  await sweep(edge);
  pass(MINUTE_MS);
  await sweep(edge);
  expect(await row()).toMatchObject({ delivered: 6, pending: 0, quarantined: 0 });
  expect(await edge.services.delivery.holds.list("", 10)).toEqual([]);
});

it.each([
  ["a 403", { status: 403 }],
  ["never-ending 500s", { status: 500 }],
])("what comes in while %s holds a lane is not packed: it leaves in few full calls", async (_, failure) => {
  const { edge, meter, pass, calls } = await setup();
  await fail(`bad-${meter}`, failure);
  for (let n = 0; n < 20; n++) {
    await edge.post(meter, named(`bad-${meter}`, n), E1);
    await sweep(edge);
    pass(200);
  }
  for (let n = 0; n < 10; n++) {
    pass(MINUTE_MS);
    await sweep(edge);
  }
  const { results } = await bindings.LEDGER.prepare("SELECT events FROM shipments WHERE tenant = ?1 AND state = 'open'")
    .bind(edge.tenant)
    .all();
  expect(results.length).toBeLessThanOrEqual(2);
  const tried = (await calls()).length;
  await answerAgain();
  pass(MINUTE_MS);
  await sweep(edge);
  pass(MINUTE_MS);
  await sweep(edge);
  expect(await edge.twinEvents(meter)).toHaveLength(20);
  expect((await calls()).length - tried).toBeLessThanOrEqual(3);
});

it("a call that fails for ever is no gate: the rest of its own lane flows past it", async () => {
  const { edge, meter, pass, row } = await setup();
  await fail(`poison-${meter}`, { status: 500 });
  await edge.post(meter, named(`poison-${meter}`), E1);
  await sweep(edge);
  for (let n = 0; n < 5; n++) {
    await edge.post(meter, named("good", n), E1);
    pass(MINUTE_MS);
    await sweep(edge);
  }
  expect(await row()).toMatchObject({ accepted: 6, delivered: 5, pending: 1, quarantined: 0 });
});

it("calls that hang keep nobody: another tenant is delivered while they do", async () => {
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  let hanging = 0;
  let told: () => void = () => {};
  const hangs = new Promise<void>((resolve) => {
    told = resolve;
  });
  const stuck = await setup({}, async (url) => {
    if (!url.includes("stuck")) return;
    hanging++;
    told();
    await gate;
  });
  const meters = Array.from({ length: 6 }, (_, n) => `stuck-${n}-${stuck.meter}`);
  const flowing = stuck.connect((await setupEdge()).tenant);
  await flowing.putCatalog({ streams: [{ meter_global_id: stuck.meter }] });
  await stuck.edge.putCatalog({ streams: meters.map((meter_global_id) => ({ meter_global_id })) });
  for (const meter of meters) await stuck.edge.post(meter, event());
  // One isolate: both tenants' work is done by the same instance.
  const { delivery } = stuck.edge.services;
  const held = Promise.all(
    meters.map((meter) => delivery.deliver({ tenant: stuck.edge.tenant, stream: `usage/${meter}` })),
  );
  await hangs;
  for (let n = 0; n < 3; n++) {
    await flowing.post(stuck.meter, event({ n }));
    await delivery.deliver({ tenant: flowing.tenant, stream: `usage/${stuck.meter}` });
    expect(await flowing.twinEvents(stuck.meter)).toHaveLength(n + 1);
  }
  expect(hanging).toBeLessThanOrEqual(3);
  release();
  await held;
  await delivery.sweep();
  for (const meter of meters) expect(await stuck.edge.twinEvents(meter)).toHaveLength(1);
});

it("wrong credentials hold all that uses them, one call tries, and once it is let in all go on", async () => {
  const { edge, connect, meter, pass } = await setup({ ZUORA_CLIENT_SECRET: "wrong" });
  for (const [n, headers] of [{}, E1, E2].entries()) await edge.post(meter, named("n", n), headers);
  await sweep(edge);
  pass(MINUTE_MS);
  await sweep(edge);
  const { results } = await bindings.LEDGER.prepare(
    "SELECT status FROM attempts JOIN shipments ON shipments.id = shipment WHERE tenant = ?1",
  )
    .bind(edge.tenant)
    .all<{ status: number }>();
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set([401]));
  expect(await edge.services.delivery.holds.list("", 10)).toMatchObject([
    { kind: "credentials", tenant: "", status: 401 },
  ]);
  const mended = connect(edge.tenant, { ZUORA_CLIENT_SECRET: "twin-secret" });
  pass(MINUTE_MS);
  await sweep(mended);
  expect(await edge.twinEvents(meter)).toHaveLength(3);
  expect(await edge.services.delivery.holds.list("", 10)).toEqual([]);
});

it("the log says when a lane begins to wait, each minute that it does, and when it ends", async () => {
  const { edge, meter, pass } = await setup();
  const lines: { message: string; tenant?: string; status: number }[] = [];
  for (const level of ["warn", "info"] as const) {
    vi.spyOn(console, level).mockImplementation((line: string) => void lines.push(JSON.parse(line)));
  }
  await fail(`bad-${meter}`, { status: 403, times: 2 });
  await edge.post(meter, named(`bad-${meter}`), E1);
  const said = async () => {
    await sweep(edge);
    return lines.splice(0).map(({ message, tenant, status }) => [message, tenant, status]);
  };
  expect(await said()).toEqual([["delivery waits", edge.tenant, 403]]);
  expect(await said()).toEqual([]);
  pass(MINUTE_MS);
  expect(await said()).toEqual([["delivery still waits", edge.tenant, 403]]);
  pass(MINUTE_MS);
  expect(await said()).toEqual([
    ["delivery still waits", edge.tenant, 403],
    ["delivery waits no longer", edge.tenant, 403],
  ]);
});

it("a line of the log holds the beginning of the response's text, its control characters escaped", async () => {
  const { edge, meter } = await setup();
  await fail(`bad-${meter}`, { status: 403 });
  await edge.post(meter, named(`bad-${meter}`), E1);
  await sweep(edge);
  const reason = `\u001b[2J\u009b1mno\u202e${"x".repeat(900)}`;
  await bindings.LEDGER.prepare("UPDATE holds SET reason = ?1, tell_at = 0").bind(reason).run();
  const reasons: string[] = [];
  vi.spyOn(console, "warn").mockImplementation((line: string) => void reasons.push(JSON.parse(line).reason));
  await sweep(edge);
  expect(reasons).toEqual([`\\u001b[2J\\u009b1mno\\u202e${"x".repeat(190)}…`]);
});

it("a 503 with Retry-After holds its own lane for so long, and nobody else", async () => {
  const { edge, meter, connect, pass, calls } = await setup();
  const other = connect((await setupEdge()).tenant);
  await other.putCatalog({ streams: [{ meter_global_id: `other-${meter}` }] });
  await fail(`bad-${meter}`, { status: 503, headers: { "retry-after": "300" } });
  await edge.post(meter, named(`bad-${meter}`), E1);
  await sweep(edge);
  for (let n = 0; n < 5; n++) {
    await edge.post(meter, named("good", n), E2);
    await other.post(`other-${meter}`, named("theirs", n));
    pass(MINUTE_MS - 1);
    await sweep(edge);
    expect(await edge.twinEvents(meter)).toHaveLength(n + 1);
    expect(await edge.twinEvents(`other-${meter}`)).toHaveLength(n + 1);
  }
  expect((await calls()).filter(({ status }) => status === 503)).toHaveLength(1);
  pass(5);
  await sweep(edge);
  expect((await calls()).filter(({ status }) => status === 503)).toHaveLength(2);
});

it("a healthy lane has several calls under way, one in trouble a single one", async () => {
  let underWay = 0;
  let most = 0;
  let isTold: () => void = () => {};
  let several = new Promise<void>((resolve) => {
    isTold = resolve;
  });
  let isOpen = true;
  const { edge, meter, pass, row } = await setup({ ZUORA_MAX_EVENTS: "1" }, async (url) => {
    if (!url.includes("lanes-")) return;
    most = Math.max(most, ++underWay);
    if (underWay === 3) isTold();
    if (!isOpen) await several;
    underWay--;
  });
  await edge.post(meter, named("first"), E1);
  await sweep(edge);
  isOpen = false;
  await edge.post(meter, `[${Array.from({ length: 12 }, (_, n) => named("good", n)).join(",")}]`, E1);
  await sweep(edge);
  expect(most).toBe(3);
  expect(await row()).toMatchObject({ delivered: 13 });
  isOpen = true;
  several = Promise.resolve();
  await fail(`bad-${meter}`, { status: 500, times: 4 });
  await edge.post(meter, `[${Array.from({ length: 12 }, (_, n) => named(`bad-${meter}`, n)).join(",")}]`, E1);
  await sweep(edge);
  for (let n = 0; n < 3; n++) {
    most = 0;
    pass(MINUTE_MS);
    const before = (await calls500(meter)).length;
    await sweep(edge);
    if ((await calls500(meter)).length > before) expect(most).toBeLessThanOrEqual(1);
  }
  pass(MINUTE_MS);
  await sweep(edge);
  expect(await row()).toMatchObject({ delivered: 25, pending: 0 });
});

it("a handler is done with its other work while a call hangs, which is settled behind its back", async () => {
  let release: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const { edge, connect, meter } = await setup({}, async (url) => {
    if (url.includes("/lanes-")) await gate;
  });
  const nudged: string[] = [];
  const other = connect((await setupEdge()).tenant);
  await other.putCatalog({ streams: [{ meter_global_id: `other-${meter}` }] });
  await edge.post(meter, event());
  await other.post(`other-${meter}`, event());
  const rest: Promise<void>[] = [];
  const { services } = connectEdge(edge.tenant, {
    runtime: {
      fetch: async (input, init) => {
        if (String(input).includes("/lanes-")) await gate;
        return fetch(input, init);
      },
    },
    bindings: {
      NUDGES: { send: async ({ stream }: { stream: string }) => void nudged.push(stream) } as unknown as Queue<never>,
    },
  });
  await services.delivery.sweep((hanging) => rest.push(hanging));
  expect(await other.twinEvents(`other-${meter}`)).toHaveLength(1);
  expect(await edge.twinEvents(meter)).toEqual([]);
  expect(rest).toHaveLength(1);
  // Not by another sender either, while it hangs.
  await services.delivery.deliver({ tenant: edge.tenant, stream: `usage/${meter}` }, (hanging) => rest.push(hanging));
  expect(rest).toHaveLength(1);
  expect(nudged).toContain(`usage/${meter}`);
  release();
  await Promise.all(rest);
  expect(await edge.twinEvents(meter)).toHaveLength(1);
});

it("an invocation executes at most 600 statements, then has what is left come again at once", async () => {
  const { edge, meter } = await setup({ ZUORA_MAX_EVENTS: "1" });
  let statements = 0;
  const nudged: (number | undefined)[] = [];
  const tapped = tapRuntime({
    before: (step) => {
      statements += step.statements?.length ?? 0;
    },
  });
  const send = async (_: unknown, { delaySeconds }: { delaySeconds?: number } = {}) => void nudged.push(delaySeconds);
  const { services } = connectEdge(edge.tenant, {
    vars: { ZUORA_MAX_EVENTS: "1" },
    bindings: { ...tapped.bindings, NUDGES: { send } as unknown as Queue<never> },
  });
  await edge.post(meter, `[${Array.from({ length: 200 }, (_, n) => named("good", n)).join(",")}]`);
  const most: number[] = [];
  do {
    nudged.length = 0;
    statements = 0;
    await services.delivery.deliver({ tenant: edge.tenant, stream: `usage/${meter}` });
    most.push(statements);
  } while (nudged.includes(0));
  console.log(`statements of each invocation for 200 calls: ${most.join(", ")}`);
  expect(most.length).toBeGreaterThan(1);
  expect(Math.max(...most)).toBeLessThanOrEqual(STATEMENTS_MAX);
  expect(await edge.twinEvents(meter)).toHaveLength(200);
});

it("a sweep over many streams keeps the same bound", async () => {
  const { edge, meter } = await setup();
  const meters = Array.from({ length: 90 }, (_, n) => `${meter}-${n}`);
  await edge.putCatalog({ streams: meters.map((meter_global_id) => ({ meter_global_id })) });
  for (const each of meters) await edge.post(each, event());
  let statements = 0;
  const tapped = tapRuntime({
    before: (step) => {
      statements += step.statements?.length ?? 0;
    },
  });
  const { services } = connectEdge(edge.tenant, { bindings: tapped.bindings });
  for (let left = 90; left > 0; ) {
    statements = 0;
    await services.delivery.sweep();
    expect(statements).toBeLessThanOrEqual(STATEMENTS_MAX);
    const rows = await edge.ledger();
    const now = rows.reduce((sum, { pending }) => sum + pending, 0);
    // What is looked at is drawn, so that what is stuck hides nothing for good.
    expect(now).toBeLessThan(left);
    left = now;
  }
});
