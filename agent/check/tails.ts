/** Whether the followed files can be followed, and what of their rotation cannot be made safe. */
import { accessSync, type BigIntStats, constants, globSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Config } from "../config/config.ts";
import { fileErrorText } from "../runtime/file-error.ts";
import { isPattern } from "../tail/beside.ts";
import { trustedPath } from "../tail/trusted-path.ts";
import { type Finding, failed, warned } from "./finding.ts";

/** Where Debian and others keep the rules of logrotate. */
const ROTATION_RULES = "/etc/logrotate.d";

/** @param rules the directory of logrotate's rules, looked at where it is there. */
export async function checkTailFiles({ tails }: Config, rules = ROTATION_RULES): Promise<Finding[]> {
  const followed = new Map<string, string>();
  const cut = cutByLogrotate(rules);
  const findings: Finding[] = [];
  for (const { path } of tails) {
    try {
      if (!isPattern(path)) checkDirectory(path);
      for (const one of isPattern(path) ? globSync(path) : [path]) {
        findings.push(...(await checkFile(one, followed)), ...(cut.has(one) ? [copyTruncated(one)] : []));
      }
    } catch (error) {
      findings.push(failed("configuration", `[[tail]] ${path}: cannot be read: ${fileErrorText(error)}`));
    }
  }
  return findings;
}

/** @throws the file system's error. */
function checkDirectory(path: string): void {
  accessSync(dirname(path), constants.R_OK | constants.X_OK);
}

async function checkFile(path: string, followed: Map<string, string>): Promise<Finding[]> {
  const trouble = (message: string) => [failed("configuration", `[[tail]] ${path}: ${message}`)];
  // One that is not there yet is waited for.
  if (statSync(path, { throwIfNoEntry: false }) === undefined) return [];
  const way = await trustedPath(path);
  if (way.kind === "refused") return trouble(way.reason);
  if (!way.found.isFile()) return trouble("is no file");
  accessSync(path, constants.R_OK);
  const other = followed.get(identityOf(way.found));
  followed.set(identityOf(way.found), path);
  return other === undefined ? [] : trouble(`is the same file as ${other}; each line would count twice`);
}

function copyTruncated(path: string): Finding {
  return warned(
    "configuration",
    `[[tail]] ${path}: logrotate cuts it (copytruncate), and lines written between its copy and the cut are gone ` +
      "before anybody can read them; use create, and a signal to the writer in postrotate",
  );
}

/** The files that some rule of logrotate copies and cuts. Rules that cannot be read say nothing. */
function cutByLogrotate(directory: string): ReadonlySet<string> {
  const cut = new Set<string>();
  for (const name of namesIn(directory)) {
    for (const [, files = "", rule = ""] of ruleText(join(directory, name)).matchAll(/^([^{}]+)\{([^}]*)\}/gm)) {
      if (!/^\s*copytruncate\b/m.test(rule)) continue;
      for (const file of files.match(/"[^"]+"|[^\s"#]+/g) ?? []) {
        for (const path of globSync(file.replaceAll('"', ""))) cut.add(path);
      }
    }
  }
  return cut;
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    // No logrotate here, or not for this user to see: there is nothing to warn of.
    return [];
  }
}

function ruleText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    // As above.
    return "";
  }
}

function identityOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}
