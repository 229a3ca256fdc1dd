import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { startEdge } from "../../tools/edge/server.ts";
import { ledgerFile } from "../../tools/local-ledger/ledger-file.ts";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { runTwin, twinVars } from "../../tools/processes/weir-processes.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { addSampleCatalog, SAMPLE_STREAM } from "../../tools/sample/sample.ts";

const SMOKE = fileURLToPath(new URL("../../tools/smoke/main.ts", import.meta.url));
const WORKER = fileURLToPath(new URL("../../worker/index.ts", import.meta.url));
/** A queue that takes no message, as one that was deleted; the cron, once a minute elsewhere, does not come either. */
const WITHOUT_QUEUE = `
import worker from ${JSON.stringify(WORKER)};
const NUDGES = { send: () => Promise.reject(new Error("no such queue")) };
export default { ...worker, fetch: (request, env, context) => worker.fetch(request, { ...env, NUDGES }, context) };`;
const SELDOM_MS = 3_600_000;

/** An edge with the sample's catalog, wired to a twin; the local tenant has a key that may do all that a smoke test does. */
async function setup(entryText?: string) {
  const folder = tempDir("weir-smoke");
  onTestFinished(folder.remove);
  const twin = await runTwin();
  onTestFinished(async () => void (await twin.stop()));
  const entry = join(folder.path, "entry.ts");
  if (entryText !== undefined) writeFileSync(entry, entryText);
  const options = { port: 0, persistTo: folder.path, vars: twinVars(twin.url), sweepMs: SELDOM_MS };
  const edge = await startEdge(entryText === undefined ? options : { ...options, entry });
  onTestFinished(() => edge.close());
  await addSampleCatalog(edge.url);
  const made = await fetch(`${edge.url}/admin/api-keys`, {
    method: "POST",
    headers: { "x-api-key": LOCAL_KEYS.admin, "content-type": "application/json" },
    body: JSON.stringify({ name: "smoke", permissions: ["METER_DATA.INGEST", "WEIR.ADMIN"] }),
  });
  const { key } = (await made.json()) as { key: string };
  const smoke = async (args: readonly string[], env: Readonly<Record<string, string>> = { WEIR_KEY: key }) => {
    const started = spawnNode(SMOKE, args, { env });
    const { code } = await started.exited;
    return { code, lines: started.stdout().trim().split("\n"), err: started.stderr() };
  };
  const twinEvents = async () => (await fetch(`${twin.url}/twin/events`)).text();
  return { folder: folder.path, edge, smoke, twinEvents, key };
}

test("a whole edge is whole: nothing reaches a vendor unasked, and an event of quantity 0 where a stream is named", async () => {
  const { edge, smoke, twinEvents, key } = await setup();
  const quiet = await smoke([edge.url]);
  expect(quiet).toMatchObject({ code: 0, lines: expect.arrayContaining([`${edge.url} is whole`]) });
  expect(quiet.lines.join("\n")).toMatch(/^- +an event goes through/m);
  expect(await twinEvents()).toBe("");
  // What it leaves behind is on record and waits for nobody.
  const left = await fetch(`${edge.url}/admin/ledger?stream=persist`, { headers: { "x-api-key": key } });
  expect(await left.json()).toMatchObject({
    items: [{ stream: "persist", accepted: 1, discarded: 1, pending: 0, quarantined: 0, delivered: 0 }],
  });

  const full = await smoke([edge.url, "--stream", SAMPLE_STREAM]);
  expect(full).toMatchObject({ code: 0 });
  expect(full.lines.join("\n")).toMatch(/^ok +an event goes through to its vendor: usev_/m);
  expect(full.lines.join("\n")).toMatch(/^ok +it prices: egress: OK/m);
  expect(JSON.parse(await twinEvents())).toMatchObject({
    CustomerId: expect.stringMatching(/^weir-smoke-/),
    Quantity: 0,
  });
});

test("an edge without its tables is not whole, and the migrations are named", async () => {
  const { folder, edge, smoke } = await setup();
  const db = new DatabaseSync(ledgerFile(folder, "weir"), { timeout: 10_000 });
  const tables = db.prepare(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '%\\_%' ESCAPE '\\'",
  );
  for (const row of tables.all()) db.exec(`DROP TABLE "${String(row["name"])}"`);
  db.close();
  const { code, lines } = await smoke([edge.url]);
  expect(code).toBe(1);
  expect(lines[1]).toMatch(/^NO +its database.*answered 503.*migrations/);
  expect(lines.slice(2, -1).map((line) => line.charAt(0))).toEqual(["-", "-", "-", "-", "-"]);
});

test("an edge without a queue keeps the event and is not whole: what is not delivered is said", async () => {
  const { edge, smoke } = await setup(WITHOUT_QUEUE);
  const { code, lines } = await smoke([edge.url, "--stream", SAMPLE_STREAM, "--wait", "2"]);
  expect(code).toBe(1);
  expect(lines.filter((line) => line.startsWith("NO"))).toEqual([
    expect.stringMatching(/accepted, but not delivered after 2 s \(pending, not tried yet\); look at the queue/),
  ]);
});

test("a wrong key, a key that may too little and an edge that is not there are each named", async () => {
  const { edge, smoke } = await setup();
  const wrong = await smoke([edge.url], { WEIR_KEY: "weir_nobody" });
  expect(wrong).toMatchObject({ code: 1, lines: expect.arrayContaining([expect.stringMatching(/^NO .*WEIR_KEY/)]) });
  const ingest = await smoke([edge.url], { WEIR_KEY: LOCAL_KEYS.ingest });
  expect(ingest).toMatchObject({
    code: 1,
    lines: expect.arrayContaining([expect.stringMatching(/^NO .*WEIR\.ADMIN/)]),
  });
  const nobody = await smoke(["http://127.0.0.1:1"]);
  expect(nobody).toMatchObject({ code: 1, lines: expect.arrayContaining([expect.stringMatching(/^NO +it is up/)]) });
});

test.each<[string[], Record<string, string>, RegExp]>([
  [[], { WEIR_KEY: "k" }, /missing required argument/],
  [["http://example.com"], { WEIR_KEY: "k" }, /must be https/],
  [["https://example.com"], { WEIR_KEY: "" }, /WEIR_KEY holds no key/],
  [["https://example.com", "--stream", "persist"], { WEIR_KEY: "k" }, /usage\/METER/],
])("%j is refused as asked wrongly, before anything is sent", async (args, env, words) => {
  const started = spawnNode(SMOKE, args, { env });
  expect(await started.exited).toMatchObject({ code: 2 });
  expect(started.stderr()).toMatch(words);
});
