/** Whether the followed files can be followed, and what of their rotation cannot be made safe. */
import { accessSync, constants, globSync, lstatSync, readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Config } from "../config/config.ts";
import { fileErrorText } from "../runtime/file-error.ts";
import { isPattern } from "../tail/beside.ts";
import { type Finding, failed, warned } from "./finding.ts";

/** Where Debian and others keep the rules of logrotate. */
const ROTATION_RULES = "/etc/logrotate.d";

/** @param rules the directory of logrotate's rules, looked at where it is there. */
export function checkTailFiles({ tails }: Config, rules = ROTATION_RULES): Finding[] {
  const followed = new Map<string, string>();
  const cut = cutByLogrotate(rules);
  return tails.flatMap(({ path }): Finding[] => {
    try {
      const paths = isPattern(path) ? globSync(path) : [path];
      return [
        ...(isPattern(path) ? [] : checkDirectory(path)),
        ...paths.flatMap((one) => checkFile(one, followed)),
        ...paths.filter((one) => cut.has(one)).map(copyTruncated),
      ];
    } catch (error) {
      return [failed("configuration", `[[tail]] ${path}: cannot be read: ${fileErrorText(error)}`)];
    }
  });
}

/** @throws the file system's error. */
function checkDirectory(path: string): Finding[] {
  accessSync(dirname(path), constants.R_OK | constants.X_OK);
  return [];
}

function checkFile(path: string, followed: Map<string, string>): Finding[] {
  const found = statSync(path, { throwIfNoEntry: false });
  // One that is not there yet is waited for.
  if (found === undefined) return [];
  if (!found.isFile()) return [failed("configuration", `[[tail]] ${path}: is no file`)];
  accessSync(path, constants.R_OK);
  const other = followed.get(identityOf(found));
  followed.set(identityOf(found), path);
  if (other === undefined) return foreignLink(path, found);
  return [failed("configuration", `[[tail]] ${path}: is the same file as ${other}; each line would count twice`)];
}

/** A link that neither this user nor root nor the file's own user made: whoever did chooses what is read and sent. */
function foreignLink(path: string, { uid: target }: Stats): Finding[] {
  const link = lstatSync(path);
  if (!link.isSymbolicLink() || [ROOT, process.getuid?.(), target].includes(link.uid)) return [];
  return [
    warned(
      "configuration",
      `[[tail]] ${path}: is a symbolic link that user ${link.uid} made to a file of user ${target}, and could lead to any ` +
        "file this user may read; name the file itself, or own the link",
    ),
  ];
}

const ROOT = 0;

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

function identityOf({ dev, ino }: Stats): string {
  return `${dev}:${ino}`;
}
