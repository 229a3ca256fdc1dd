/** Lets a real agent live under strace: taking, sending, failing, carrying its log over, killed and stopped. */
import { execFileSync } from "node:child_process";
import { mkdirSync, realpathSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type NodeProcess, type ProgramOptions, spawnNode } from "../../../tools/processes/node-process.ts";
import { openDestination, type Reply } from "../support/destination.ts";
import { TRACED_CALLS } from "./file-calls.ts";
import { createClients, LIVES, type Scene, WAITING } from "./lives.ts";
import { TOLD_FILE, traceFile } from "./recording.ts";

/** Small, so that the log is carried over every few requests and old deliveries give way. */
const BYTES_MAX = 4 * 1024 * 1024;

/** Why nothing can be recorded here; null where it can. */
export function whyNotRecorded(): string | null {
  try {
    execFileSync("strace", ["-f", "--seccomp-bpf", "-o", "/dev/null", "true"], { stdio: "pipe" });
    return null;
  } catch (error) {
    const isMissing = error instanceof Error && "code" in error && error.code === "ENOENT";
    return isMissing ? "strace is not installed" : "strace may not trace here";
  }
}

/** Starts the agent's command line with these arguments. */
export type StartAgent = (args: readonly string[], options: ProgramOptions) => NodeProcess;

/** @param product the folder of the product that is to run. */
export function agentOf(product: string): StartAgent {
  return (args, options) => spawnNode(join(product, "agent/main.ts"), args, options);
}

/**
 * Records three lives of one agent in a folder, for {@link readRecording}: the first makes the buffer and is killed,
 * the second finds the log as that left it and is stopped, the third finds it closed.
 */
export async function record(folder: string, start: StartAgent): Promise<void> {
  const root = join(realpathSync(folder), "disk");
  const scene = await setScene(root);
  try {
    for (const [run, live] of LIVES.entries()) {
      const agent = start(["run", "--config", scene.configFile], {
        // Calls handed to the kernel through a ring would not be seen.
        env: { WEIR_API_KEY: "test-key", UV_USE_IO_URING: "0" },
        under: [
          ...["strace", "-D", "-f", "--seccomp-bpf", "-q", "-xx", "-s", "16777216"],
          ...["-o", traceFile(folder, run), "-e", `trace=${TRACED_CALLS.join(",")}`],
        ],
      });
      try {
        const signal = await live(createClients(await agent.ready, scene), scene);
        // To the agent alone: strace ends by itself once it has written down how.
        process.kill(agent.pid, signal);
        await agent.exited;
      } finally {
        await agent.stop();
      }
    }
    writeFileSync(join(folder, TOLD_FILE), JSON.stringify(scene.told(LIVES.length)));
  } finally {
    await scene.destination.close();
  }
}

async function setScene(root: string): Promise<Scene> {
  const destination = await openDestination();
  const outside = `${root}-outside`;
  mkdirSync(root);
  mkdirSync(outside);
  const configFile = join(outside, "weir-agent.toml");
  const tailFile = join(outside, "followed.ndjson");
  // Several directories that the agent has to make, each of whose names has to last.
  const directory = join(root, "var/weir/buffer");
  writeFileSync(tailFile, "");
  writeFileSync(
    configFile,
    `[listen]\nport = 0\n[buffer]\npath = "${directory}"\nmax_bytes = ${BYTES_MAX}\n` +
      `[destination]\nurl = "${destination.url}"\napi_key_env = "WEIR_API_KEY"\n` +
      `[upload]\nlinger_ms = 0\nbatch_events = 40\nconcurrency = 3\nbackoff_base_ms = 5\nbackoff_max_ms = 100\n` +
      `[[tail]]\npath = "${tailFile}"\nstream = "usage/tail"\n`,
  );
  const scene: Scene = {
    ...{ destination, configFile, tailFile, tailText: "", requests: [], isDown: true, producer: "" },
    told: (runs) => ({
      ...{ root, directory, bytesMax: BYTES_MAX, producer: scene.producer, requests: scene.requests, runs },
      tail: { path: tailFile, stream: "usage/tail", text: scene.tailText },
      taken: Object.fromEntries(
        [...destination.taken].map(([key, text]) => {
          const [stream, , position] = key.split(" ");
          return [`${stream} ${position}`, text];
        }),
      ),
    }),
  };
  destination.reply = ({ stream, events }, index): Reply => {
    if (stream === `usage/${WAITING}`) return { status: 404 };
    if (scene.isDown) return { status: 503 };
    if (events.length > 30) return { status: 413 };
    if (events.some((event) => event.includes("poison"))) return { status: 400 };
    if (index % 7 === 3) return "take-and-cut";
    return index % 11 === 5 ? { status: 503 } : undefined;
  };
  return scene;
}
