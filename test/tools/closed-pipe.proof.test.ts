/** Commands that start processes of their own end with all of them, without a word, when their reader goes away. */
import { expect, onTestFinished, test } from "vitest";
import { CLOSED_PIPE_EXIT_CODE } from "../../tools/processes/closed-pipe.ts";
import { freePort } from "../../tools/processes/free-port.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { runIntoClosedPipe } from "../support/closed-pipe.ts";
import { processesNaming } from "../support/process-list.ts";

test("npm run demo ends quietly, half-way, when the reader of its output goes away", async () => {
  const ended = await runIntoClosedPipe("tools/demo/main.ts", [], 10);
  expect(ended).toEqual({ code: CLOSED_PIPE_EXIT_CODE, signal: null, stderr: "" });
});

test("npm run edge ends quietly, with its workerd, when the reader of its output goes away", async () => {
  const folder = tempDir("weir-closed-pipe");
  onTestFinished(folder.remove);
  const args = ["--port", String(await freePort()), "--persist-to", folder.path];
  const ended = await runIntoClosedPipe("tools/edge/main.ts", args, 0);
  expect(ended).toEqual({ code: CLOSED_PIPE_EXIT_CODE, signal: null, stderr: "" });
  expect(processesNaming(folder.path)).toEqual([]);
});

test("npm start ends all it started when the reader of its output goes away", async () => {
  const folder = tempDir("weir-closed-pipe");
  onTestFinished(folder.remove);
  const ports = ["edge", "agent", "twin"].map(async (name) => [`--port-${name}`, String(await freePort())]);
  const args = [...(await Promise.all(ports)).flat(), "--state", folder.path];
  const ended = await runIntoClosedPipe("tools/start/main.ts", args, 10);
  expect(ended).toEqual({ code: 0, signal: null, stderr: "" });
  expect(processesNaming(folder.path)).toEqual([]);
});
