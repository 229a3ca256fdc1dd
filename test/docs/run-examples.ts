/** Runs a document's examples as a reader would run them, and holds what they print to what stands below them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { freePort } from "../../tools/processes/free-port.ts";
import { startStack } from "../../tools/processes/stack.ts";
import { until } from "../../tools/processes/until.ts";
import { runEdge } from "../../tools/processes/weir-processes.ts";
import { readDocument } from "../support/markdown.ts";
import { comparable, type Example, examplesOf, openShell, type Shell } from "./example.ts";

/** What a reader has running, and how the words of a document become the addresses of this run. */
export interface Setting {
  readonly words: Readonly<Record<string, string>>;
}

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "weir-docs-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** As `npm start` sets it up, without the events that it sends by itself. */
export async function everything(): Promise<Setting> {
  const state = temporaryDirectory();
  const stack = await startStack({
    stateDirectory: state,
    ports: { edge: await freePort(), agent: await freePort(), twin: await freePort() },
    agentId: "local",
    onReady: () => undefined,
    signal: AbortSignal.timeout(300_000),
  });
  onTestFinished(() => stack.stop());
  const { edge, agent, twin } = stack;
  const host = (url: string) => url.replace("http://", "");
  return {
    words: {
      "127.0.0.1:8787": host(edge.url),
      "127.0.0.1:8788": host(agent.url),
      "127.0.0.1:8789": host(twin.url),
      ".weir/": `${state}/`,
    },
  };
}

/** An edge with an empty catalog. */
export async function edgeAlone(): Promise<Setting> {
  const edge = await runEdge({ port: await freePort(), persistTo: temporaryDirectory(), vars: {} });
  onTestFinished(() => edge.stop());
  return { words: { "127.0.0.1:8787": edge.url.replace("http://", "") } };
}

/** @param start what the reader has running. */
export async function runExamples(document: string, start: () => Promise<Setting>): Promise<void> {
  const examples = examplesOf(readDocument(document));
  expect(examples).not.toEqual([]);
  const { words } = await start();
  const shell = openShell({ WEIR_API_KEY: "weir_local_ingest" });
  onTestFinished(shell.close);
  const replaced = (text: string) =>
    Object.entries(words).reduce((result, [word, value]) => result.replaceAll(word, value), text);
  for (const example of examples) await checkExample(shell, document, example, replaced);
}

/** Runs one example and holds it to what the document shows. @param replaced puts in the addresses of this run. */
export async function checkExample(
  shell: Shell,
  document: string,
  { line, script, expected, isRepeatable }: Example,
  replaced: (text: string) => string,
): Promise<void> {
  const wanted = expected === null ? null : comparable(expected.kind, replaced(expected.text));
  const run = async () => {
    const { code, stdout, stderr } = await shell.run(replaced(script));
    const printed = expected === null || wanted === null ? null : comparable(expected.kind, stdout + stderr);
    return { where: `${document}:${line}`, printed, failure: printed === null && code !== 0 ? stderr : null };
  };
  let last = await run();
  if (isRepeatable && last.printed !== wanted) {
    const isThere = async () => {
      last = await run();
      return last.printed === wanted;
    };
    // What never comes shows as a difference below, which says more than that the wait was in vain.
    await until(isThere, { what: "the example's answer", timeoutMs: 60_000, everyMs: 200 }).catch(() => undefined);
  }
  expect(last).toEqual({ where: `${document}:${line}`, printed: wanted, failure: null });
}
