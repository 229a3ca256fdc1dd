/** From an empty folder to the first event delivered, by the very blocks of docs/deploying.md, in their order. */
import { spawn } from "node:child_process";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../tools/processes/free-port.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { blocksOf, ROOT, readDocument } from "../support/markdown.ts";
import { examplesOf, openShell } from "./example.ts";
import { checkExample } from "./run-examples.ts";

const DOCUMENT = "docs/deploying.md";

/** Runs a script that stays, as in a terminal of its own, until the test ends. */
async function startInTerminal(script: string): Promise<void> {
  // A group of its own, as a terminal gives it: the signal at the end reaches npm and what npm started.
  const shell = spawn("sh", ["-c", script], { cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  const { pid } = shell;
  if (pid === undefined) throw new Error(`could not start ${script}`);
  const ended = new Promise<void>((resolve) => shell.once("close", () => resolve()));
  onTestFinished(async () => {
    if (shell.exitCode === null && shell.signalCode === null) process.kill(-pid, "SIGTERM");
    await ended;
  });
  let out = "";
  for (const stream of [shell.stdout, shell.stderr]) stream.on("data", (chunk: Buffer) => (out += chunk.toString()));
  await until(() => / ready on http/.test(out), { what: `"${script}" to be ready: ${out}` });
}

test("the local part of docs/deploying.md leads from an empty folder to the first event delivered", async () => {
  const folder = tempDir("weir-first");
  onTestFinished(folder.remove);
  const [edge, twin] = [await freePort(), await freePort()];
  const words = { "8787": String(edge), "8789": String(twin), ".weir/first": folder.path };
  const replaced = (text: string) =>
    Object.entries(words).reduce((result, [word, value]) => result.replaceAll(word, value), text);
  const shell = openShell({});
  onTestFinished(shell.close);

  const text = readDocument(DOCUMENT);
  const examples = new Map(examplesOf(text).map((example) => [example.line, example]));
  let followed = 0;
  for (const block of blocksOf(text)) {
    const example = examples.get(block.line);
    if (block.info === "sh running") await startInTerminal(replaced(block.text));
    else if (example !== undefined) await checkExample(shell, DOCUMENT, example, replaced);
    else continue;
    followed++;
  }
  expect(followed).toBe(7);
});
