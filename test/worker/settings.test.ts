import { expect, test } from "vitest";
import { hashApiKey } from "../../worker/accounts/key-hash.ts";
import { bindings, setupEdge } from "./support/edge.ts";

test("the settings in force are shown to an operator, and no secret of theirs", async () => {
  const edge = await setupEdge({
    vars: { MAX_EVENTS: "123", ZUORA_CLIENT_SECRET: "very-secret", ZUORA_BASE_URL: "http://zuora.example" },
  });
  await bindings.LEDGER.prepare(
    "INSERT INTO api_keys (id, hash, tenant, name, permissions, created_at) VALUES (?1, ?2, ?3, 'operator', ?4, 0)",
  )
    .bind(`operator-of-${edge.tenant}`, hashApiKey("an-operator"), edge.tenant, '["WEIR.OPERATOR"]')
    .run();
  const response = await edge.request("/admin/settings", { headers: { "x-api-key": "an-operator" } });
  const text = await response.text();
  expect(response.status).toBe(200);
  expect(JSON.parse(text)).toMatchObject({
    max_events: 123,
    upstreams: {
      zuora: { base_url: "http://zuora.example", has_credentials: true },
      solvimon: { base_url: null, has_credentials: false },
    },
  });
  expect(text).not.toContain("very-secret");
  expect((await edge.request("/admin/settings")).status).toBe(403);
});
