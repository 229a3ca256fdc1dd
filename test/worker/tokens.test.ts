/** Bearer tokens: signed with a secret that the database does not hold, for an hour at most, rotated without a gap. */
import { beforeAll, expect, it } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { bindings, connectEdge, type EdgeOptions, event, setupEdge, type TestEdge } from "./support/edge.ts";

const HOUR_MS = 3_600_000;
const OLD = "the old secret, long enough";
const NEW = "the new secret, long enough";
const METER = "tokens";

let edge: TestEdge;
beforeAll(async () => {
  edge = await setupEdge();
  await edge.putCatalog({ streams: [{ meter_global_id: METER }] });
});

const keyId = () => `id-of-${edge.tenant}`;
const withSecrets = (vars: Record<string, string>, runtime: EdgeOptions["runtime"] = {}) =>
  connectEdge(edge.tenant, { vars: { TOKEN_SECRET: "", ...vars }, runtime });

function ask(of: TestEdge, secret = `key-of-${edge.tenant}`): Promise<Response> {
  const form = { grant_type: "client_credentials", client_id: keyId(), client_secret: secret };
  return of.request("/oauth/token", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", "x-api-key": "none" },
    body: new TextEncoder().encode(new URLSearchParams(form).toString()),
  });
}
async function tokenOf(of: TestEdge): Promise<string> {
  const answer = await ask(of);
  const { access_token, expires_in } = await answer.json<{ access_token: string; expires_in: number }>();
  expect([answer.status, expires_in]).toEqual([200, 3600]);
  return access_token;
}
let count = 0;
const use = async (of: TestEdge, token: string) =>
  (await of.post(METER, event({ Quantity: ++count }), { authorization: `Bearer ${token}` })).status;

async function forged(secret: string | Uint8Array, text: (id: string, endsAt: number) => string, endsAt: number) {
  const bytes = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
  const key = await crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  const signature = await crypto.subtle.sign("HMAC", key, new TextEncoder().encode(text(keyId(), endsAt)));
  const hex = [...new Uint8Array(signature)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `weir_token_${keyId()}.${endsAt}.${hex}`;
}
const TEXTS = [
  (id: string, endsAt: number) => `${id}.${endsAt}`,
  (id: string, endsAt: number) => `weir token\n${id}\n${endsAt}`,
];

it("whoever reads the database signs no token: not with a key's hash, nor with anything else of its row", async () => {
  const row = await bindings.LEDGER.prepare("SELECT * FROM api_keys WHERE id = ?1")
    .bind(keyId())
    .first<Record<string, unknown>>();
  const hash = String(row?.["hash"]);
  expect(hash).toBe(hashApiKey(`key-of-${edge.tenant}`));
  const bytes = Uint8Array.from(hash.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  const secrets = [bytes, ...Object.values(row ?? {}).flatMap((value) => (value === null ? [] : [String(value)]))];
  for (const of of [edge, withSecrets({})])
    for (const secret of secrets)
      for (const text of TEXTS)
        expect(await use(of, await forged(secret, text, Date.now() + HOUR_MS / 2)), String(secret)).toBe(401);
});

it("a token lasts an hour at most, whoever signed it for longer", async () => {
  const of = withSecrets({ TOKEN_SECRET: NEW });
  const signedFor = (ms: number) => forged(NEW, TEXTS[1] ?? String, Date.now() + ms);
  expect(await use(of, await signedFor(HOUR_MS / 2)), "within the hour it is genuine").toBe(200);
  expect(await use(of, await signedFor(HOUR_MS + 60_000))).toBe(401);
  expect(await use(of, await signedFor(-1))).toBe(401);
});

it("while the secret is rotated tokens of both are taken; without the old one only the new one's", async () => {
  const before = await tokenOf(withSecrets({ TOKEN_SECRET: OLD }));
  const both = withSecrets({ TOKEN_SECRET: NEW, TOKEN_SECRET_PREVIOUS: OLD });
  expect(await use(both, before)).toBe(200);
  const during = await tokenOf(both);
  expect(await use(both, during)).toBe(200);
  const after = withSecrets({ TOKEN_SECRET: NEW });
  expect(await use(after, during), "signed with the new one").toBe(200);
  expect(await use(after, before)).toBe(401);
});

it.each([
  ["no secret", {}],
  ["one that is too short to be one", { TOKEN_SECRET: "short" }],
  ["only the previous one", { TOKEN_SECRET_PREVIOUS: OLD }],
])("with %s no token is issued or taken, and the answers name the setting", async (_what, vars) => {
  const of = withSecrets(vars);
  const answer = await ask(of);
  expect([answer.status, (await answer.json<{ message: string }>()).message]).toEqual([
    503,
    expect.stringContaining("TOKEN_SECRET"),
  ]);
  expect(await (await of.request("/readyz")).json()).toMatchObject({ tokens: "no_secret" });
  expect(await use(of, await tokenOf(withSecrets({ TOKEN_SECRET: OLD })))).toBe(401);
  expect((await of.post(METER, event({ Quantity: ++count }))).status, "keys work all the same").toBe(200);
});

it("revoking the key ends its tokens: for writes at once, also where an instance remembers them", async () => {
  const mine = await setupEdge();
  await mine.putCatalog({ streams: [{ meter_global_id: METER }] });
  const form = { grant_type: "client_credentials", client_id: `id-of-${mine.tenant}` };
  const answer = await mine.request("/oauth/token", {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", "x-api-key": "none" },
    body: new TextEncoder().encode(new URLSearchParams({ ...form, client_secret: `key-of-${mine.tenant}` }).toString()),
  });
  const { access_token } = await answer.json<{ access_token: string }>();
  expect(await (await mine.request("/readyz")).json()).toMatchObject({ tokens: "ok" });
  expect(await use(mine, access_token)).toBe(200);
  await bindings.LEDGER.prepare("UPDATE api_keys SET revoked_at = 1 WHERE tenant = ?1").bind(mine.tenant).run();
  expect(await use(mine, access_token)).toBe(401);
});
