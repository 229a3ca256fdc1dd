/** Who may send how many requests: keys on every route that asks for one, and whoever asks for tokens. */
import { expect, it } from "vitest";
import { routes } from "../../worker/routes.ts";
import { bindings, connectEdge, type EdgeOptions, event, setupEdge, type TestEdge } from "./support/edge.ts";
import { type Step, tapRuntime } from "./support/tapped.ts";

const AT = 1_800_000_030_000;
const STILL = { clock: { now: () => AT } };

/** An edge whose clock stands still, and what it asks of D1. */
async function stillEdge(options: EdgeOptions) {
  const { tenant } = await setupEdge();
  const steps: Step[] = [];
  const tapped = tapRuntime({ after: (step) => steps.push(step) });
  const edge = connectEdge(tenant, {
    ...options,
    runtime: STILL,
    bindings: { ...tapped.bindings, ...options.bindings },
  });
  return { edge, steps, statements: () => steps.flatMap((step) => step.statements ?? []).length };
}

function askToken(edge: TestEdge, id: string, secret: string, address?: string): Promise<Response> {
  return edge.request("/oauth/token", {
    method: "POST",
    headers: address === undefined ? {} : { "cf-connecting-ip": address },
    body: new URLSearchParams({ grant_type: "client_credentials", client_id: id, client_secret: secret }),
  });
}

it("a key beyond its rate gets 429 on every route that asks for one, before the database is asked", async () => {
  const { edge, statements } = await stillEdge({ vars: { RATE_LIMIT_PER_MINUTE: "1" } });
  expect((await edge.request("/admin/ledger")).status).toBe(200);
  const before = statements();
  const asking = routes.filter(({ operation }) => (operation["security"] as unknown[]).length > 0);
  expect(asking.length).toBeGreaterThan(30);
  for (const { method, path } of asking) {
    const answer = await edge.request(path.replace(/:version\{[^}]*\}/, "v1").replace(/:\w+/g, "x"), {
      method: method.toUpperCase(),
    });
    // What only operators may do is refused for that first.
    if (answer.status === 403) continue;
    expect([method, path, answer.status]).toEqual([method, path, 429]);
    expect(Number(answer.headers.get("retry-after"))).toBe(30);
  }
  expect(statements()).toBe(before);
});

it("requests for tokens are counted by client, right or wrong, and then cost no look at the database", async () => {
  const { edge, statements } = await stillEdge({ vars: { TOKEN_RATE_LIMIT_PER_MINUTE: "3" } });
  const id = `id-of-${edge.tenant}`;
  const right = await askToken(edge, id, `key-of-${edge.tenant}`);
  expect(right.status).toBe(200);
  const costRight = statements();
  expect((await askToken(edge, id, "wrong")).status).toBe(401);
  expect(statements()).toBe(2 * costRight);
  expect((await askToken(edge, id, "wrong again")).status).toBe(401);
  for (const secret of ["wrong", `key-of-${edge.tenant}`]) {
    const refused = await askToken(edge, id, secret);
    expect(refused.status).toBe(429);
    expect(refused.headers.get("retry-after")).toBe("30");
    expect(await refused.json()).toMatchObject({ success: false, error: "temporarily_unavailable" });
  }
  expect(statements()).toBe(3 * costRight);
  expect((await askToken(edge, "another", "wrong")).status).toBe(401);
});

it("a wrong secret by HTTP's basic scheme costs one look at the database, however it may be encoded", async () => {
  const { edge, statements } = await stillEdge({});
  const answer = await edge.request("/oauth/token", {
    method: "POST",
    headers: { authorization: `Basic ${btoa(`id-of-${edge.tenant}:a%20b`)}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  expect([answer.status, statements()]).toEqual([401, 1]);
});

it("an address that tries client after client is stopped, and no other", async () => {
  const { edge, statements } = await stillEdge({ vars: { TOKEN_RATE_LIMIT_PER_MINUTE: "5" } });
  const tried = [];
  for (let n = 0; n < 8; n++) tried.push((await askToken(edge, `client-${n}`, "wrong", "192.0.2.1")).status);
  expect(tried).toEqual([401, 401, 401, 401, 401, 429, 429, 429]);
  expect(statements()).toBe(5);
  expect((await askToken(edge, "client-0", "wrong", "192.0.2.2")).status).toBe(401);
});

it("Cloudflare's binding counts where it is bound, whatever the instance would say", async () => {
  const { TOKEN_RATE } = bindings;
  if (TOKEN_RATE === undefined) throw new Error("wrangler.toml binds no TOKEN_RATE");
  const { edge } = await stillEdge({ bindings: { TOKEN_RATE }, vars: { TOKEN_RATE_LIMIT_PER_MINUTE: "1" } });
  const statuses = [];
  for (let n = 0; n < 61; n++) statuses.push((await askToken(edge, `bound-${edge.tenant}`, "wrong")).status);
  expect(statuses.slice(0, 60)).toEqual(Array.from({ length: 60 }, () => 401));
  expect(statuses[60]).toBe(429);
});

it("a binding that fails lets the instance count", async () => {
  const KEY_RATE = {
    limit: () => Promise.reject(new Error("no counter")),
  };
  const { edge } = await stillEdge({ bindings: { KEY_RATE }, vars: { RATE_LIMIT_PER_MINUTE: "1" } });
  await edge.request("/admin/ledger");
  expect((await edge.post("m", event())).status).toBe(429);
});
