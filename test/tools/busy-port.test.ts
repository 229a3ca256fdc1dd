/** A command whose port is taken says so in one line and ends with 1, before it starts or touches anything. */
import { once } from "node:events";
import { existsSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";

async function takenPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

test.each<[name: string, flags: (port: string, folder: string) => string[], says: (port: number) => string]>([
  [
    "edge",
    (port, folder) => ["--port", port, "--persist-to", folder],
    (port) => `npm run edge: port ${port} is taken; choose another with --port\n`,
  ],
  ["twin", (port) => ["--port", port], (port) => `npm run twin: port ${port} is taken; choose another with --port\n`],
  [
    "start",
    (port, folder) => ["--port-agent", port, "--state", folder],
    (port) => `npm start: port ${port} for the agent is taken; choose another with --port-agent\n`,
  ],
])("%s on a busy port: one line and exit code 1", async (name, flags, says) => {
  const port = await takenPort();
  const temp = tempDir("weir-busy-port");
  onTestFinished(temp.remove);
  const folder = join(temp.path, "state");
  const script = fileURLToPath(new URL(`../../tools/${name}/main.ts`, import.meta.url));
  const command = spawnNode(script, flags(String(port), folder));
  onTestFinished(async () => void (await command.kill("SIGKILL")));
  expect(await command.exited).toEqual({ code: 1, signal: null });
  expect(command.stderr()).toBe(says(port));
  expect(existsSync(join(folder, "edge"))).toBe(false);
});
