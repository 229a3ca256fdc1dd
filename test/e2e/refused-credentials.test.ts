/** An edge with wrong credentials for its upstream: everybody who looks is told, and that it is mended too. */
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Restartable } from "../../tools/processes/restartable.ts";
import { until } from "../../tools/processes/until.ts";
import { runEdge, twinVars } from "../../tools/processes/weir-processes.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { post, STREAM, sampleEvents, startRiver } from "./support.ts";

interface Ready {
  readonly status: string;
  readonly destinations: readonly { vendor: string; state: string; since: string | null; why: string[] }[];
}

interface Status {
  readonly destination: { readonly state: string };
  readonly delivery: { pending: number; waiting: { stream: string; state: string; why: string[] }[] } | null;
}

const WRONG = { ZUORA_CLIENT_SECRET: "wrong-secret-nobody-may-read" };
const WHY = "credentials refused (answered 401)";

test("wrong upstream credentials are named by /readyz, /metrics, the edge's log and the agent, and all clear when mended", async () => {
  const river = await startRiver(WRONG, ["--zuora-client-secret", "twin-secret"]);
  const agent = await river.startAgent();
  const said = async <T>(url: string, headers: Record<string, string> = {}) => {
    const response = await fetch(url, { headers });
    expect(response.status).toBe(200);
    return (await (url.endsWith("/metrics") ? response.text() : response.json())) as T;
  };
  const ready = () => said<Ready>(`${river.edge.url}/readyz`);
  const edgeMetrics = () => said<string>(`${river.edge.url}/metrics`, { "x-api-key": LOCAL_KEYS.admin });
  const status = () => said<Status>(`${agent.url}/status`);
  const zuora = ({ destinations }: Ready) => destinations.find(({ vendor }) => vendor === "zuora");

  expect(await ready()).toMatchObject({ status: "ok" });
  await post(agent.url, sampleEvents().slice(0, 100));
  const waiting = await until(async () => zuora(await ready())?.state === "waiting" && ready(), {
    what: "/readyz to say that it waits",
  });
  expect(waiting).toMatchObject({ status: "waiting" });
  expect(zuora(waiting)?.why).toEqual([WHY]);
  const text = await edgeMetrics();
  expect(text).toContain('weir_destination_state{vendor="zuora",destination="default",state="waiting"} 1\n');
  expect(text).toContain('weir_destination_waiting_since_timestamp_seconds{vendor="zuora",destination="default"} ');
  await until(() => logOf(river.edge).includes('"message":"delivery waits"'), { what: "the edge's log to tell" });

  process.kill(agent.current().pid, "SIGHUP");
  const told = await until(async () => ((await status()).delivery?.waiting.length ?? 0) > 0 && status(), {
    what: "the agent to show it",
  });
  expect(told.destination.state).toBe("ok");
  expect(told.delivery).toMatchObject({ pending: 100, waiting: [{ stream: STREAM, state: "waiting", why: [WHY] }] });
  expect(await said<string>(`${agent.url}/metrics`)).toContain(
    `weir_agent_edge_waiting{stream="${STREAM}",state="waiting"} 1\n`,
  );
  expect(logOf(river.edge) + JSON.stringify(waiting) + text).not.toContain(WRONG.ZUORA_CLIENT_SECRET);

  await river.edge.stop();
  const vars = { ...twinVars(river.twin.url), BACKOFF_BASE_MS: "50", BACKOFF_MAX_MS: "500" };
  const mended = await runEdge({ port: river.edge.port, persistTo: join(river.folder, "edge"), vars });
  onTestFinished(() => void mended.stop());
  await river.settled();
  await until(async () => (await ready()).status === "ok", { what: "/readyz to be ok" });
  expect(zuora(await ready())).toMatchObject({ state: "ok", since: null, why: [], lanes_waiting: 0 });
  expect(await edgeMetrics()).toContain('weir_destination_state{vendor="zuora",destination="default",state="ok"} 1\n');
  await until(() => logOf(mended).includes('"message":"delivery waits no longer"'), {
    what: "the edge's log to end it",
  });
  process.kill(agent.current().pid, "SIGHUP");
  await until(async () => (await status()).delivery?.waiting.length === 0, { what: "the agent to show it no more" });
  expect((await status()).delivery).toMatchObject({ pending: 0 });
  expect((await river.twinCounts()).events).toBe(100);
});

/** All that a process printed. */
function logOf(part: Restartable): string {
  return part.current().stdout() + part.current().stderr();
}
