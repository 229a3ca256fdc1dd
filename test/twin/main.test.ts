import { expect, onTestFinished, test } from "vitest";
import { runTwin } from "../../tools/processes/weir-processes.ts";

async function setup(args: string[] = []) {
  const twin = await runTwin({ args });
  onTestFinished(async () => void (await twin.current().kill("SIGKILL")));
  return twin;
}

test.each(["SIGTERM", "SIGINT"] as const)(
  "the command serves until %s, even sent twice, and ends cleanly",
  async (signal) => {
    const twin = await setup();
    expect((await fetch(`${twin.url}/twin/counts`)).status).toBe(200);
    process.kill(twin.current().pid, signal);
    expect(await twin.current().kill(signal)).toEqual({ code: 0, signal: null });
  },
);

test("the command's limits are settings", async () => {
  const twin = await setup(["--zuora-max-events", "1", "--zuora-client-id", "me"]);
  const form = { client_id: "me", client_secret: "twin-secret", grant_type: "client_credentials" };
  const given = await fetch(`${twin.url}/oauth/token`, { method: "POST", body: new URLSearchParams(form) });
  const { access_token } = (await given.json()) as { access_token: string };
  const headers = { authorization: `Bearer ${access_token}`, "content-type": "application/json" };
  const answer = await fetch(`${twin.url}/usage/bulk/m`, { method: "POST", headers, body: "[{},{}]" });
  expect(answer.status).toBe(413);
});
