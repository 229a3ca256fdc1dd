import { readdirSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { sql, sqlLiteral } from "../../tools/admin/sql.ts";
import { ledgerFile } from "../../tools/local-ledger/ledger-file.ts";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { runEdge } from "../../tools/processes/weir-processes.ts";

const ADMIN = fileURLToPath(new URL("../../tools/admin/main.ts", import.meta.url));

/** A folder for a local ledger, and the command line on it. */
function setup() {
  const folder = tempDir("weir-admin");
  onTestFinished(folder.remove);
  const admin = async (...args: readonly string[]) => {
    const started = spawnNode(ADMIN, args);
    const { code } = await started.exited;
    return { code, out: started.stdout().trim(), err: started.stderr().trim() };
  };
  const here = ["--local", "--persist-to", folder.path];
  return { folder: folder.path, here, admin };
}

const statusOf = async (edge: string, key: string) =>
  (await fetch(`${edge}/admin/ledger`, { headers: { "x-api-key": key } })).status;

test("the first key opens an edge that starts on the same folder, and one made while it runs does too, until it is revoked", async () => {
  const { folder, here, admin } = setup();
  const tenant = "o'brien; DROP TABLE api_keys; --";
  const wanted = ["--tenant", tenant, "--permissions", "WEIR.ADMIN,WEIR.OPERATOR", "--name", 'a "name"'];
  const first = await admin("create-key", ...wanted, ...here);
  expect(first).toEqual({
    code: 0,
    out: expect.stringMatching(/^weir_key_[0-9A-Za-z]{32}_[0-9A-Za-z]{6}$/),
    err: expect.stringContaining(`made the tenant ${tenant}`),
  });

  const edge = await runEdge({ persistTo: folder });
  onTestFinished(async () => void (await edge.stop()));
  expect(await statusOf(edge.url, first.out)).toBe(200);

  const second = await admin("create-key", ...wanted, ...here);
  expect(second.err).not.toContain("made the tenant");
  expect(await statusOf(edge.url, second.out)).toBe(200);

  // A third, revoked before the edge has seen it, so that nothing is remembered of it.
  const third = await admin("create-key", ...wanted, ...here);
  const [, id = ""] = /made (key_\w+) for/.exec(third.err) ?? [];
  expect(await admin("revoke-key", id, ...here)).toMatchObject({ code: 0, out: `${id} is revoked` });
  expect(await statusOf(edge.url, third.out)).toBe(401);

  const listed = await admin("list-keys", "--tenant", tenant, "--json", ...here);
  expect(JSON.parse(listed.out)).toMatchObject([
    { tenant, name: 'a "name"', permissions: ["WEIR.ADMIN", "WEIR.OPERATOR"], revoked_at: null },
    { revoked_at: null },
    { id, revoked_at: expect.any(Number) },
  ]);

  const db = new DatabaseSync(ledgerFile(folder, "weir"));
  onTestFinished(() => db.close());
  const rows = JSON.stringify(db.prepare("SELECT * FROM api_keys").all());
  // Hashes alone are kept.
  for (const { out: key } of [first, second, third]) expect(rows).not.toContain(key);

  expect(await admin("create-tenant", "acme", "--name", "Acme", ...here)).toMatchObject({ code: 0 });
  expect((await admin("create-tenant", "acme", "--name", "Other", ...here)).out).toContain("was there");
  const tenants = await admin("list-tenants", "--json", ...here);
  expect(JSON.parse(tenants.out)).toContainEqual({ id: "acme", name: "Acme", zuora: null, solvimon: null, keys: 0 });
});

test.each<[string[], RegExp]>([
  [["create-key", "--tenant", "a", "--permissions", "ALL"], /permissions\.0/],
  [["create-key", "--tenant", "a\nb", "--permissions", "WEIR.ADMIN"], /tenant/],
  [["create-key", "--tenant", "a"], /--permissions/],
  [["create-key", "--tenant", "a", "--permissions", "WEIR.ADMIN", "--name", ""], /name/],
  [["list-keys", "--env", "staging"], /--remote/],
  [["list-keys", "--remote", "--persist-to", "x"], /local/],
  [["list-keys", "--remote", "--local"], /cannot be used with/],
  [["make-key"], /unknown command/],
])("%j is refused as asked wrongly, and nothing is done", async (args, words) => {
  const { folder, here, admin } = setup();
  const isPlaced = args.includes("--remote") || args.includes("--env");
  const { code, out, err } = await admin(...args, ...(isPlaced ? [] : here));
  expect({ code, out, made: readdirSync(folder) }).toEqual({ code: 2, out: "", made: [] });
  expect(err).toMatch(words);
});

test("any text comes back from its literal as it went in, whatever it holds", () => {
  const db = new DatabaseSync(":memory:");
  onTestFinished(() => db.close());
  const readBack = (text: string) => db.prepare(sql`SELECT ${text} AS value, ${1} AS one`).get();
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      fc.pre(!text.includes("\0"));
      expect(readBack(text)).toEqual({ value: text, one: 1 });
    }),
  );
  for (const text of ["'", "''", "'; DROP TABLE x; --", "\\'", "?1", ":a", "$b", "/*", "\n;\n"]) {
    expect(readBack(text)).toEqual({ value: text, one: 1 });
  }
  for (const value of ["a\0b", "\ud800", 0.5]) expect(() => sqlLiteral(value)).toThrow();
});
