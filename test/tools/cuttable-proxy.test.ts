import { expect, onTestFinished, test } from "vitest";
import { createCuttableProxy } from "../../tools/demo/cuttable-proxy.ts";
import { until } from "../../tools/processes/until.ts";
import { createTwin } from "../../tools/twin/twin.ts";

async function setup() {
  const twin = await createTwin();
  const proxy = await createCuttableProxy(twin.port);
  onTestFinished(async () => {
    await proxy.close();
    await twin.close();
  });
  const ask = (path = "/twin/counts", init: RequestInit = {}) => fetch(proxy.url + path, init);
  return { twin, proxy, ask };
}

test("calls pass until the cable is cut, and again once it is mended", async () => {
  const { proxy, ask } = await setup();
  expect((await ask()).status).toBe(200);
  proxy.cut();
  await expect(ask()).rejects.toThrow();
  await proxy.restore();
  expect((await ask()).status).toBe(200);
});

test("cutting ends the calls that are under way", async () => {
  const { proxy, ask } = await setup();
  const faults = JSON.stringify([{ path: "/oauth", times: 1, delay_ms: 60_000 }]);
  await ask("/twin/faults", { method: "POST", body: faults });
  const slow = ask("/oauth/token", { method: "POST" });
  const scripted = async () => ((await (await ask("/twin/faults")).json()) as { items: unknown[] }).items;
  await until(async () => (await scripted()).length === 0, { what: "the fault to strike" });
  proxy.cut();
  await expect(slow).rejects.toThrow();
});
