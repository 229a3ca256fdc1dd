/** Every command of wrangler that Weir runs or tells a person to run, held against the installed wrangler. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { createKey, listKeys, revokeKey } from "../../tools/admin/keys.ts";
import { wranglerLedger } from "../../tools/admin/ledger.ts";
import { createTenant, listTenants } from "../../tools/admin/tenants.ts";
import { findings } from "../../tools/deploy/findings.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { WRANGLER } from "../../tools/wrangler/commands.ts";
import { readDeployment } from "../../tools/wrangler/configuration.ts";
import { runWrangler } from "../../tools/wrangler/run.ts";
import { blocksOf, DOCUMENTS, readDocument } from "../support/markdown.ts";

const PLACE = { location: "weur" };
const IN_EU = { jurisdiction: "eu" };

/** Each command with every flag that it may get. */
const COMMANDS: readonly (readonly string[])[] = [
  WRANGLER.createDatabase("d", PLACE),
  WRANGLER.createDatabase("d", IN_EU),
  WRANGLER.listDatabases(),
  WRANGLER.migrate("d", "staging"),
  WRANGLER.execute("d", "SELECT 1", "staging", ["--remote"]),
  WRANGLER.execute("d", "SELECT 1", null, ["--local", "--persist-to=x"]),
  WRANGLER.createQueue("q", IN_EU),
  WRANGLER.queueInfo("q"),
  WRANGLER.createBucket("b", PLACE),
  WRANGLER.createBucket("b", IN_EU),
  WRANGLER.bucketInfo("b", IN_EU),
  WRANGLER.listSecrets("staging"),
  WRANGLER.putSecret("S", "staging"),
  WRANGLER.deploy("staging", []),
  WRANGLER.dryDeploy(null, []),
];

/** What the documents tell a person to run: `npx wrangler …`, up to a comment, a pipe or the line's end. */
const DOCUMENTED = DOCUMENTS.flatMap((document) =>
  blocksOf(readDocument(document)).flatMap(({ text }) =>
    [...text.matchAll(/npx wrangler ([^|#\n]+)/g)].map(([, command = ""]) => command.trim().split(/\s+/)),
  ),
);

/** The words before the first argument of its own: `d1 migrations apply`. */
function commandOf(args: readonly string[]): string {
  const known =
    /^(d1 (create|list|execute|migrations apply|time-travel (info|restore))|queues (create|info)|r2 bucket (create|info)|secret (list|put|delete)|deploy|versions (upload|deploy)|rollback|login|whoami|tail)(?= |$)/;
  const found = known.exec(args.join(" "))?.[0];
  if (found === undefined) throw new Error(`a test for "${args.join(" ")}" is missing: name the command here`);
  return found;
}

const helps = new Map<string, Promise<string>>();
function helpOf(command: string): Promise<string> {
  const known = helps.get(command);
  if (known !== undefined) return known;
  const asked = runWrangler([...command.split(" "), "--help"], { isShown: false }).then(({ code, stdout }) => {
    expect({ command, code }).toEqual({ command, code: 0 });
    return stdout;
  });
  helps.set(command, asked);
  return asked;
}

/** What a help says of each flag, from its line to the next one's. */
function flagBlocks(help: string): string[] {
  return help.split(/\n(?= +(?:-\w, )? *--)/).map((block) => block.split("\n\n")[0] ?? "");
}

/** What is wrong with a command by its own help. */
async function faults(args: readonly string[]): Promise<string[]> {
  const command = commandOf(args);
  const help = await helpOf(command);
  // An unknown command's help is that of its group.
  const known = new RegExp(`^wrangler ${command}( |$)`, "m").test(help) ? [] : [`no command ${command}`];
  const flags = args.filter((arg) => arg.startsWith("--")).map((arg) => arg.split("=", 2));
  const wrong = flags.flatMap(([flag = "", value]) => {
    const block = flagBlocks(help).find((one) => new RegExp(`^ *(-\\w, )? *[^\\n]*${flag}(?![\\w-])`).test(one));
    if (block === undefined) return [`${command} has no flag ${flag}`];
    const choices = /\[choices: ([^\]]+)\]/.exec(block)?.[1];
    return choices === undefined || value === undefined || choices.includes(`"${value}"`)
      ? []
      : [`${flag} takes ${choices}`];
  });
  const positionals = args.slice(command.split(" ").length).filter((arg) => !arg.startsWith("-")).length;
  const needed = (/^POSITIONALS\n([\s\S]*?)\n\n/m.exec(help)?.[1] ?? "")
    .split("\n")
    .filter((line) => line.includes("[required]"));
  return [...known, ...wrong, ...(positionals >= needed.length ? [] : [`${command} needs ${needed.join(", ")}`])];
}

test.each([...COMMANDS, ...DOCUMENTED].map((args) => [args.join(" "), args] as const))(
  "wrangler knows: %s",
  async (_, args) => {
    expect(await faults(args)).toEqual([]);
  },
);

test("a flag, a choice, an argument or a command that wrangler does not know is found", async () => {
  expect(await faults(["d1", "create", "d", "--place=here"])).toEqual(["d1 create has no flag --place"]);
  expect(await faults(["d1", "create", "d", "--jurisdiction=mars"])).toEqual([
    expect.stringContaining("--jurisdiction takes"),
  ]);
  expect(await faults(["queues", "create"])).toEqual([expect.stringContaining("queues create needs")]);
  await expect(faults(["d1", "make", "d"])).rejects.toThrow("is missing");
});

test("what npm run admin sends through wrangler d1 execute arrives on D1 as it was meant, whatever a name holds", async () => {
  const folder = tempDir("weir-wrangler");
  onTestFinished(folder.remove);
  const where = ["--local", `--persist-to=${folder.path}`];
  const applied = await runWrangler(["d1", "migrations", "apply", "weir", ...where, "--env="], { isShown: false });
  expect(applied.code).toBe(0);
  const ledger = wranglerLedger(null, where, runWrangler);
  const tenant = `o'brien; DROP TABLE api_keys; -- "x" \\ $HOME`;
  const made = await createKey(ledger, { tenant, name: "it's; one", permissions: ["WEIR.ADMIN"] }, 1_000);
  expect(await listKeys(ledger, tenant)).toMatchObject([
    { id: made.id, tenant, name: "it's; one", permissions: ["WEIR.ADMIN"] },
  ]);
  expect(await createTenant(ledger, { id: tenant })).toBe(false);
  expect(await revokeKey(ledger, made.id, 2_000)).toBe(true);
  expect(await revokeKey(ledger, "key_nobody", 2_000)).toBe(false);
  expect(await listTenants(ledger)).toMatchObject([{ id: tenant, keys: 0 }]);
  await expect(ledger.run("SELECT id FROM nowhere")).rejects.toThrow(/no such table: nowhere/);
});

describe("the real wrangler, asking an account", () => {
  const envelope = (result: unknown) => ({ success: true, errors: [], messages: [], result });
  const refusal = (code: number, message: string) => ({
    success: false,
    errors: [{ code, message }],
    messages: [],
    result: null,
  });

  /** Cloudflare's API, as far as a look at an account goes. */
  async function account(parts: { databases: unknown[]; queues: string[]; secrets: string[] | null }) {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      const url = new URL(request.url ?? "/", "http://api");
      asked.push(`${request.method} ${url.pathname}`);
      const answer = (status: number, body: unknown) =>
        response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      if (url.pathname.endsWith("/d1/database")) {
        const isFirst = (url.searchParams.get("page") ?? "1") === "1";
        return answer(200, envelope(isFirst ? parts.databases : []));
      }
      if (url.pathname.endsWith("/queues")) {
        const name = url.searchParams.get("name");
        const found = parts.queues.filter((queue) => name === null || queue === name);
        const detail = {
          producers: [],
          consumers: [],
          producers_total_count: 0,
          consumers_total_count: 0,
          modified_on: "",
          created_on: "",
        };
        return answer(200, envelope(found.map((queue_name) => ({ queue_id: queue_name, queue_name, ...detail }))));
      }
      if (url.pathname.endsWith("/secrets")) {
        if (parts.secrets === null) return answer(404, refusal(10007, "This Worker does not exist on your account."));
        return answer(200, envelope(parts.secrets.map((name) => ({ name, type: "secret_text" }))));
      }
      return answer(404, refusal(7003, `no such route: ${url.pathname}`));
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port } = server.address() as AddressInfo;
    const before = { ...process.env };
    Object.assign(process.env, {
      CLOUDFLARE_API_BASE_URL: `http://127.0.0.1:${port}`,
      CLOUDFLARE_API_TOKEN: "token",
      CLOUDFLARE_ACCOUNT_ID: "0123456789abcdef0123456789abcdef",
    });
    onTestFinished(() => {
      for (const name of ["CLOUDFLARE_API_BASE_URL", "CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"]) {
        if (before[name] === undefined) delete process.env[name];
        else process.env[name] = before[name];
      }
      server.closeAllConnections();
      server.close();
    });
    return asked;
  }

  const kinds = (found: Awaited<ReturnType<typeof findings>>) => found.map(({ kind, what }) => `${kind}: ${what}`);

  test("says of an empty one what is missing", async () => {
    await account({ databases: [], queues: [], secrets: null });
    expect(kinds(await findings(readDeployment("staging"), {}, runWrangler)).slice(0, 4)).toEqual([
      "missing: database weir-staging (LEDGER)",
      "missing: queue weir-staging-nudges",
      "missing: queue weir-staging-nudges-dead",
      "missing: secret TOKEN_SECRET",
    ]);
  });

  test("says of a whole one that all is there", async () => {
    const uuid = "8c1f9a52-0000-4000-8000-000000000001";
    const deployment = readDeployment(null);
    await account({ databases: [{ uuid, name: "weir" }], queues: [...deployment.queues], secrets: ["TOKEN_SECRET"] });
    const databases = deployment.databases.map((database) => ({ ...database, id: uuid }));
    const found = kinds(await findings({ ...deployment, databases }, {}, runWrangler));
    expect(found.filter((line) => !line.startsWith("optional"))).toEqual([
      "there: database weir (LEDGER)",
      "there: queue weir-nudges",
      "there: queue weir-nudges-dead",
      "there: secret TOKEN_SECRET",
    ]);
  });
});
