import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { lastWords, spawnNode } from "../../tools/processes/node-process.ts";
import { startRestartable } from "../../tools/processes/restartable.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";

/** Writes a script and gives a way to start it; whatever was started is killed at the end. */
function setup(source: string) {
  const directory = tempDir("weir-process");
  const script = join(directory.path, "script.ts");
  writeFileSync(script, source);
  const start = (args: string[] = []) => {
    const started = spawnNode(script, args);
    onTestFinished(async () => void (await started.kill("SIGKILL")));
    return started;
  };
  onTestFinished(directory.remove);
  return { directory: directory.path, script, start };
}

const SERVES = 'setInterval(() => {}, 1000); console.log("thing ready on http://127.0.0.1:" + process.argv[2]);';

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("a process is ready when it says so, with its address", async () => {
  const { start } = setup(
    `process.stdout.write("thing rea"); setTimeout(() => { ${SERVES.replace("thing", "\\nthing")} }, 20);`,
  );
  await expect(start(["17"]).ready).resolves.toBe("http://127.0.0.1:17");
});

test("a process that ends before it is ready says with which words", async () => {
  const { start } = setup('console.error("no such thing"); process.exitCode = 3;');
  const started = start();
  await expect(started.ready).rejects.toThrow(/ended \(3\).*\nno such thing/s);
  expect(await started.exited).toEqual({ code: 3, signal: null });
  expect(lastWords(started)).toBe("no such thing");
});

test("a soft stop lets a process finish, and takes what it left running", async () => {
  const { start } = setup(`
    import { spawn } from "node:child_process";
    const left = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    process.once("SIGTERM", () => { console.log("done"); process.exit(0); });
    console.log("left " + left.pid);
    ${SERVES}`);
  const started = start(["1"]);
  await started.ready;
  const left = Number(/left (\d+)/.exec(started.stdout())?.[1]);
  expect(isAlive(left)).toBe(true);
  expect(await started.stop()).toEqual({ code: 0, signal: null });
  expect(started.stdout()).toContain("done");
  await until(() => !isAlive(left), { what: "the grandchild to end" });
});

test("a process ends when its starter is killed hard", async () => {
  const { directory, script } = setup(SERVES);
  const processModule = fileURLToPath(new URL("../../tools/processes/node-process.ts", import.meta.url));
  const starter = join(directory, "starter.ts");
  writeFileSync(
    starter,
    `import { spawnNode } from ${JSON.stringify(processModule)};
     const started = spawnNode(${JSON.stringify(script)}, ["1"]);
     await started.ready;
     console.log("starter ready on " + started.pid);
     setInterval(() => {}, 1000);`,
  );
  const started = spawnNode(starter);
  onTestFinished(async () => void (await started.kill("SIGKILL")));
  const grandchild = Number(await started.ready);
  expect(isAlive(grandchild)).toBe(true);
  await started.kill("SIGKILL");
  await until(() => !isAlive(grandchild), { what: "the orphan to end" });
});

test("a killed process comes back on the same port", async () => {
  const { directory, start } = setup(`
    import { appendFileSync } from "node:fs";
    appendFileSync(process.argv[3], "started\\n");
    ${SERVES}`);
  const marks = join(directory, "marks");
  const thing = await startRestartable(5, () => start(["5", marks]));
  expect((await thing.sigkill()).signal).toBe("SIGKILL");
  expect(thing.current().isRunning()).toBe(false);
  await thing.restart();
  expect(thing.current().isRunning()).toBe(true);
  expect(readFileSync(marks, "utf8")).toBe("started\nstarted\n");
});
