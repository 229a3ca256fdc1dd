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

const fresh = () => `weir_key_${crypto.randomUUID().replaceAll("-", "")}`;

function tryKey(edge: TestEdge, key: string, address?: string): Promise<Response> {
  const headers = { "x-api-key": key, ...(address === undefined ? {} : { "cf-connecting-ip": address }) };
  return edge.request("/admin/ledger", { headers });
}

it("an address that tries unknown keys is stopped before the database is asked; what was good there before goes on", async () => {
  const { edge, statements } = await stillEdge({ vars: { REFUSED_RATE_LIMIT_PER_MINUTE: "3" } });
  const good = `key-of-${edge.tenant}`;
  expect((await tryKey(edge, good, "192.0.2.1")).status).toBe(200);
  const statuses = [];
  for (let n = 0; n < 4; n++) statuses.push((await tryKey(edge, fresh(), "192.0.2.1")).status);
  expect(statuses).toEqual([401, 401, 401, 401]);
  const before = statements();
  const refused = await tryKey(edge, fresh(), "192.0.2.1");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "30"]);
  expect((await askToken(edge, `id-of-${edge.tenant}`, "wrong", "192.0.2.1")).status).toBe(429);
  expect(statements()).toBe(before);
  expect((await tryKey(edge, good, "192.0.2.1")).status).toBe(200);
  expect((await tryKey(edge, fresh(), "192.0.2.2")).status).toBe(401);
});

it("wrong secrets for tokens count as unknown credentials of their address, and an IPv6 network is one address", async () => {
  const { edge } = await stillEdge({ vars: { REFUSED_RATE_LIMIT_PER_MINUTE: "2" } });
  for (let n = 0; n < 3; n++)
    expect((await askToken(edge, `client-${n}`, "wrong", `2001:db8:0:1::${n}`)).status).toBe(401);
  expect((await tryKey(edge, fresh(), "2001:0db8::1:a:b:c:d")).status).toBe(429);
  expect((await tryKey(edge, fresh(), "2001:db8:0:2::1")).status).toBe(401);
});

it("where nobody says which address calls, any number of unknown keys is 401", async () => {
  const { edge } = await stillEdge({ vars: { REFUSED_RATE_LIMIT_PER_MINUTE: "1" } });
  for (let n = 0; n < 5; n++) expect((await tryKey(edge, fresh())).status).toBe(401);
});

it("Cloudflare's binding counts unknown credentials where it is bound", async () => {
  let left = 2;
  const REFUSED_RATE = { limit: async () => ({ success: left-- > 0 }) };
  const { edge } = await stillEdge({ bindings: { REFUSED_RATE }, vars: { REFUSED_RATE_LIMIT_PER_MINUTE: "100" } });
  const statuses = [];
  for (let n = 0; n < 4; n++) statuses.push((await tryKey(edge, fresh(), "192.0.2.1")).status);
  expect(statuses).toEqual([401, 401, 401, 429]);
  expect(bindings.REFUSED_RATE, "wrangler.toml binds it").toBeDefined();
});

it("what cannot be a key costs no look at the database, an unknown one costs one in a while; old keys and new ones work", async () => {
  const { edge, statements } = await stillEdge({});
  const init = { method: "POST", body: JSON.stringify({ name: "n", permissions: ["WEIR.ADMIN"] }) };
  const { key } = await (await edge.request("/admin/api-keys", init)).json<{ key: string }>();
  expect(key).toMatch(/^weir_key_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/);
  expect((await tryKey(edge, key)).status).toBe(200);
  const before = statements();
  const typo = key.slice(0, 12) + (key[12] === "a" ? "b" : "a") + key.slice(13);
  for (const wrong of [typo, `${key}0`, key.slice(0, -1), "x".repeat(300)]) {
    expect((await tryKey(edge, wrong)).status).toBe(401);
    expect((await askToken(edge, `id-of-${edge.tenant}`, wrong)).status).toBe(401);
  }
  expect(statements()).toBe(before);
  const unknown = fresh();
  for (let n = 0; n < 5; n++) expect((await tryKey(edge, unknown)).status).toBe(401);
  expect(statements()).toBe(before + 1);
});
