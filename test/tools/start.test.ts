import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { freePort } from "../../tools/processes/free-port.ts";
import { type NodeProcess, spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { processesNaming } from "../support/process-list.ts";

const START = fileURLToPath(new URL("../../tools/start/main.ts", import.meta.url));

/** Ports and a state directory of its own, and ways to start on them; all is gone at the end. */
async function setup() {
  const state = tempDir("weir-start");
  const ports = { edge: await freePort(), agent: await freePort(), twin: await freePort() };
  onTestFinished(state.remove);
  const start = () => {
    const flags = Object.entries(ports).flatMap(([name, port]) => [`--port-${name}`, String(port)]);
    const started = spawnNode(START, [...flags, "--state", state.path]);
    onTestFinished(async () => void (await started.stop()));
    return started;
  };
  const flowing = (started: NodeProcess) =>
    until(() => started.stdout().includes("Ctrl-C ends all three"), {
      what: `real events to flow (${started.stderr()})`,
      timeoutMs: 60_000,
    });
  const counts = async () => {
    const answer = await fetch(`http://127.0.0.1:${ports.twin}/twin/counts`);
    return (await answer.json()) as { events: number };
  };
  return { start, flowing, counts, ports, state: state.path };
}

test("real events reach the twin, and SIGTERM ends all three with exit 0", async () => {
  const { start, flowing, counts, ports, state } = await setup();
  const started = start();
  await flowing(started);
  for (const [name, port] of Object.entries(ports)) {
    expect(started.stdout()).toContain(`${name} ready on http://127.0.0.1:${port}\n`);
  }
  await until(async () => (await counts()).events >= 40, { what: "events with the twin" });
  expect(await started.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  expect(started.stderr()).toBe("");
  expect(processesNaming(state)).toEqual([]);
  await expect(counts()).rejects.toThrow();
});

test("a start that is killed hard leaves no process, and the next one goes on where it was", async () => {
  const { start, flowing, state } = await setup();
  const first = start();
  await flowing(first);
  await first.kill("SIGKILL");
  await until(() => processesNaming(state).length === 0, { what: "the orphans to end" });
  const second = start();
  await flowing(second);
  const summary = await until(() => /sample (\d+)\/10000 \| agent accepted (\d+)/.exec(second.stdout()), {
    what: "a summary",
  });
  // What was fed is what the agent has, or it has one body more whose answer nobody noted yet.
  expect(Number(summary[1])).toBeGreaterThan(0);
  expect(Number(summary[2]) - Number(summary[1])).toBeGreaterThanOrEqual(0);
  expect(Number(summary[2]) - Number(summary[1])).toBeLessThanOrEqual(20);
});

test("a part that dies is named, and the whole ends with exit 1", async () => {
  const { start, flowing, state } = await setup();
  const started = start();
  await flowing(started);
  const agent = processesNaming(state).find(({ args }) => args.includes("agent/main.ts"));
  if (agent === undefined) throw new Error("no agent runs");
  process.kill(agent.pid, "SIGKILL");
  expect(await started.exited).toEqual({ code: 1, signal: null });
  expect(started.stderr()).toContain("the agent ended by itself (SIGKILL)");
  expect(processesNaming(state)).toEqual([]);
});

test("a second start on the same state is refused and disturbs nothing", async () => {
  const { start, flowing } = await setup();
  const first = start();
  await flowing(first);
  const second = start();
  expect(await second.exited).toMatchObject({ code: 1 });
  expect(second.stderr()).toContain(`process ${first.pid} runs on this state already`);
  expect(first.isRunning()).toBe(true);
});
