import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { addressOf, type DeployOptions, deploy } from "../../tools/deploy/steps.ts";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { type Deployment, readDeployment } from "../../tools/wrangler/configuration.ts";
import type { RunWrangler } from "../../tools/wrangler/run.ts";

const DEPLOY = fileURLToPath(new URL("../../tools/deploy/main.ts", import.meta.url));
const MIGRATIONS = ["0000_first.sql", "0001_second.sql"];
const OPTIONS: DeployOptions = { place: { jurisdiction: "eu" }, flags: [], url: null };

/**
 * An account behind wrangler's commands, in the words of the installed wrangler (wrangler-commands.proof.test.ts holds
 * them against the real one). What a command makes is there afterwards.
 */
function account({ saysNo = false, failing = "" } = {}) {
  const databases = new Map<string, string>();
  const queues = new Set<string>();
  const secrets = new Set<string>();
  const applied = new Map<string, string[]>();
  const ran: string[] = [];
  const ok = (value: unknown = "") => ({
    code: 0,
    stdout: typeof value === "string" ? value : JSON.stringify(value),
    stderr: "",
  });
  const refused = (stderr: string) => ({ code: 1, stdout: "", stderr });
  const run: RunWrangler = async (args) => {
    const [one = "", two = "", three = ""] = args;
    const command = args.filter((arg) => !arg.startsWith("-")).join(" ");
    ran.push(args.join(" "));
    if (failing !== "" && command.startsWith(failing)) return refused("it failed");
    if (one === "d1" && two === "list") return ok([...databases].map(([name, uuid]) => ({ name, uuid })));
    if (one === "d1" && two === "create") return ok(databases.set(three, `uuid-of-${three}`) && "");
    if (one === "d1" && two === "migrations") return ok(saysNo ? "" : applied.set(args[3] ?? "", MIGRATIONS) && "");
    if (one === "d1") return ok([{ results: (applied.get(three) ?? []).map((name) => ({ name })), success: true }]);
    if (one === "queues" && two === "info")
      return queues.has(three) ? ok() : refused(`✘ [ERROR] Queue "${three}" does not exist. To create it, run: …`);
    if (one === "queues") return ok(queues.add(three) && "");
    if (one === "secret" && two === "put") return ok(secrets.add(three) && "");
    if (one === "secret")
      return secrets.size === 0
        ? refused("This Worker does not exist [code: 10007]")
        : ok([...secrets].map((name) => ({ name })));
    return ok();
  };
  return { run, ran, databases };
}

/** Runs a deployment on an account, and takes down what it says. */
async function deployTo({ run, ran }: ReturnType<typeof account>, deployment: Deployment, options = OPTIONS) {
  const said: string[] = [];
  ran.length = 0;
  const code = await deploy(deployment, options, {
    run,
    say: (line) => said.push(line),
    migrations: MIGRATIONS,
    targets: () => ["https://weir.example.workers.dev", "schedule: * * * * *"],
    smoke: async (url) => {
      ran.push(`smoke ${url}`);
      return 0;
    },
  });
  const changing = ran.filter((line) => !/^(d1 list|d1 execute|queues info|secret list)/.test(line));
  return { code, said: said.join("\n"), changing };
}

/** What the configuration is once a person put the databases' ids into it. */
function withIds(deployment: Deployment, databases: ReadonlyMap<string, string>): Deployment {
  return {
    ...deployment,
    databases: deployment.databases.map((one) => ({ ...one, id: databases.get(one.name) ?? null })),
  };
}

/** The commands that it says are missing, as arguments. */
const missing = (said: string) =>
  [...said.matchAll(/MISSING {2}[^:]+: npx wrangler (.+?)(?: \(then.*)?$/gm)].map(([, command = ""]) =>
    command.split(" "),
  );

/** An account after everything that was said to be missing was made. */
async function readyAccount(deployment: Deployment, behaviour: Parameters<typeof account>[0] = {}) {
  const made = account(behaviour);
  for (const args of missing((await deployTo(made, deployment)).said)) await made.run(args, { isShown: true });
  return { made, ready: withIds(deployment, made.databases) };
}

test.each([null, "staging"])(
  "an empty account is told each command that it needs, and by them comes to a deployment (%s)",
  async (env) => {
    const deployment = readDeployment(env);
    const made = account();
    const first = await deployTo(made, deployment);
    expect(first).toMatchObject({ code: 1, changing: [] });
    expect(missing(first.said).map((args) => args.slice(0, 2).join(" "))).toEqual([
      "d1 create",
      "queues create",
      "queues create",
      "secret put",
    ]);
    expect(first.said).toContain("--jurisdiction=eu");

    const { made: ready, ready: filledIn } = await readyAccount(deployment);
    const name = env === null ? "weir" : "weir-staging";
    const order = [
      `d1 migrations apply ${name} --remote --env=${env ?? ""}`,
      `deploy --env=${env ?? ""}`,
      "smoke https://weir.example.workers.dev",
    ];
    expect(await deployTo(ready, filledIn)).toMatchObject({ code: 0, changing: order });
    // Again, as for the next version.
    expect(await deployTo(ready, filledIn)).toMatchObject({ code: 0, changing: order });
  },
);

test("each database of the deployment is migrated, with its environment, before the Worker", async () => {
  const [ledger] = readDeployment(null).databases;
  if (ledger === undefined) throw new Error("no database");
  const two = {
    ...readDeployment("staging"),
    databases: [ledger, { ...ledger, binding: "LEDGER_01", name: "weir-01" }],
  };
  const { made, ready } = await readyAccount(two);
  const { changing } = await deployTo(made, ready);
  expect(changing.slice(0, 3)).toEqual([
    "d1 migrations apply weir --remote --env=staging",
    "d1 migrations apply weir-01 --remote --env=staging",
    "deploy --env=staging",
  ]);
});

test("migrations that a person refuses stop it, though wrangler then ends with 0", async () => {
  const { made, ready } = await readyAccount(readDeployment(null), { saysNo: true });
  const { code, said, changing } = await deployTo(made, ready);
  expect(code).toBe(1);
  expect(said).toContain("weir lacks 0000_first.sql, 0001_second.sql");
  expect(changing).toEqual(["d1 migrations apply weir --remote --env="]);
});

test.each([
  ["d1 migrations", /nothing is deployed/],
  ["deploy", /was not deployed/],
])("a failed %s ends it, and what follows does not run", async (failing, words) => {
  const { made, ready } = await readyAccount(readDeployment(null), { failing });
  const { code, said, changing } = await deployTo(made, ready);
  expect(code).toBe(1);
  expect(said).toMatch(words);
  expect(changing.at(-1)).toMatch(new RegExp(`^${failing}`));
});

test("a database that is there but not in the configuration, or another one's id in it, is said and nothing is done", async () => {
  const deployment = readDeployment(null);
  const { made } = await readyAccount(deployment);
  const forgotten = await deployTo(made, deployment);
  expect(forgotten).toMatchObject({ code: 1, changing: [] });
  expect(forgotten.said).toContain('put database_id = "uuid-of-weir" into wrangler.toml');

  made.databases.set("other", "uuid-of-other");
  const wrong = await deployTo(made, withIds(deployment, new Map([["weir", "uuid-of-other"]])));
  expect(wrong).toMatchObject({ code: 1, changing: [] });
  expect(wrong.said).toContain('that of "other"');
});

test("secrets of a vendor are needed once its base URL is set, and not before", async () => {
  const deployment = readDeployment(null);
  const { made, ready } = await readyAccount(deployment);
  const vars = { ...ready.vars, ZUORA_BASE_URL: "https://rest.zuora.com" };
  const { said } = await deployTo(made, { ...ready, vars });
  expect(missing(said).map((args) => args[2])).toEqual(["ZUORA_CLIENT_ID", "ZUORA_CLIENT_SECRET"]);
});

test("flags go to wrangler deploy, and the smoke test to the address that was named", async () => {
  const { made, ready } = await readyAccount(readDeployment(null));
  const { changing } = await deployTo(made, ready, { ...OPTIONS, flags: ["--minify"], url: "https://edge.example" });
  expect(changing.slice(1)).toEqual(["deploy --env= --minify", "smoke https://edge.example"]);
});

test("the smoke test prefers a domain of one's own to workers.dev", () => {
  expect(addressOf(["https://weir.x.workers.dev", "edge.example.com (custom domain)"])).toBe(
    "https://edge.example.com",
  );
  expect(addressOf(["schedule: * * * * *", "Producer for weir-nudges"])).toBeNull();
});

test("a dry run lists every command and builds the Worker, with neither account nor network", async () => {
  const env = { HOME: "/nonexistent", CLOUDFLARE_API_BASE_URL: "http://127.0.0.1:1" };
  const started = spawnNode(DEPLOY, ["--dry-run", "--minify", "--env", "staging", "--location", "weur"], { env });
  const { code } = await started.exited;
  const out = started.stdout();
  expect({ code, err: code === 0 ? "" : started.stderr() }).toEqual({ code: 0, err: "" });
  for (const line of [
    "npx wrangler d1 create weir-staging --location=weur",
    "npx wrangler queues create weir-staging-nudges-dead",
    "npx wrangler secret put TOKEN_SECRET --env=staging",
    "npx wrangler d1 migrations apply weir-staging --remote --env=staging",
    "npx wrangler deploy --env=staging --minify",
  ])
    expect(out).toContain(line);
  expect(out).toMatch(/Total Upload: .* gzip: /);
});
