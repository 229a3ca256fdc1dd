/** Who may import what, asserted for every import of every source file; the layers stay apart because this fails. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/product-copy.ts";
import { type Import, importsOf, isBarrel, sourceFiles, textOf } from "./source-imports.ts";

interface Rule {
  readonly of: string;
  readonly files: (file: string) => boolean;
  readonly may: (found: Import) => boolean;
}

const under =
  (...folders: string[]) =>
  (path: string) =>
    folders.some((folder) => path.startsWith(`${folder}/`));
const named =
  (...names: string[]) =>
  (target: string) =>
    names.some((name) => target === name || target.startsWith(`${name}/`));
/** Folders of one command of package.json each; checks is those of `npm run check`. */
const COMMANDS = ["start", "demo", "edge", "deploy", "admin", "smoke", "hops", "twin", "checks", "openapi"].map(
  (name) => `tools/${name}`,
);
const isVendor = named(
  ...["zuora", "solvimon", "weir"].flatMap((name) => [`shared/vendors/${name}`, `shared/vendors/${name}.ts`]),
);
const isNode = (target: string) => target.startsWith("node:");

/** A file is held to every rule that is about it. */
const RULES: readonly Rule[] = [
  {
    of: "shared: itself, zod, fflate and @noble/hashes; neither Node nor Workers",
    files: under("shared"),
    may: ({ target }) => under("shared")(target) || named("zod", "fflate", "@noble/hashes")(target),
  },
  {
    of: "worker/intake: shared, itself, zlib, the bounds of tenants, and of the ledger the form of an entry, its keys and types",
    files: under("worker/intake"),
    may: ({ target, typeOnly }) =>
      under("shared", "worker/intake")(target) ||
      named(
        "node:zlib",
        "worker/tenants/bounds.ts",
        "worker/ledger/entries.ts",
        "worker/ledger/event-key.ts",
        "worker/ledger/ordinal.ts",
      )(target) ||
      (typeOnly && under("worker")(target)),
  },
  {
    of: "worker/delivery's deciders: shared, one another, the form of an entry, types",
    files: named(...["pack", "ship", "dialect", "exchange"].map((name) => `worker/delivery/${name}.ts`)),
    may: ({ target, typeOnly }) =>
      under("shared")(target) ||
      named("worker/ledger/entries.ts", "worker/delivery/pack.ts", "worker/delivery/dialect.ts")(target) ||
      (typeOnly && under("worker")(target)),
  },
  {
    of: "worker/pricing: shared, itself and the decimal library; no database",
    files: under("worker/pricing"),
    may: ({ target }) => under("shared", "worker/pricing")(target) || named("big.js", "decimal.js")(target),
  },
  {
    of: "worker/usage: pricing, itself, a hash, what an instance remembers, the database's statements, their budget and types, the catalog's types; never drizzle",
    files: under("worker/usage"),
    may: ({ target, typeOnly }) =>
      under("shared", "worker/pricing", "worker/usage")(target) ||
      named("@noble/hashes", "worker/remembered.ts")(target) ||
      named("worker/database/statement.ts", "worker/database/statement-budget.ts")(target) ||
      (typeOnly && under("worker/catalog", "worker/database")(target)),
  },
  {
    of: "worker/database: itself and drizzle; what is stored knows nothing of who stores it",
    files: under("worker/database"),
    may: ({ target }) => under("worker/database")(target) || named("drizzle-orm")(target),
  },
  {
    of: "worker/routes: intake and interfaces; never drizzle, D1's schema or the ledger's D1 form",
    files: under("worker/routes"),
    may: ({ target }) =>
      !named("drizzle-orm", "worker/database", "worker/ledger/d1-ledger.ts", "worker/delivery/outbox.ts")(target) &&
      !target.startsWith("cloudflare:") &&
      !target.endsWith("-sql.ts"),
  },
  {
    of: "worker/openapi: itself, shared, zod and the names of permissions; it knows no route",
    files: under("worker/openapi"),
    may: ({ target }) =>
      under("shared", "worker/openapi")(target) || named("zod", "worker/accounts/principal.ts")(target),
  },
  {
    of: "worker/http: how a route is said; no route, no database, no ledger, no delivery",
    files: under("worker/http"),
    may: ({ target }) =>
      !named("drizzle-orm", "worker/routes", "worker/database", "worker/ledger", "worker/delivery")(target),
  },
  {
    of: "worker/middleware: neither drizzle nor database nor ledger nor delivery",
    files: under("worker/middleware"),
    may: ({ target }) => !named("drizzle-orm", "worker/database", "worker/ledger", "worker/delivery")(target),
  },
  {
    of: "worker: of Node only zlib, which workerd has too, never the agent",
    files: under("worker"),
    may: ({ target }) => (!isNode(target) || target === "node:zlib") && !under("agent")(target),
  },
  {
    of: "agent: never the worker, nor what only runs there",
    files: under("agent"),
    may: ({ target }) =>
      !under("worker")(target) && !named("hono", "drizzle-orm")(target) && !target.startsWith("cloudflare:"),
  },
  {
    of: "agent/buffer: shared, itself, Node, the agent's clock and faults; never upload or intake",
    files: under("agent/buffer"),
    may: ({ target }) => under("shared", "agent/buffer")(target) || under("agent/runtime")(target) || isNode(target),
  },
  {
    of: "agent/upload: shared, itself, the buffer's types, its runs of events and their scopes, the secrets; never intake",
    files: under("agent/upload"),
    may: ({ target, typeOnly }) =>
      under("shared", "agent/upload")(target) ||
      under("agent/runtime")(target) ||
      named("agent/buffer/tables/event-run.ts", "agent/buffer/tables/scope.ts", "agent/config/secrets.ts")(target) ||
      (typeOnly && under("agent/buffer", "agent/config")(target)) ||
      isNode(target) ||
      named("undici", "zod", "pino")(target),
  },
  {
    of: "shared/vendors: shared and zod, each vendor by itself; the edge speaks Solvimon's paths too",
    files: under("shared/vendors"),
    may: ({ file, target }) =>
      (under("shared")(target) || named("zod")(target)) &&
      (!isVendor(file) || !isVendor(target) || (file.endsWith("/weir.ts") && target.endsWith("/solvimon.ts"))),
  },
  {
    of: "shared: its vendors only among themselves; what an event is depends on nobody it is sent to",
    files: (file) => under("shared")(file) && !under("shared/vendors")(file),
    may: ({ target }) => !under("shared/vendors")(target),
  },
  {
    of: "tools: a command uses the rooms all commands share, and no other command",
    files: (file) => COMMANDS.some((command) => under(command)(file)),
    may: ({ file, target }) => COMMANDS.every((command) => !under(command)(target) || under(command)(file)),
  },
  {
    of: "tools: the rooms that commands share use one another, shared and packages, never a command or the product",
    files: (file) => under("tools")(file) && !COMMANDS.some((command) => under(command)(file)),
    may: ({ target }) => !under("worker", "agent")(target) && COMMANDS.every((command) => !under(command)(target)),
  },
  {
    of: "tools/twin: of the product only shared's reading of JSON and names; a vendor's rules are its own, told twice",
    files: under("tools/twin"),
    may: ({ target }) =>
      !under("worker", "agent", "shared/vendors", "shared/intake")(target) &&
      !named("shared/verdict.ts", "shared/backoff.ts")(target),
  },
  {
    of: "tools: of the agent nothing, of the Worker what a key is, what may be said of keys and tenants, and the routes",
    files: under("tools"),
    may: ({ target }) =>
      !under("agent")(target) &&
      (!under("worker")(target) ||
        named(
          "worker/routes.ts",
          "worker/tenants/tenant-requests.ts",
          ...["key-hash", "key-text", "key-requests", "principal"].map((name) => `worker/accounts/${name}.ts`),
        )(target)),
  },
  {
    of: "shared, worker and agent: never the commands around them",
    files: under("shared", "worker", "agent"),
    may: ({ target }) => !under("tools")(target),
  },
  {
    of: "all that is no test: never a test",
    files: (file) => !under("test")(file),
    may: ({ target }) => !under("test")(target),
  },
  {
    of: "tests in Node: of the worker types alone, for its code needs a runtime of its own",
    files: under("test/shared", "test/agent", "test/twin", "test/support", "test/torture"),
    may: ({ target, typeOnly }) => typeOnly || !under("worker")(target),
  },
];

const files = sourceFiles();
const imports = files.flatMap((file) => importsOf(file, textOf(file)));

describe("every import", () => {
  test.each(RULES)("keeps to the rule of $of", ({ files: isMeant, may }) => {
    const broken = imports.filter((found) => isMeant(found.file) && !may(found));
    expect(broken.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  test("names a file that is there, with its extension", () => {
    const missing = imports.filter(
      ({ target }) => /^(shared|worker|agent|tools|test)\//.test(target) && !existsSync(join(ROOT, target)),
    );
    expect(missing.map(({ file, target }) => `${file} imports ${target}`)).toEqual([]);
  });

  test("is seen: each line that ends in a module's name is one that was read", () => {
    const unseen = files.filter((file) => {
      const lines = textOf(file).match(/^(?:(?:import|export)\b.*|\}) from ".*";$|^import ".*";$/gm) ?? [];
      return importsOf(file, textOf(file)).length < lines.length;
    });
    expect(unseen).toEqual([]);
  });
});

test("no file only hands on what others export", () => {
  expect(files.filter((file) => isBarrel(textOf(file)))).toEqual([]);
});

describe("these tests", () => {
  test("look at every layer, each rule of a layer that exists at some import", () => {
    for (const layer of ["shared", "worker", "agent", "tools", "test"])
      expect(files.filter(under(layer)).length).toBeGreaterThan(5);
    const idle = RULES.filter(
      ({ files: isMeant }) => files.some(isMeant) && !imports.some((found) => isMeant(found.file)),
    );
    expect(idle.map((rule) => rule.of)).toEqual([]);
  });

  test.each<[text: string, target: string, typeOnly: boolean]>([
    ['import { a } from "../b/c.ts";', "x/b/c.ts", false],
    ['import {\n  a,\n  type B,\n} from "./c.ts";', "x/y/c.ts", false],
    ['import {\n  type A,\n  type B,\n} from "./c.ts";', "x/y/c.ts", true],
    ['import type { A } from "zod";', "zod", true],
    ['import * as SQL from "./sql.ts";', "x/y/sql.ts", false],
    ['import a from "a";', "a", false],
    ['import a, { b } from "a";', "a", false],
    ['import type a from "a";', "a", true],
    ['import "./a.ts";', "x/y/a.ts", false],
    ['export { a } from "./a.ts";', "x/y/a.ts", false],
    ['export * from "./a.ts";', "x/y/a.ts", false],
    ['export type { A } from "./a.ts";', "x/y/a.ts", true],
    ['  const a = await import("undici");', "undici", false],
  ])("read %j", (text, target, typeOnly) => {
    expect(importsOf("x/y/z.ts", text)).toEqual([{ file: "x/y/z.ts", target, typeOnly }]);
  });

  test.each<[text: string, barrel: boolean]>([
    ['export { a } from "./a.ts";\nexport * from "./b.ts";\n', true],
    ['/** All of it. */\nexport type { A } from "./a.ts";\n', true],
    ['export { a } from "./a.ts";\nexport const b = 1;\n', false],
    ['import { a } from "./a.ts";\na();\n', false],
    ['import "./a.ts";\n', false],
  ])("tell a barrel: %j", (text, barrel) => {
    expect(isBarrel(text)).toBe(barrel);
  });

  test.each<[file: string, target: string, typeOnly: boolean]>([
    ["shared/a.ts", "node:crypto", true],
    ["shared/a.ts", "cloudflare:workers", true],
    ["shared/a.ts", "worker/env.ts", true],
    ["worker/intake/a.ts", "drizzle-orm", false],
    ["worker/intake/a.ts", "worker/ledger/d1-ledger.ts", false],
    ["worker/delivery/pack.ts", "worker/delivery/outbox.ts", false],
    ["worker/pricing/a.ts", "worker/ledger/ledger.ts", true],
    ["worker/usage/a.ts", "worker/routes/usage.ts", true],
    ["worker/usage/a.ts", "worker/delivery/outbox.ts", false],
    ["worker/routes/a.ts", "drizzle-orm/d1", true],
    ["worker/routes/a.ts", "worker/database/schema.ts", true],
    ["worker/usage/a.ts", "worker/database/schema.ts", false],
    ["worker/database/a.ts", "worker/ledger/ledger.ts", true],
    ["worker/app.ts", "agent/status.ts", true],
    ["worker/app.ts", "node:fs", false],
    ["agent/status.ts", "worker/env.ts", true],
    ["agent/buffer/a.ts", "agent/upload/gate.ts", true],
    ["agent/buffer/a.ts", "agent/intake/body.ts", true],
    ["agent/upload/a.ts", "agent/buffer/log.ts", false],
    ["agent/upload/a.ts", "agent/intake/body.ts", true],
    ["agent/main.ts", "test/support/until.ts", false],
    ["shared/vendors/zuora.ts", "shared/vendors/solvimon.ts", true],
    ["shared/vendors/zuora.ts", "fflate", false],
    ["shared/intake/a.ts", "shared/vendors/zuora.ts", true],
    ["tools/start/main.ts", "tools/demo/reporter.ts", false],
    ["tools/processes/a.ts", "tools/edge/server.ts", true],
    ["tools/twin/zuora.ts", "shared/vendors/zuora.ts", true],
    ["tools/start/main.ts", "agent/agent.ts", true],
    ["tools/edge/server.ts", "worker/ledger/schema.ts", true],
    ["tools/start/main.ts", "test/support/seeded.ts", false],
    ["worker/app.ts", "tools/sample/local-keys.ts", false],
    ["vitest.config.ts", "test/support/until.ts", false],
  ])("would refuse %s an import of %s", (file, target, typeOnly) => {
    const found = { file, target, typeOnly };
    expect(RULES.some((rule) => rule.files(file) && !rule.may(found))).toBe(true);
  });
});
