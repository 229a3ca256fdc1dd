import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { setupStart } from "../support/npm-start.ts";
import { processesNaming } from "../support/process-list.ts";

test("real events reach the twin, the printed commands send one and show where it went, and SIGTERM ends all", async () => {
  const { start, flowing, counts, ports, state } = await setupStart();
  const started = start();
  await flowing(started);
  for (const [name, port] of Object.entries(ports)) {
    expect(started.stdout()).toContain(`${name} ready on http://127.0.0.1:${port}\n`);
  }
  await until(async () => (await counts()).events >= 40, { what: "events with the twin" });

  // Pasted by a person, who looks again where the answer is not there yet.
  const commands = indentedLines(started.stdout());
  const delivered = await until(
    () => {
      const { stdout } = spawnSync("sh", ["-c", commands], { encoding: "utf8" });
      return stdout.includes('"state":"delivered"') && stdout.split("cus_you").length > 2 ? stdout : null;
    },
    { what: `the event to arrive by\n${commands}` },
  );
  expect(delivered).toMatch(/^\{"success":true,.*"results":\[\{"index":0,"status":"(accepted|duplicate)","id":"usev_/);
  expect(delivered).toContain('"verdict":"delivered"');
  expect(delivered).toMatch(/^\{"CustomerId":"cus_you",.*\}$/m);

  expect(await started.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  expect(started.stderr()).toBe("");
  expect(processesNaming(state)).toEqual([]);
  await expect(counts()).rejects.toThrow();
});

function indentedLines(output: string): string {
  const lines = output.split("\n");
  return lines.filter((line) => line.startsWith("  ")).join("\n");
}
