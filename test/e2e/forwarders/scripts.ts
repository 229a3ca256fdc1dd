/** Short programs around a recipe of docs/forwarders.md: each reads a file in parts of 1,000 lines and sends each part. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "./program.ts";
import { recipe } from "./recipes.ts";
import type { FileForwarderOptions } from "./syslog-ng.ts";

/** Debian's, which has python3-requests, where there are several. */
export const PYTHON: Command = { command: "/usr/bin/python3", args: ["-c", "import requests"] };
export const CURL: Command = { command: "curl", args: ["--version"] };

const addresses = ({ url, meter }: FileForwarderOptions) => ({ "http://127.0.0.1:8788": url, METER: meter });

export function pythonScript(options: FileForwarderOptions): Command {
  const script = join(options.folder, "requests.send.py");
  const loop = [
    "import itertools",
    `with open(${JSON.stringify(options.file)}, "rb") as lines:`,
    "    while part := b''.join(itertools.islice(lines, 1000)):",
    "        send(part)",
  ];
  writeFileSync(script, `${recipe("requests", addresses(options))}\n${loop.join("\n")}\n`);
  return { command: PYTHON.command, args: [script] };
}

export function nodeScript(options: FileForwarderOptions): Command {
  const script = join(options.folder, "fetch.send.mjs");
  const loop = [
    'import { readFileSync } from "node:fs";',
    `const lines = readFileSync(${JSON.stringify(options.file)}, "utf8").trimEnd().split("\\n");`,
    "for (let from = 0; from < lines.length; from += 1000) await send(lines.slice(from, from + 1000).join('\\n'));",
  ];
  writeFileSync(script, `${recipe("fetch", addresses(options))}\n${loop.join("\n")}\n`);
  return { command: process.execPath, args: [script] };
}

export function curlScript(options: FileForwarderOptions): Command {
  const words = { ...addresses(options), "usage.ndjson": options.file, "-l 10000": "-l 1000" };
  const script = join(options.folder, "curl.send.sh");
  writeFileSync(script, `${recipe("curl", words)}\n`);
  return { command: "sh", args: [script] };
}
