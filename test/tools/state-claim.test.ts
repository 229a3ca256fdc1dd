import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { spawnNode } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { FedMark } from "../../tools/start/fed-mark.ts";
import { claimState } from "../../tools/start/state-claim.ts";

function setup() {
  const directory = tempDir("weir-claim");
  onTestFinished(directory.remove);
  return directory.path;
}

test("state that a living process holds is neither claimed nor emptied", async () => {
  const directory = setup();
  const holder = spawnNode("-e", ["setInterval(() => {}, 1000)"]);
  onTestFinished(async () => void (await holder.kill("SIGKILL")));
  writeFileSync(join(directory, "start.pid"), String(holder.pid));
  expect(claimState(directory, true)).toMatchObject({ kind: "held", pid: holder.pid });
  await holder.kill("SIGKILL");
  expect(claimState(directory, false)).toMatchObject({ kind: "claimed" });
});

test("a fresh start empties the state, another keeps it", () => {
  const directory = setup();
  new FedMark(directory).write(40);
  const kept = claimState(directory, false);
  expect(new FedMark(directory).read()).toBe(40);
  if (kept.kind === "claimed") kept.release();
  expect(existsSync(join(directory, "start.pid"))).toBe(false);
  claimState(directory, true);
  expect(new FedMark(directory).read()).toBe(0);
});
