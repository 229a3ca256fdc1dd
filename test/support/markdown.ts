/** The user's documents as data: their fenced blocks, links, headings and the things of the project that they name. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** Paths from the root. */
export const DOCUMENTS: readonly string[] = [
  "README.md",
  "ARCHITECTURE.md",
  "SECURITY.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

export function readDocument(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

export interface Block {
  /** Of the block's first line, counted from 1. */
  readonly line: number;
  /** What stands behind the opening fence, say `sh example`. */
  readonly info: string;
  readonly text: string;
}

export function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; info: string; lines: string[] } | null = null;
  markdown.split("\n").forEach((text, i) => {
    if (!text.startsWith("```")) open?.lines.push(text);
    else if (open === null) open = { line: i + 2, info: text.slice(3).trim(), lines: [] };
    else {
      blocks.push({ line: open.line, info: open.info, text: open.lines.join("\n") });
      open = null;
    }
  });
  return blocks;
}

/** Outside of fenced blocks. */
export function proseOf(markdown: string): string {
  return markdown
    .split(/^```.*$/m)
    .filter((_, i) => i % 2 === 0)
    .join("\n");
}

/** The targets of `[text](target)`. */
export function linksOf(markdown: string): string[] {
  return [...proseOf(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
}

/** A heading's anchor, as GitHub makes it. */
export function anchorsOf(markdown: string): string[] {
  return [...proseOf(markdown).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

const FOLDERS = "agent|docs|migrations|shared|test|tools|worker|\\.ci";

/** Files and folders of the project that are named in backticks, also in tables and fenced blocks. */
export function pathsIn(markdown: string): string[] {
  const named = new RegExp(`(?<![\\w./-])((?:${FOLDERS})/[\\w./-]*\\w/?)(?![\\w*{<])`, "g");
  return [...markdown.matchAll(named)].map(([, path = ""]) => path);
}

/** Scripts that `npm run NAME` names. */
export function scriptsIn(markdown: string): string[] {
  return [...markdown.matchAll(/npm (?:run (?:-s )?)([a-z][a-z:-]*)/g)].map(([, name = ""]) => name);
}
