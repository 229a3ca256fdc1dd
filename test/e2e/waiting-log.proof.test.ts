/** The log of a real edge whose upstream refuses its credentials, over a real minute. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Restartable } from "../../tools/processes/restartable.ts";
import { until } from "../../tools/processes/until.ts";
import { runEdge, twinVars } from "../../tools/processes/weir-processes.ts";
import { post, sampleEvents, startRiver } from "./support.ts";

const BEGINS = "delivery waits";
const GOES_ON = "delivery still waits";
const ENDS = "delivery waits no longer";

/** The lines about what waits, in order. */
function saidOf(edge: Restartable): string[] {
  const text = edge.current().stdout() + edge.current().stderr();
  return [...text.matchAll(/"message":"(delivery (?:still )?waits(?: no longer)?)"/g)].map(
    ([, message = ""]) => message,
  );
}

/** Since when it waits, as its log says: milliseconds since 1970. */
function sinceOf(edge: Restartable): number {
  const text = edge.current().stdout() + edge.current().stderr();
  return Date.parse(/"message":"delivery waits".*?"since":"([^"]+)"/.exec(text)?.[1] ?? "");
}

test("a real edge logs one line when delivery begins to wait, one a minute while it does, and one when it ends", async () => {
  const river = await startRiver({ ZUORA_CLIENT_SECRET: "wrong" }, ["--zuora-client-secret", "twin-secret"]);
  await post(river.edge.url, sampleEvents().slice(0, 10));
  await until(() => saidOf(river.edge).length > 0, { what: "the line of the beginning" });
  expect(saidOf(river.edge)).toEqual([BEGINS]);
  // It is refused again every half second meanwhile: none of that is a line.
  await until(() => saidOf(river.edge).length > 1, { what: "the line of the first minute" });
  // However late it is seen here, a minute lies between the two.
  expect(Date.now() - sinceOf(river.edge)).toBeGreaterThanOrEqual(60_000);
  expect(saidOf(river.edge)).toEqual([BEGINS, GOES_ON]);
  await river.edge.stop();

  const vars = { ...twinVars(river.twin.url), BACKOFF_BASE_MS: "50", BACKOFF_MAX_MS: "500" };
  const mended = await runEdge({ port: river.edge.port, persistTo: join(river.folder, "edge"), vars });
  onTestFinished(() => void mended.stop());
  await until(() => saidOf(mended).includes(ENDS), { what: "the line of the end" });
  await river.settled();
  expect(saidOf(mended).filter((message) => message !== GOES_ON)).toEqual([ENDS]);
});
