import { execFileSync, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";

const TSC = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));
const BUILD = fileURLToPath(new URL("../../agent/package/build.ts", import.meta.url));

/** A Node that is too old: an installed one, else this one that says it is. */
const OLD_NODE = ["/usr/bin/node", "/usr/local/bin/node"].find((path) => {
  const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return /^v(18|20|22)\./.test(stdout ?? "");
});

test("on a Node that is too old the command and the library say which one is needed, in one line", () => {
  const temp = tempDir("weir-package-old");
  onTestFinished(temp.remove);
  const path = join(temp.path, "out");
  execFileSync(process.execPath, [BUILD, path]);
  const pretend = join(path, "pretend.cjs");
  writeFileSync(
    pretend,
    'const versions = { ...process.versions, node: "20.1.2" };' +
      'Object.defineProperty(process, "versions", { value: versions });' +
      'Object.defineProperty(process, "version", { value: "v20.1.2" });',
  );
  const old = OLD_NODE === undefined ? [process.execPath, "--require", pretend] : [OLD_NODE];
  const [command = "", ...flags] = old;
  const run = spawnSync(command, [...flags, join(path, "weir-agent.js"), "status"], { encoding: "utf8" });
  expect([run.status, run.stdout]).toEqual([1, ""]);
  expect(run.stderr).toMatch(/^weir-agent: needs Node 24 or later, this is v\d+\.\d+\.\d+ \(.*\)\n$/);
  const used = join(path, "use.js");
  writeFileSync(used, `import(${JSON.stringify("./index.js")}).catch((error) => console.log(error.message));`);
  const imported = spawnSync(command, [...flags, used], { encoding: "utf8" });
  expect(imported.stdout).toMatch(/^weir-agent: needs Node 24 or later/);
});

test("the packed agent installs into an empty folder, runs, and can be imported", async () => {
  const { path, remove } = tempDir("weir-package");
  onTestFinished(remove);
  const [out, app] = [join(path, "out"), join(path, "app")];
  mkdirSync(app);
  const said = execFileSync(process.execPath, [BUILD, out], { cwd: path, encoding: "utf8" });
  const [tarball = ""] = readdirSync(path).filter((name) => name.endsWith(".tgz"));
  expect(said).toContain(`packed: ${tarball} (`);
  for (const name of readdirSync(out)) expect(said).toContain(`  ${name} `);
  writeFileSync(join(app, "package.json"), '{"private":true,"type":"module"}');
  execFileSync("npm", ["install", "--silent", "--offline", join(path, tarball)], { cwd: app });
  expect(readdirSync(join(app, "node_modules"))).toContain("weir-agent");
  const bin = join(app, "node_modules/.bin/weir-agent");
  expect(execFileSync(bin, ["--help"], { encoding: "utf8" })).toContain("quarantine retry");

  writeFileSync(join(app, "a.toml"), '[destination]\nurl = "http://127.0.0.1:9"\napi_key_env = "K"\n');
  const event = '{"CustomerId":"c","UsageIdentifier":"u","UsageDate":"2026-01-02T03:04:05Z","Quantity":1}';
  writeFileSync(
    join(app, "use.js"),
    `import { openAgent } from "weir-agent";
     const agent = await openAgent({ config: "a.toml", env: { K: "k" } });
     console.log((await agent.append("usage/m", ['${event}'])).accepted);
     await agent.close();`,
  );
  expect(execFileSync(process.execPath, ["use.js"], { cwd: app, encoding: "utf8" })).toBe("1\n");
  const status = execFileSync(bin, ["status", "--config", "a.toml", "--json"], { cwd: app, encoding: "utf8" });
  expect(JSON.parse(status).ledger).toMatchObject({ accepted: 1, pending: 1 });

  writeFileSync(
    join(app, "typed.ts"),
    `import { openAgent } from "weir-agent";
     const agent = await openAgent({ config: "a.toml" });
     const accepted: number = (await agent.append("usage/m", [{ CustomerId: "c" }])).accepted;
     // @ts-expect-error: a stream is named by text
     await agent.append(7, []);
     export const left: number = accepted + (await agent.status()).ledger.pending;`,
  );
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--lib", "es2024", "typed.ts"];
  const types = spawnSync(TSC, flags, { cwd: app, encoding: "utf8" });
  expect([types.status, types.stdout]).toEqual([0, ""]);

  writeFileSync(join(app, "run.toml"), `[listen]\nport = 0\n${readFileSync(join(app, "a.toml"), "utf8")}`);
  const main = join(app, "node_modules/weir-agent/weir-agent.js");
  const running = spawnNode(main, ["run", "--config", "run.toml"], { cwd: app, env: { K: "k" } });
  onTestFinished(async () => void (await running.stop()));
  const posted = await fetch(`${await running.ready}/usage/bulk/m`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: event,
  });
  expect(posted.status).toBe(200);
  expect(await running.kill("SIGTERM")).toEqual({ code: 0, signal: null });

  const unit = join(out, "weir-agent.service");
  const verified = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8" });
  // Not every machine has systemd; where it is, it finds nothing to say.
  if (verified.error === undefined) expect(verified.stderr).not.toContain("weir-agent.service");
});
