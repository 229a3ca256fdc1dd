/**
 * The .deb on a machine without Node, run by a real systemd: installed, configured, upgraded under load, removed and purged,
 * as Debian's users expect it. The buffer outlives all of it but a purge that knows nothing undelivered is in it.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { DEB_BUFFER, DEB_CONFIG, debConfig } from "../../../agent/package/deb.ts";
import { readProduct } from "../../../agent/package/product.ts";
import { freePort } from "../../../tools/processes/free-port.ts";
import { type TempDir, tempDir } from "../../../tools/processes/temp-dir.ts";
import { until } from "../../../tools/processes/until.ts";
import { openDestination } from "../support/destination.ts";
import { NO_EXECUTABLE } from "../support/executable.ts";
import { notOnce, postEvents, startLoad } from "../support/load.ts";
import { eventNumber } from "../support/setup.ts";
import { type Machine, startMachine, whyNoMachine } from "./machine.ts";

const BUILD = fileURLToPath(new URL("../../../agent/package/build.ts", import.meta.url));
const { version } = readProduct();

const reason = NO_EXECUTABLE ?? whyNoMachine();
if (reason !== null) console.warn(`no package is installed: ${reason}`);

describe.skipIf(reason !== null)(`the .deb${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  let built: TempDir;
  /** The same agent, packed as an earlier version with another unit. */
  let older: string;
  let newer: string;
  beforeAll(() => {
    built = tempDir("weir-deb-built");
    execFileSync(process.execPath, [BUILD, built.path, "--deb"]);
    newer = join(built.path, `weir-agent_${version}_amd64.deb`);
    older = join(built.path, "older.deb");
    const tree = join(built.path, "older");
    execFileSync("dpkg-deb", ["--raw-extract", newer, tree]);
    execFileSync("sed", ["-i", `s/^Version: .*/Version: ${version}~older/`, join(tree, "DEBIAN/control")]);
    execFileSync("sed", [
      "-i",
      "s/^RestartSec=.*/RestartSec=7/",
      join(tree, "usr/lib/systemd/system/weir-agent.service"),
    ]);
    execFileSync("dpkg-deb", ["--root-owner-group", "-Znone", "--build", tree, older], { stdio: "ignore" });
  });
  afterAll(() => built.remove());

  async function setup() {
    const machine = await startMachine();
    const destination = await openDestination();
    destination.schemas = { streams: [{ meter_global_id: "m" }] };
    onTestFinished(async () => {
      await machine.stop();
      await destination.close();
    });
    const port = await freePort();
    machine.copyIn(older, "/srv/older.deb");
    machine.copyIn(newer, "/srv/newer.deb");
    const url = `http://127.0.0.1:${port}`;
    return {
      ...{ machine, destination, url },
      /** Does what the package says is to be done. */
      async configure() {
        const text = debConfig()
          .replace("port = 8788", `port = ${port}`)
          .replace("https://weir.example.com", destination.url)
          .replace("linger_ms = 200", "linger_ms = 0");
        machine.write(DEB_CONFIG, text);
        machine.write("/etc/weir-agent/environment", "WEIR_API_KEY=test-key\n");
        await machine.must("systemctl", "enable", "--now", "weir-agent");
        await until(async () => (await fetch(`${url}/healthz`)).ok, { what: "the agent to be ready" });
      },
      mainPid: async () =>
        (await machine.must("systemctl", "show", "--property=MainPID", "--value", "weir-agent")).trim(),
      status: () => statusOf(machine),
    };
  }

  const statusOf = async (machine: Machine) =>
    JSON.parse(await asAgent(machine, "status", "--json")) as {
      running: boolean;
      ledger: { accepted: number; delivered: number; pending: number };
    };
  const asAgent = (machine: Machine, ...args: readonly string[]) =>
    machine.must(
      "runuser",
      "-u",
      "weir-agent",
      "--",
      "env",
      "WEIR_API_KEY=k",
      "weir-agent",
      ...args,
      "--config",
      DEB_CONFIG,
    );
  /** Which of these files are there. */
  const thereOf = async (machine: Machine, ...paths: readonly string[]) => {
    const found = await Promise.all(paths.map((path) => machine.run("test", "-e", path)));
    return found.map(({ code }) => code === 0);
  };

  test("installs where there is no Node, waits for a destination, then runs as its own user, closed in by its unit", async () => {
    const { machine, destination, url, configure, status, mainPid } = await setup();
    expect((await machine.run("sh", "-c", "command -v node")).code).not.toBe(0);
    expect(await machine.must("dpkg", "-i", "/srv/newer.deb")).toContain("systemctl enable --now weir-agent");
    // Nothing is running yet: the configuration names no destination of anybody's.
    expect((await machine.run("systemctl", "is-active", "weir-agent")).stdout.trim()).toBe("inactive");
    expect(await machine.must("weir-agent", "--version")).toBe(`${version}\n`);
    await configure();
    expect((await postEvents(url, [eventNumber(1)])).status).toBe(200);
    await until(() => destination.taken.size === 1, { what: "the event to arrive" });
    expect(await asAgent(machine, "check")).toContain("ok      buffer: sound");
    machine.write("/srv/one.ndjson", `${eventNumber(2)}\n`);
    expect(await asAgent(machine, "send", "--stream", "usage/m", "/srv/one.ndjson")).toBe(
      "1 accepted, 0 quarantined\n",
    );
    await until(() => destination.taken.size === 2, { what: "the other event to arrive" });
    expect(await status()).toMatchObject({ running: true, ledger: { accepted: 2, pending: 0 } });
    expect((await machine.must("ps", "-o", "user=", "-p", await mainPid())).trim()).toMatch(/^weir-ag/);
    expect((await machine.must("stat", "-c", "%a %U", DEB_BUFFER)).trim()).toBe("700 weir-agent");
    const environment = await machine.must("sh", "-c", `tr '\\0' '\\n' < /proc/${await mainPid()}/environ`);
    for (const setting of readProduct().start.environment) expect(environment).toContain(setting);
  });

  test("reads its configuration again at `systemctl reload`, and comes back after a kill", async () => {
    const { machine, url, configure, mainPid } = await setup();
    await machine.must("dpkg", "-i", "/srv/newer.deb");
    await configure();
    const before = await mainPid();
    await machine.must("systemctl", "reload", "weir-agent");
    const journal = () => machine.must("journalctl", "--unit", "weir-agent", "--output=cat");
    await until(async () => (await journal()).includes("configuration read again"), { what: "the reload" });
    expect(await mainPid()).toBe(before);
    await machine.must("kill", "-KILL", before);
    await until(async () => (await mainPid()) !== before && (await fetch(`${url}/healthz`)).ok, {
      what: "the agent to be back",
    });
  });

  test("is upgraded under load: restarted, its configuration and buffer kept, nothing lost or doubled", async () => {
    const { machine, destination, url, configure, mainPid, status } = await setup();
    await machine.must("dpkg", "-i", "/srv/older.deb");
    await configure();
    const before = await mainPid();
    const load = startLoad({ url: () => url });
    await until(() => load.owed.size > 200, { what: "load" });
    // Some of it waits while the package is exchanged.
    destination.reply = () => ({ status: 503 });
    const upgraded = await machine.must("dpkg", "-i", "/srv/newer.deb");
    expect(upgraded).toContain(`(${version}) over (${version}~older)`);
    expect(upgraded).not.toContain("enable --now");
    await until(async () => (await mainPid()) !== before && (await fetch(`${url}/healthz`)).ok, {
      what: "the new version",
    });
    const owed = load.owed.size;
    await until(() => load.owed.size > owed + 200, { what: "load on the new version" });
    await load.stop();
    destination.reply = () => undefined;
    await asAgent(machine, "drain", "--timeout", "120");
    const restart = await machine.must("systemctl", "show", "--property=RestartUSec", "--value", "weir-agent");
    expect(restart.trim()).toBe("2s");
    expect(notOnce(load.owed, [...destination.taken.values()])).toEqual([]);
    expect(destination.disagreements).toEqual([]);
    expect((await status()).ledger).toMatchObject({ pending: 0, delivered: destination.taken.size });
  });

  test("an upgrade starts nothing that was stopped", async () => {
    const { machine, configure } = await setup();
    await machine.must("dpkg", "-i", "/srv/older.deb");
    await configure();
    await machine.must("systemctl", "stop", "weir-agent");
    await machine.must("dpkg", "-i", "/srv/newer.deb");
    expect((await machine.run("systemctl", "is-active", "weir-agent")).stdout.trim()).toBe("inactive");
  });

  test("removed it keeps configuration and buffer, purged only what is not delivered, and says so; installed again it goes on", async () => {
    const { machine, destination, url, configure, status } = await setup();
    await machine.must("dpkg", "-i", "/srv/newer.deb");
    await configure();
    destination.reply = () => ({ status: 503 });
    expect((await postEvents(url, [eventNumber(1)])).status).toBe(200);
    await machine.must("dpkg", "-r", "weir-agent");
    expect(await fetch(`${url}/healthz`).catch(() => null)).toBeNull();
    expect(await thereOf(machine, DEB_CONFIG, "/etc/weir-agent/environment", DEB_BUFFER)).toEqual([true, true, true]);
    expect(await machine.must("dpkg", "-P", "weir-agent")).toContain(
      "the buffer stays in /var/lib/weir-agent: it holds events that were not delivered.",
    );
    expect(await thereOf(machine, "/etc/weir-agent", DEB_BUFFER)).toEqual([false, true]);

    await machine.must("dpkg", "-i", "/srv/newer.deb");
    await configure();
    expect((await status()).ledger).toMatchObject({ accepted: 1, pending: 1 });
    destination.reply = () => undefined;
    await asAgent(machine, "drain", "--timeout", "120");
    const purged = await machine.must("dpkg", "-P", "weir-agent");
    expect(purged).not.toContain("stays");
    expect(await thereOf(machine, "/etc/weir-agent", "/var/lib/weir-agent", "/usr/bin/weir-agent")).toEqual([
      false,
      false,
      false,
    ]);
    expect([...destination.taken.values()]).toEqual([eventNumber(1)]);
  });

  test("a purge leaves what is in quarantine, what nobody could read, and a damaged log", async () => {
    const { machine, url, configure } = await setup();
    await machine.must("dpkg", "-i", "/srv/newer.deb");
    await configure();
    expect((await postEvents(url, ['{"CustomerId":7}'], { prefer: "handling=lenient" })).status).toBe(200);
    expect(await machine.must("dpkg", "-P", "weir-agent")).toContain("it holds events in quarantine");

    await machine.must("dpkg", "-i", "/srv/newer.deb");
    machine.write(DEB_CONFIG, "no toml");
    expect(await machine.must("dpkg", "-P", "weir-agent")).toContain("nobody could read what is in it");
    expect(await thereOf(machine, DEB_BUFFER)).toEqual([true]);

    await machine.must("dpkg", "-i", "/srv/newer.deb");
    await machine.must("mkdir", "-p", `${DEB_BUFFER}/damaged/1`);
    expect(await machine.must("dpkg", "-P", "weir-agent")).toContain("damaged log");
    expect(await thereOf(machine, DEB_BUFFER)).toEqual([true]);
  });

  const noLintian = spawnSync("lintian", ["--version"]).error === undefined ? null : "lintian is not installed";
  test.skipIf(noLintian !== null)(
    `has nothing that lintian minds${noLintian === null ? "" : ` (skipped: ${noLintian})`}`,
    () => {
      const { status, stdout } = spawnSync("lintian", ["--allow-root", "--fail-on", "error,warning", newer], {
        encoding: "utf8",
      });
      expect([status, stdout]).toEqual([0, ""]);
    },
  );
});
