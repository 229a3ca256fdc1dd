/**
 * An example of a document: a block `sh example` and the block behind it, which is what it prints. Blocks of one
 * document run in order, in the project's folder, and see the variables that earlier ones set.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { blocksOf, ROOT } from "../support/markdown.ts";

export interface Example {
  readonly line: number;
  readonly script: string;
  /** What is printed; null where the document does not show it. */
  readonly expected: { readonly kind: "json" | "text"; readonly text: string } | null;
  /** Whether it only reads and may have to be asked again until the answer is there. */
  readonly isRepeatable: boolean;
}

/** @throws Error for an example of whose output the document says nothing it could be held to. */
export function examplesOf(markdown: string): Example[] {
  const blocks = blocksOf(markdown);
  return blocks.flatMap((block, i): Example[] => {
    const [language, word, ...flags] = block.info.split(" ");
    if (language !== "sh" || word !== "example") return [];
    const next = blocks[i + 1];
    const isShown = !flags.includes("quiet");
    const kind = next?.info === "json" || next?.info === "text" ? next.info : null;
    if (isShown && (next === undefined || kind === null)) throw new Error(`line ${block.line}: no output follows`);
    const expected = isShown && next !== undefined && kind !== null ? { kind, text: next.text } : null;
    return [{ line: block.line, script: block.text, expected, isRepeatable: flags.includes("until") }];
  });
}

export interface ShellResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Shell {
  /** Runs a script as `sh` does, and keeps the variables that it sets at the beginning of a line. */
  run(script: string): Promise<ShellResult>;
  close(): void;
}

export function openShell(env: Readonly<Record<string, string>>): Shell {
  const directory = mkdtempSync(join(tmpdir(), "weir-docs-"));
  const variables: Record<string, string> = {};
  return {
    async run(script) {
      const names = [...script.matchAll(/^([a-z_]+)=/gm)].map(([, name = ""]) => name);
      const saving = names.map((name) => `printf '%s' "$${name}" > '${join(directory, name)}'`);
      const child = spawn("sh", ["-c", ["set -u", script, "code=$?", ...saving, "exit $code"].join("\n")], {
        cwd: ROOT,
        env: { ...process.env, ...env, ...variables },
        stdio: ["ignore", "pipe", "pipe"],
      });
      const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
      const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
      for (const name of names) variables[name] = readFileSync(join(directory, name), "utf8");
      return { code, stdout, stderr };
    },
    close: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** What differs from run to run and says nothing of the product: times of receipt, random ids, measured numbers. */
const VARYING: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/g, "TIME"],
  [/"call":"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"/g, '"call":"UUID"'],
  [/\b(usev|reqr|key|weir_key)_[0-9A-Za-z]{20,}(_[0-9A-Za-z]{6})?/g, "$1_ID"],
  [/weir_token_[0-9a-zA-Z_.]+/g, "TOKEN"],
  [/\blocal\.[0-9A-Za-z]{8}\b/g, "local.LOG"],
  [/"(batch)":\{"id":"\d+"/g, '"$1":{"id":"N"'],
  [/"(duration_ms|bytes|position|call|digest|positions_digest|first_sequence|last_sequence)":("\w+"|\d+)/g, '"$1":N'],
  [/"delivery":(null|\{"asked_s":\d+,"pending":0,"waiting":\[\]\})/g, '"delivery":D'],
  [/^(content-length|date): .*$/gim, "$1: N"],
  [/\b\d+ bytes are free and \d+ used\b/g, "N bytes are free and N used"],
];

/** A text as it is compared: without the white space of JSON, and with what varies named. */
export function comparable(kind: "json" | "text", output: string): string {
  // Not parsed: the digits of a number are part of what is promised.
  const packed =
    kind === "text" ? output.replaceAll(/[ \t\r]+$/gm, "").trim() : output.replaceAll(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
  return VARYING.reduce((result, [pattern, name]) => result.replaceAll(pattern, name), packed);
}
