/** What the documents point at is there: links, anchors, files and scripts. What users meet is in the documents. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parse } from "smol-toml";
import { describe, expect, test } from "vitest";
import { TABLES } from "../../agent/config/settings.ts";

import {
  anchorsOf,
  blocksOf,
  DOCUMENTS,
  linksOf,
  pathsIn,
  ROOT,
  readDocument,
  scriptsIn,
} from "../support/markdown.ts";
import { readOpenApi } from "../support/openapi.ts";

const SCRIPTS = Object.keys(
  (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { scripts: object }).scripts,
);

describe.each(DOCUMENTS)("%s", (document) => {
  const text = readDocument(document);

  test("each relative link leads to a file, and its anchor to a heading", () => {
    const broken = linksOf(text)
      .filter((target) => !/^[a-z]+:/.test(target))
      .filter((target) => {
        const [path = "", anchor] = target.split("#", 2);
        const file = path === "" ? document : join(dirname(document), path);
        if (!existsSync(join(ROOT, file))) return true;
        return anchor !== undefined && !anchorsOf(readDocument(file)).includes(anchor);
      });
    expect(broken).toEqual([]);
  });

  test("each file and folder that it names is there", () => {
    expect(pathsIn(text).filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  test("each part of a file that it shows is as it stands there", () => {
    for (const { info, line, text: shown } of blocksOf(text)) {
      const [, file, path = ""] = /^json file=([^#]+)#(\S+)$/.exec(info) ?? [];
      if (file === undefined) continue;
      expect({ line, value: JSON.parse(shown) }).toEqual({ line, value: partOf(JSON.parse(readDocument(file)), path) });
    }
  });

  test("each script that it names is in package.json", () => {
    expect(scriptsIn(text).filter((name) => !SCRIPTS.includes(name))).toEqual([]);
  });
});

/** @param path dotted, list members by index. */
function partOf(document: unknown, path: string): unknown {
  return path.split(".").reduce((value, key) => (value as Record<string, unknown>)[key], document);
}

test("the README names the two commands first", () => {
  const readme = readDocument("README.md");
  expect(readme).toMatch(/^npm ci && npm start\b/m);
  expect(readme).toMatch(/^npm ci && npm test\b/m);
});

test("the README can be read in two minutes", () => {
  expect(readDocument("README.md").split("\n").length).toBeLessThanOrEqual(140);
});

test("each threat in SECURITY.md is held by a test that is there", () => {
  const section = readDocument("SECURITY.md")
    .split("\n## ")
    .find((text) => text.startsWith("Threats"));
  const rows = (section ?? "")
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .slice(2);
  expect(rows.length).toBeGreaterThan(12);
  const unheld = rows.filter((row) => {
    const tests = pathsIn(row.split("|").at(-2) ?? "");
    return tests.length === 0 || tests.some((path) => !path.endsWith(".test.ts") || !existsSync(join(ROOT, path)));
  });
  expect(unheld).toEqual([]);
});

test("ARCHITECTURE.md's map has each folder of the product", () => {
  const map = readDocument("ARCHITECTURE.md");
  const folders = ["shared", "worker", "agent"].flatMap((top) =>
    readdirSync(join(ROOT, top), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${top}/${entry.name}/`),
  );
  expect(folders.filter((folder) => !map.includes(`\n${folder} `))).toEqual([]);
});

describe("nothing that users meet is left out", () => {
  test("each route of the edge is in docs/http.md", () => {
    const text = readDocument("docs/http.md");
    const paths = Object.keys(readOpenApi().paths);
    expect(paths.length).toBeGreaterThan(20);
    expect(paths.map((path) => path.replace("/v{version}/", "/v1/")).filter((path) => !text.includes(path))).toEqual(
      [],
    );
  });

  test("each setting of the edge is in docs/deploying.md", () => {
    const text = readDocument("docs/deploying.md");
    const { vars } = parse(readDocument("wrangler.toml")) as { vars: object };
    expect(Object.keys(vars).filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });

  test("each setting of the agent is in docs/agent.md", () => {
    const text = readDocument("docs/agent.md");
    const names = Object.entries(TABLES).flatMap(([table, settings]) =>
      Object.values(settings).map(({ key }) => (table === "top" ? key : `${table}.${key}`)),
    );
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});
