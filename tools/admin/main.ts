/** `npm run admin`: the first key of a deployment, and a look at keys, tenants and destinations without one. */
import { Command, Option } from "commander";
import { printable } from "../../shared/printable.ts";
import { PERMISSIONS } from "../../worker/accounts/principal.ts";
import { DEFAULT_LEDGER_FOLDER } from "../local-ledger/ledger-file.ts";
import { runCommandLine, UsageError } from "../processes/command-line.ts";
import { tableLines } from "../terminal/text-table.ts";
import { runWrangler } from "../wrangler/run.ts";
import { checkedKey, createKey, KEYS_SHOWN_MAX, listKeys, revokeKey } from "./keys.ts";
import { type Ledger, localLedger, wranglerLedger } from "./ledger.ts";
import { createTenant, listDestinations, listTenants } from "./tenants.ts";

interface PlaceFlags {
  readonly remote?: true;
  readonly env?: string;
  readonly local?: true;
  readonly persistTo?: string;
}

const AFTER = `
Without --remote it works on this machine's edge. A key made here is printed alone on stdout, once.
Everything else is done over HTTP with that key: POST /admin/api-keys, PUT /admin/tenants/ID, PUT /admin/catalog.
Destinations are put with PUT /admin/destinations/NAME: their secrets are sealed under the Worker's DESTINATION_KEY,
which this machine does not have.`;

const program = new Command("npm run admin --")
  .description("Makes the first key of a deployment, and looks after keys and tenants without one.")
  .addHelpText("after", AFTER);

command("create-key", "makes a key, and its tenant where that is new; prints the key")
  .requiredOption("--tenant <id>", "whose key it is")
  .requiredOption("--permissions <list>", `of ${PERMISSIONS.join(", ")}, with commas between`)
  .option("--name <text>", "by which a person knows it", "made by npm run admin")
  .action(async ({ tenant, permissions, name, ...place }: { tenant: string; permissions: string; name: string }) => {
    // Before a ledger is made for it.
    const wanted = checkedKey({ tenant, name, permissions: permissions.split(",").map((one) => one.trim()) });
    await withLedger(place, async (ledger) => {
      const made = await createKey(ledger, wanted, Date.now());
      console.log(made.key);
      if (made.isNewTenant) console.error(`made the tenant ${shown(tenant)} in ${ledger.where}`);
      console.error(`made ${made.id} for ${shown(tenant)} in ${ledger.where}. The key is shown this once: keep it.`);
    });
  });

command("list-keys", "every key but its secret")
  .option("--tenant <id>", "of this one alone")
  .option("--json", "as JSON")
  .action(async ({ tenant, json, ...place }: { tenant?: string; json?: true }) => {
    const keys = await withLedger(place, (ledger) => listKeys(ledger, tenant ?? null));
    const rows = keys.map((key) => [
      ...[key.id, key.tenant, key.name, key.permissions.join(",")],
      ...[time(key.created_at), key.revoked_at === null ? time(key.expires_at) : "revoked"],
    ]);
    print(json, keys, ["id", "tenant", "name", "permissions", "made", "ends"], rows);
    if (keys.length === KEYS_SHOWN_MAX) console.error(`the first ${KEYS_SHOWN_MAX}; name a --tenant for fewer`);
  });

command("revoke-key", "ends a key and its tokens: for writes at once, for reads within 10 s")
  .argument("<id>", "as list-keys shows it")
  .action(async (id: string, place: PlaceFlags) => {
    await withLedger(place, async (ledger) => {
      if (!(await revokeKey(ledger, id, Date.now()))) throw new Error(`${ledger.where} has no key ${shown(id)}`);
      console.log(`${id} is revoked`);
    });
  });

command("create-tenant", "makes a tenant that may name anything")
  .argument("<id>", "as its keys name it")
  .option("--name <text>", "by which a person knows it")
  .action(async (id: string, { name, ...place }: { name?: string }) => {
    const isNew = await withLedger(place, (ledger) => createTenant(ledger, { id, name }));
    console.log(isNew ? `made the tenant ${shown(id)}` : `the tenant ${shown(id)} was there, and is as it was`);
  });

command("list-tenants", "tenants, where their events go, and how many keys they have")
  .option("--json", "as JSON")
  .action(async ({ json, ...place }: { json?: true }) => {
    const tenants = await withLedger(place, listTenants);
    const rows = tenants.map(({ id, name, zuora, solvimon, keys }) => [
      ...[id, name ?? "-", zuora ?? "default", solvimon ?? "default", String(keys)],
    ]);
    print(json, tenants, ["tenant", "name", "zuora", "solvimon", "keys"], rows);
  });

command("list-destinations", "destinations beside the one that the settings describe")
  .option("--json", "as JSON")
  .action(async ({ json, ...place }: { json?: true }) => {
    const destinations = await withLedger(place, listDestinations);
    const rows = destinations.map(({ name, dialect, base_url }) => [name, dialect, base_url]);
    print(json, destinations, ["name", "dialect", "base URL"], rows);
  });

await runCommandLine(program);

/** A command with the flags that say which ledger is meant. */
function command(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .addOption(new Option("--remote", "the database in the account that wrangler is logged in to"))
    .option("--env <name>", "with --remote: of [env.NAME] in wrangler.toml")
    .addOption(new Option("--local", "the database of `npm run edge`, running or not").conflicts("remote"))
    .option("--persist-to <dir>", `with --local: its folder (default ${DEFAULT_LEDGER_FOLDER})`);
}

async function withLedger<T>(place: PlaceFlags, use: (ledger: Ledger) => Promise<T>): Promise<T> {
  const { remote, env, persistTo } = place;
  if (remote !== true && env !== undefined) throw new UsageError("--env means a remote database: add --remote");
  if (remote === true && persistTo !== undefined) throw new UsageError("--persist-to means a local database");
  const ledger =
    remote === true
      ? wranglerLedger(env ?? null, ["--remote"], runWrangler)
      : await localLedger(persistTo ?? DEFAULT_LEDGER_FOLDER);
  try {
    return await use(ledger);
  } finally {
    ledger.close();
  }
}

/** Names were written by others: nothing of them may act on a terminal. */
function shown(text: string): string {
  return printable(text);
}

function time(ms: number | null): string {
  return ms === null ? "never" : new Date(ms).toISOString();
}

function print(json: true | undefined, items: unknown, head: readonly string[], rows: readonly (readonly string[])[]) {
  if (json === true) console.log(JSON.stringify(items, null, 2));
  else for (const line of tableLines([head, ...rows.map((row) => row.map(shown))])) console.log(line);
}
