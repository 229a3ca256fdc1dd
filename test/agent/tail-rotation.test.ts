/** What becomes of the lines of a followed file when it is turned over: by renaming, copying, compressing, cutting. */
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { checkTailFiles } from "../../agent/check/tails.ts";
import { readConfig } from "../../agent/config/config.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { eventNumber, type Setup, setup } from "./support/setup.ts";

const FAST = "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 20";
const LINES = 100;

function followed(pattern = "usage.ndjson") {
  const { path, remove } = tempDir("weir-tail");
  onTestFinished(remove);
  const file = join(path, "usage.ndjson");
  return { file, path, upload: `${FAST}\n[[tail]]\npath = "${join(path, pattern)}"\nstream = "usage/m"` };
}

/** Lines of the n-th hundred. */
const hundred = (n: number) => Array.from({ length: LINES }, (_, i) => `${eventNumber(n * LINES + i)}\n`).join("");
const hundreds = (count: number) => Array.from({ length: count * LINES }, (_, n) => eventNumber(n));

async function arrivedOnce(agent: Setup, count: number): Promise<void> {
  await agent.reach(`${count} hundreds`, ({ ledger }) => ledger.accepted >= count * LINES);
  const { ledger } = await agent.drained();
  expect(ledger.accepted).toBe(count * LINES);
  expect([...agent.destination.taken.values()].sort()).toEqual(hundreds(count).sort());
}

test("what a copy holds that was not read before the cut is read there, and only that", async () => {
  const { file, upload } = followed();
  writeFileSync(file, hundred(0));
  await using agent = await setup({ upload });
  await arrivedOnce(agent, 1);
  await agent.restart(() => {
    appendFileSync(file, hundred(1));
    copyFileSync(file, `${file}.1`);
    truncateSync(file, 0);
    appendFileSync(file, hundred(2));
  });
  await arrivedOnce(agent, 3);
});

test("a file that was renamed and compressed while the agent was down is read on in its gzip", async () => {
  const { file, upload } = followed();
  writeFileSync(file, hundred(0));
  await using agent = await setup({ upload });
  await arrivedOnce(agent, 1);
  await agent.restart(() => {
    writeFileSync(`${file}.1.gz`, gzipSync(hundred(0) + hundred(1)));
    rmSync(file);
    writeFileSync(file, hundred(2));
  });
  await arrivedOnce(agent, 3);
});

test("files rotated one after another while the agent was down are all read, those from before its first start are not", async () => {
  const { file, upload } = followed();
  writeFileSync(`${file}.9`, hundred(8));
  // Times are compared by the second: it was rotated well before.
  utimesSync(`${file}.9`, 0, 0);
  writeFileSync(file, hundred(0));
  await using agent = await setup({ upload });
  await arrivedOnce(agent, 1);
  await agent.restart(() => {
    renameSync(file, `${file}.3`);
    appendFileSync(`${file}.3`, hundred(1));
    writeFileSync(`${file}.2.gz`, gzipSync(hundred(2)));
    writeFileSync(`${file}.1`, hundred(3));
    writeFileSync(file, hundred(4));
  });
  await arrivedOnce(agent, 5);
  await agent.restart();
  appendFileSync(file, hundred(5));
  await arrivedOnce(agent, 6);
});

test("a file that is removed while its writer goes on is read as long as that writes", async () => {
  const { file, upload } = followed();
  writeFileSync(file, hundred(0));
  await using agent = await setup({ upload });
  await arrivedOnce(agent, 1);
  // A second name by which its writer can be played once the first is gone from the directory.
  const elsewhere = tempDir("weir-tail-writer");
  onTestFinished(elsewhere.remove);
  const writer = join(elsewhere.path, "open");
  renameSync(file, writer);
  writeFileSync(file, hundred(1));
  await arrivedOnce(agent, 2);
  appendFileSync(writer, hundred(2));
  await arrivedOnce(agent, 3);
});

test("a pattern names files that come later, and the copy of one that is followed is no new file", async () => {
  const { file, path, upload } = followed("usage*");
  writeFileSync(file, hundred(0));
  await using agent = await setup({ upload });
  await arrivedOnce(agent, 1);
  writeFileSync(join(path, "usage-b.ndjson"), hundred(1));
  await arrivedOnce(agent, 2);
  await agent.restart(() => {
    appendFileSync(file, hundred(2));
    copyFileSync(file, `${file}.1`);
    truncateSync(file, 0);
  });
  await arrivedOnce(agent, 3);
  appendFileSync(file, hundred(3));
  await arrivedOnce(agent, 4);
});

test("check warns of a file that logrotate copies and cuts", async () => {
  const { file, path, upload } = followed();
  const rules = join(path, "logrotate.d");
  mkdirSync(rules);
  writeFileSync(file, "");
  writeFileSync(join(rules, "other"), `${path}/other*.log {\n  copytruncate\n}\n${path}/usage.log {\n}\n`);
  const config = join(path, "weir-agent.toml");
  writeFileSync(config, `[destination]\nurl = "http://127.0.0.1:1"\napi_key_env = "KEY"\n[upload]\n${upload}\n`);
  expect(await checkTailFiles(readConfig(config, {}), rules)).toEqual([]);
  writeFileSync(join(rules, "usage"), `# ours\n${path}/*.ndjson {\n  daily\n  copytruncate\n}\n`);
  const [finding, ...more] = await checkTailFiles(readConfig(config, {}), rules);
  expect(more).toEqual([]);
  expect(finding).toMatchObject({ ok: true, warning: true, message: expect.stringContaining("copytruncate") });
});
