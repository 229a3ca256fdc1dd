/** What D1's errors are met with: one place knows their texts; what passes is repeated, a busy database is left alone. */
import { expect, it } from "vitest";
import { type D1Failure, d1FailureOf } from "../../worker/database/d1-errors.ts";
import { seeded } from "../support/seeded.ts";
import { DOCUMENTED_ERRORS } from "./support/d1-error-texts.ts";
import { connectEdge, event, setupEdge } from "./support/edge.ts";
import type { Failure, StrictStep } from "./support/strict-platform.ts";

const textsOf = (...kinds: D1Failure[]) => DOCUMENTED_ERRORS.filter(({ kind }) => kinds.includes(kind));

/** Draws that keep pauses short, and are never the same. */
function hasty(): () => number {
  const random = seeded(7);
  return () => random() / 50;
}

/** An edge whose D1 fails the first `times` steps of a kind, with events of a tenant accepted before that. */
async function setup(isHit: (step: StrictStep) => boolean, failure: Failure, times = 1) {
  const stable = await setupEdge();
  const meter = `errors-${stable.tenant}`;
  await stable.putCatalog({ streams: [{ meter_global_id: meter }] });
  let hits = 0;
  const failureOf = (step: StrictStep) => (isHit(step) && ++hits <= times ? failure : null);
  const calls = new Map<string, number>();
  const counted: typeof fetch = (input, init) => {
    const key = new Headers(init?.headers).get("idempotency-key");
    if (key !== null) calls.set(key, (calls.get(key) ?? 0) + 1);
    return fetch(input, init);
  };
  const edge = connectEdge(stable.tenant, {
    platform: { failureOf },
    runtime: { fetch: counted, random: hasty() },
  });
  return { stable, edge, meter, calls, hits: () => hits };
}

const isFiling = ({ statements }: StrictStep) => statements.some((sql) => sql.startsWith("INSERT INTO batches"));
const isSettling = ({ statements }: StrictStep) => statements.some((sql) => sql.startsWith("INSERT INTO attempts"));

it.each(DOCUMENTED_ERRORS)("$text is known for what it is: $kind", ({ text, kind }) => {
  expect(d1FailureOf(new Error(text))).toBe(kind);
  expect(d1FailureOf(new Error("Failed query", { cause: new Error(text) }))).toBe(kind);
});

it("what D1 does not document is unknown, and so is what is no error", () => {
  for (const thrown of [new Error("something else"), "SQLITE_FULL", null]) expect(d1FailureOf(thrown)).toBe("unknown");
});

for (const when of ["before", "after"] as const) {
  it.each(textsOf("passing"))(`a request that D1 fails ${when} its commit is filed once: $text`, async ({ text }) => {
    const { edge, meter, hits } = await setup(isFiling, { when, error: new Error(text) });
    const answer = await edge.post(meter, event());
    expect([answer.status, hits() > 0]).toEqual([200, true]);
    expect(await answer.json()).toMatchObject({ accepted: 1, duplicates: 0 });
    expect(await edge.ledger()).toMatchObject([{ accepted: 1, pending: 1, duplicates: 0 }]);
  });

  it.each(textsOf("passing", "overloaded"))(
    `a call whose settlement D1 fails ${when} its commit is not made again: $text`,
    async ({ text }) => {
      const { stable, edge, meter, calls } = await setup(isSettling, { when, error: new Error(text) }, 2);
      await stable.post(meter, event());
      await edge.services.delivery.deliver({ tenant: stable.tenant, stream: `usage/${meter}` });
      expect([...calls.values()]).toEqual([1]);
      expect(await stable.ledger()).toMatchObject([{ accepted: 1, delivered: 1, pending: 0 }]);
    },
  );
}

it.each(textsOf("overloaded"))(
  "a busy D1 is asked once for a request, which may come again later: $text",
  async ({ text }) => {
    const { edge, meter, hits } = await setup(isFiling, { when: "before", error: new Error(text) }, 100);
    const answer = await edge.post(meter, event());
    expect([answer.status, answer.headers.get("retry-after")]).toEqual([503, "5"]);
    expect(hits()).toBe(1);
  },
);

it.each(textsOf("never"))("what D1 never takes is not tried again: $text", async ({ text }) => {
  const { edge, meter, hits } = await setup(isFiling, { when: "before", error: new Error(text) }, 100);
  expect((await edge.post(meter, event())).status).toBeGreaterThanOrEqual(500);
  expect(hits()).toBe(1);
});

it("a D1 that keeps failing is tried four times for a request, with pauses", async () => {
  const error = new Error("D1_ERROR: Network connection lost.");
  const { edge, meter, hits } = await setup(isFiling, { when: "before", error }, 100);
  expect((await edge.post(meter, event())).status).toBe(503);
  expect(hits()).toBe(4);
});

it("a failed attempt that is written down twice is one attempt, and its call is due when the first says", async () => {
  const error = new Error("D1_ERROR: Network connection lost.");
  const { stable, meter } = await setup(() => false, { when: "after", error });
  await stable.post(meter, event());
  let hits = 0;
  const edge = connectEdge(stable.tenant, {
    platform: { failureOf: (step) => (isSettling(step) && ++hits === 1 ? { when: "after", error } : null) },
    runtime: { fetch: async () => new Response("{}", { status: 500 }), random: hasty() },
    vars: { ZUORA_CLIENT_ID: "", BACKOFF_BASE_MS: "60000" },
  });
  await edge.services.delivery.deliver({ tenant: stable.tenant, stream: `usage/${meter}` });
  expect(hits).toBe(2);
  const { items } = await (await stable.request("/admin/events")).json<{ items: { id: string }[] }>();
  const found = await (await stable.request(`/admin/events/${items[0]?.id}`)).json<{ attempts: unknown[] }>();
  expect(found.attempts).toHaveLength(1);
});
