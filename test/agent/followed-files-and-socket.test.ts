import { appendFileSync, renameSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openAgent } from "../../agent/library/open-agent.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { openDestination } from "./support/destination.ts";
import { EVENT, eventNumber, events, type Setup, setup } from "./support/setup.ts";

const FAST = "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 20";

function followed() {
  const { path, remove } = tempDir("weir-tail");
  onTestFinished(remove);
  const file = join(path, "usage.ndjson");
  return { file, path, upload: `${FAST}\n[[tail]]\npath = "${file}"\nstream = "usage/m"` };
}

const line = (n: number) => `${eventNumber(n)}\n`;
const accepted = (agent: Setup, count: number) =>
  agent.reach(`${count} accepted`, ({ ledger }) => ledger.accepted === count);

test("a followed file is read from its beginning, a line once its newline is there, over a restart in its middle", async () => {
  const { file, upload } = followed();
  writeFileSync(file, `${line(1)}\n${line(2)}${line(3).slice(0, 20)}`);
  await using agent = await setup({ upload });
  await accepted(agent, 2);
  await agent.restart();
  appendFileSync(file, `${line(3).slice(20)}${line(4)}`);
  await accepted(agent, 4);
  await agent.drained();
  expect([...agent.destination.taken.values()]).toEqual([1, 2, 3, 4].map(eventNumber));
});

test("a line that is no event is accepted and quarantined, and holds nothing up", async () => {
  const { file, upload } = followed();
  writeFileSync(file, `${line(1)}no json\n{"CustomerId":1}\n${line(2)}`);
  await using agent = await setup({ upload });
  const { ledger } = await accepted(agent, 4);
  expect(ledger.quarantined).toBe(2);
});

test("a file renamed while the agent was down is read to its end before the new one", async () => {
  const { file, upload } = followed();
  writeFileSync(file, line(1));
  await using agent = await setup({ upload });
  await accepted(agent, 1);
  await agent.restart(() => {
    appendFileSync(file, line(2));
    renameSync(file, `${file}.1`);
    writeFileSync(file, line(3));
  });
  await accepted(agent, 3);
  appendFileSync(`${file}.1`, line(4));
  await accepted(agent, 4);
  await agent.drained();
  expect([...agent.destination.taken.values()]).toEqual([1, 2, 3, 4].map(eventNumber));
});

test("a truncated file is read from its start, also when it has grown past where it was left", async () => {
  const { file, upload } = followed();
  writeFileSync(file, line(1) + line(2));
  await using agent = await setup({ upload });
  await accepted(agent, 2);
  truncateSync(file, 0);
  appendFileSync(file, line(3));
  await accepted(agent, 3);
  await agent.restart(() => writeFileSync(file, [4, 5, 6, 7].map(line).join("")));
  await accepted(agent, 7);
});

test("Vector #10870: what was read from a file is not read again after a restart", async () => {
  const { file, upload } = followed();
  writeFileSync(file, events(500).join("\n").concat("\n"));
  await using agent = await setup({ upload });
  await accepted(agent, 500);
  for (let round = 0; round < 3; round++) await agent.restart();
  appendFileSync(file, line(1000));
  await accepted(agent, 501);
});

test("the unix socket takes the same requests, asks for no token, and is not for everybody", async () => {
  const { path, remove } = tempDir("weir-socket");
  onTestFinished(remove);
  const socketPath = join(path, "agent.sock");
  writeFileSync(join(path, "token"), "secret");
  await using agent = await setup({ listen: `socket = "${socketPath}"\ntoken_file = "${join(path, "token")}"` });
  expect(statSync(socketPath).mode & 0o777).toBe(0o660);
  expect((await agent.post("/usage/bulk/m", EVENT)).status).toBe(401);
  const status = await new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    request({ socketPath, path: "/usage/bulk/m", method: "POST", headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end(EVENT);
  });
  expect(status).toBe(200);
  await agent.restart();
  expect((await agent.drained()).ledger.delivered).toBe(1);
});

test("the library takes events without HTTP: durable when append resolves, refused whole where one is invalid", async () => {
  const { path, remove } = tempDir("weir-library");
  const destination = await openDestination();
  const config = join(path, "weir-agent.toml");
  writeFileSync(config, `[destination]\nurl = "${destination.url}"\napi_key_env = "KEY"\n[upload]\n${FAST}\n`);
  const agent = await openAgent({ config, env: { KEY: "k" } });
  onTestFinished(async () => {
    await agent.close();
    await destination.close();
    remove();
  });
  const exact = EVENT.replace("1.50", "0.1234567890123456789");
  const { accepted: taken, ids } = await agent.append("usage/m", [JSON.parse(EVENT), exact]);
  expect([taken, new Set(ids).size, ids[0]?.slice(0, 5)]).toEqual([2, 2, "usev_"]);
  await expect(agent.append("usage/m", [EVENT, { CustomerId: 1 }])).rejects.toMatchObject({ code: "INVALID_EVENT" });
  await agent.drain();
  expect((await agent.status()).ledger).toMatchObject({ accepted: 2, delivered: 2 });
  expect([...destination.taken.values()]).toContain(exact);
});
