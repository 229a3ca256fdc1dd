/** What every source file of the repository imports, read from its text. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { ROOT } from "../support/product-copy.ts";

export interface Import {
  readonly file: string;
  /** A path from the root, or a package's name as it was written. */
  readonly target: string;
  /** Erased before it runs. */
  readonly typeOnly: boolean;
}

const FOLDERS_LEFT_OUT = /^(node_modules|migrations|dist|\..*)$/;

/** Paths from the root, of every source file in `folder` and below. */
export function sourceFiles(folder = ""): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name);
    if (entry.isDirectory()) return FOLDERS_LEFT_OUT.test(entry.name) ? [] : sourceFiles(path);
    return /\.[cm]?tsx?$/.test(entry.name) ? [path] : [];
  });
}

export const textOf = (file: string) => readFileSync(join(ROOT, file), "utf8");

// What the formatter lets through: double quotes, one statement a line, `from` behind the names.
const STATEMENT =
  /^(?:import|export)\s+(type\s+)?(?:[\w$]+\s*,?\s*)?(?:\*(?:\s+as\s+[\w$]+)?|\{([^}]*)\})?\s*from\s+"([^"]+)"/gm;
const BARE = /^import\s+"([^"]+)"/gm;
const DYNAMIC = /\bimport\(\s*"([^"]+)"/g;

/** Also imports of types alone, and those within an `import()`. */
export function importsOf(file: string, text: string): Import[] {
  const found = (written: string, typeOnly: boolean): Import => {
    const target = written.startsWith(".") ? posix.join(dirname(file), written) : written;
    return { file, target, typeOnly };
  };
  return [
    ...[...text.matchAll(STATEMENT)].map(([, type, names, written = ""]) => {
      const each = (names ?? "")
        .split(",")
        .map((name) => name.trim())
        .filter((name) => name !== "");
      return found(written, type !== undefined || (each.length > 0 && each.every((name) => name.startsWith("type "))));
    }),
    ...[...text.matchAll(BARE)].map(([, written = ""]) => found(written, false)),
    ...[...text.matchAll(DYNAMIC)].map(([, written = ""]) => found(written, false)),
  ];
}

/** A file that hands on what others export and adds nothing. */
export function isBarrel(text: string): boolean {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const rest = code.replace(STATEMENT, (statement) => (statement.startsWith("export") ? "\0" : ""));
  return rest.includes("\0") && rest.replace(/[\0\s;]/g, "") === "";
}
