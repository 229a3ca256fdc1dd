/** What is handed out as text (configuration, units, container, Kubernetes) is what this very agent takes. */
import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type Config, parseConfig } from "../../../agent/config/config.ts";
import { SETTINGS, TABLES } from "../../../agent/config/settings.ts";
import { containerfile } from "../../../agent/package/container.ts";
import { DEB_BUFFER, DEB_CONFIG, debConfig } from "../../../agent/package/deb.ts";
import { manualPage } from "../../../agent/package/manual.ts";
import { readProduct } from "../../../agent/package/product.ts";
import { debUnit, npmUnit } from "../../../agent/package/unit.ts";
import { tempDir } from "../../../tools/processes/temp-dir.ts";
import { ROOT } from "../../support/markdown.ts";

/** What is used of it here. */
const { parseAllDocuments } = createRequire(import.meta.url)("yaml") as {
  parseAllDocuments(text: string): { errors: Error[]; warnings: Error[]; toJS(): unknown }[];
};

const product = readProduct();
const ENVIRONMENT = `Environment=${product.start.environment.join(" ")}\n`;

/** Lists by item, tables by key; what is not there is undefined all the way down. */
type Yaml = { readonly [key: string]: Yaml } & { readonly [Symbol.iterator]: () => Iterator<Yaml> } & string;

test("the .deb's configuration is taken by the agent's own reader and names every setting", () => {
  const text = debConfig();
  const config = parseConfig(text, DEB_CONFIG, {});
  expect(config.buffer.directory).toBe(DEB_BUFFER);
  expect(config.destination.apiKey).toEqual({ from: "env", name: "WEIR_API_KEY" });
  const keys = Object.values(TABLES).flatMap((table) => Object.values(table).map(({ key }) => key));
  expect(keys).toContain(SETTINGS.upload.lingerMs.key);
  expect(keys.filter((key) => !new RegExp(`^(# )?${key} = `, "m").test(text))).toEqual([]);
});

test("both units start the agent with glibc's settings, in what systemd finds sound", () => {
  const temp = tempDir("weir-units");
  onTestFinished(temp.remove);
  for (const unit of [npmUnit(product), debUnit(product)]) {
    expect(unit).toContain(ENVIRONMENT);
    expect(unit).not.toMatch(/@[A-Z]+@/);
    const file = join(temp.path, "weir-agent.service");
    writeFileSync(file, unit);
    const { error, stderr } = spawnSync("systemd-analyze", ["verify", file], { encoding: "utf8" });
    // What it says of a program that is not installed here is no fault of the unit's.
    const words = (stderr ?? "").split("\n").filter((line) => line.includes("weir-agent.service"));
    if (error === undefined) expect(words.filter((line) => !line.includes("is not executable"))).toEqual([]);
  }
  expect(debUnit(product)).toMatch(new RegExp(`^ExecStart=/usr/bin/weir-agent run --config ${DEB_CONFIG}$`, "m"));
  expect(debUnit(product)).toMatch(/^User=weir-agent$/m);
  expect(npmUnit(product)).toContain(`node ${product.start.flags.join(" ")} /opt/weir-agent/`);
});

test("the manual page names every command", () => {
  const text = manualPage(product).replaceAll("\\-", "-");
  for (const name of ["run", "send", "status", "drain", "check", "quarantine list", "quarantine retry", "audit"]) {
    expect(text).toContain(`\n.B ${name}`);
  }
});

test("the container runs the agent as a user, with its buffer a volume and glibc's settings", () => {
  const text = containerfile(product);
  expect(text).toContain(`\nENV ${product.start.environment.join(" ")}\n`);
  expect(text).toMatch(/^USER 65532:65532$/m);
  const [, volume = ""] = /^VOLUME (.*)$/m.exec(text) ?? [];
  const example = readFileSync(join(ROOT, "agent/package/container/agent.toml"), "utf8");
  const [, file = ""] = /^CMD \["run", "--config", "(.*)"\]$/m.exec(text) ?? [];
  const config = parseConfig(example, file, { WEIR_URL: "https://weir.example.com" });
  expect(config.buffer.directory.startsWith(`${volume}/`)).toBe(true);
  expect(text).toContain(`EXPOSE ${config.listen.port}\n`);
});

test.each(["sidecar", "daemonset"])(
  "the %s example is configured as the agent wants it, each path on a mount",
  (name) => {
    const text = readFileSync(join(ROOT, `agent/package/kubernetes/${name}.yaml`), "utf8");
    const documents = parseAllDocuments(text);
    expect(documents.flatMap(({ errors, warnings }) => [...errors, ...warnings])).toEqual([]);
    const [map, workload] = documents.map((document) => document.toJS() as Yaml);
    const pod = workload?.["spec"]?.["template"]?.["spec"];
    const agent = [...(pod?.["initContainers"] ?? []), ...(pod?.["containers"] ?? [])].find(
      (container) => container["name"] === "weir-agent",
    );
    const environment = Object.fromEntries([...(agent?.["env"] ?? [])].map((one) => [one["name"], "10.0.0.1"]));
    const [run, flag, file = ""] = agent?.["args"] ?? [];
    expect([run, flag]).toEqual(["run", "--config"]);
    const config = parseConfig(map?.["data"]?.["agent.toml"] ?? "", file, environment);
    const mounts = [...(agent?.["volumeMounts"] ?? [])];
    const mountOf = (path: string) => mounts.find((mount) => path.startsWith(`${mount["mountPath"]}/`));
    for (const path of [file, ...filesOf(config)]) expect([path, mountOf(path)?.["readOnly"]]).toEqual([path, true]);
    expect(mountOf(config.buffer.directory)?.["mountPath"]).toBe("/var/lib/weir-agent");
    expect(mountOf(config.buffer.directory)?.["readOnly"]).toBeUndefined();
    const claims = [...(workload?.["spec"]?.["volumeClaimTemplates"] ?? [])].map((claim) => claim["metadata"]);
    const volumes = [...(pod?.["volumes"] ?? []), ...claims].map((volume) => volume?.["name"]);
    expect(mounts.map((mount) => mount["name"]).filter((mount) => !volumes.includes(mount))).toEqual([]);
    const security = agent?.["securityContext"];
    expect(security).toMatchObject({ readOnlyRootFilesystem: true, allowPrivilegeEscalation: false });
    const ports = [...(agent?.["ports"] ?? [])];
    expect(ports.map((port) => Number(port["containerPort"]))).toEqual(ports.map(() => config.listen.port));
    // Loopback cannot be probed by the kubelet; anything else can.
    const probe = agent?.["readinessProbe"]?.["httpGet"];
    expect(probe?.["path"]).toBe(config.listen.host === "127.0.0.1" ? undefined : "/healthz");
  },
);

function filesOf({ listen, destination }: Config): string[] {
  const { apiKey } = destination;
  const files = [listen.tokenFile, apiKey.from === "file" ? apiKey.path : null];
  return files.filter((path) => path !== null);
}
