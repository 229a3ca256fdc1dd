import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { setupStart } from "../support/npm-start.ts";
import { processesNaming } from "../support/process-list.ts";

test("real events reach the twin, and SIGTERM ends all three with exit 0", async () => {
  const { start, flowing, counts, ports, state } = await setupStart();
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
