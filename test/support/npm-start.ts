/** `npm start` for one test. */
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import { freePort } from "../../tools/processes/free-port.ts";
import { type NodeProcess, spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";

const START = fileURLToPath(new URL("../../tools/start/main.ts", import.meta.url));

/** Ports and a state directory of its own, and ways to start on them; all is gone at the end. */
export async function setupStart() {
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
    });
  const counts = async () => {
    const answer = await fetch(`http://127.0.0.1:${ports.twin}/twin/counts`);
    return (await answer.json()) as { events: number };
  };
  return { start, flowing, counts, ports, state: state.path };
}
