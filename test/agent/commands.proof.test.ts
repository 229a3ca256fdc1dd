import { once } from "node:events";
import { appendFileSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { openDestination } from "./support/destination.ts";
import { commandLine } from "./support/running.ts";
import { EVENT, eventNumber, events } from "./support/setup.ts";

async function setup() {
  const { agent, destination } = await commandLine();
  destination.schemas = { streams: [{ meter_global_id: "m" }] };
  return { agent, destination };
}

test("--version prints the package's", async () => {
  const { agent } = await setup();
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8"));
  const { code, stdout } = await agent.command(["--version"]);
  expect([code, stdout]).toEqual([0, `${version}\n`]);
});

const ledgerIn = (text: string) => (JSON.parse(text) as { ledger: Record<string, number> }).ledger;

test("send and drain work without an agent, and status shows what they left", async () => {
  const { agent, destination } = await setup();
  const sent = await agent.command(["send", "--stream", "usage/m"], `${events(500).join("\n")}\n`);
  expect(sent).toMatchObject({ code: 0, stdout: "500 accepted, 0 quarantined\n" });
  const before = await agent.command(["status", "--json"]);
  expect(JSON.parse(before.stdout)).toMatchObject({
    running: false,
    ledger: { accepted: 500, pending: 500 },
    destination: { state: null, last_error: null, next_attempt_s: null },
    streams: [{ stream: "usage/m", first_sequence: 1, last_sequence: 500 }],
  });
  expect(await agent.command(["drain"])).toMatchObject({ code: 0 });
  expect(destination.taken.size).toBe(500);
  expect(ledgerIn((await agent.command(["status"])).stdout)).toMatchObject({ delivered: 500, pending: 0 });
});

test("with an agent running the other commands go through it", async () => {
  const { agent, destination } = await setup();
  const running = agent.run();
  const url = await running.ready;
  expect(running.stdout()).toMatch(/^agent ready on http:\/\/127\.0\.0\.1:\d+\n$/);
  expect(statSync(join(agent.directory, "weir-buffer/control.sock")).mode & 0o777).toBe(0o600);
  expect(await agent.command(["send", "--stream", "usage/m", "--json"], events(10).join("\n"))).toMatchObject({
    code: 0,
    stdout: '{"stream":"usage/m","accepted":10,"quarantined":0}\n',
  });
  expect(await agent.command(["drain", "--json"])).toMatchObject({ code: 0 });
  const printed = JSON.parse((await agent.command(["status", "--json"])).stdout);
  expect(printed).toEqual(await (await fetch(`${url}/status`)).json());
  expect(printed).toMatchObject({ running: true, ledger: { delivered: 10 } });
  expect(destination.taken.size).toBe(10);
  expect((await agent.command(["check", "--json"])).code).toBe(0);
});

test("a second run is turned away with exit code 1 and says why", async () => {
  const { agent } = await setup();
  await agent.run().ready;
  const second = await agent.command(["run"]);
  expect(second.code).toBe(1);
  expect(second.stderr).toContain("another process holds the buffer");
});

test("a bad line stops send, naming file and line; the lines before it are kept", async () => {
  const { agent } = await setup();
  const file = join(agent.directory, "usage.ndjson");
  writeFileSync(file, `${eventNumber(1)}\n\n${eventNumber(2)}\n{"CustomerId":\n${eventNumber(3)}\n`);
  const sent = await agent.command(["send", "--stream", "usage/m", file]);
  expect(sent.code).toBe(1);
  expect(sent.stderr).toContain(`${file}:4: `);
  expect(ledgerIn((await agent.command(["status"])).stdout)).toMatchObject({ accepted: 2, pending: 2 });
});

test("lenient send quarantines bad lines, also such as are no JSON or no text, and goes on", async () => {
  const { agent } = await setup();
  const lines = [eventNumber(1), "no json", '{"CustomerId":1}', eventNumber(2)].map((line) => Buffer.from(`${line}\n`));
  const bytes = Buffer.concat([...lines, Uint8Array.of(0xff, 0xfe, 0x0a)]);
  expect(await agent.command(["send", "--stream", "usage/m", "--lenient", "-"], bytes)).toMatchObject({
    code: 0,
    stdout: "2 accepted, 3 quarantined\n",
  });
  expect(ledgerIn((await agent.command(["status"])).stdout)).toMatchObject({ accepted: 5, pending: 2, quarantined: 3 });
});

test("drain gives up with 1 when its time is over, and when uploads are paused", async () => {
  const { agent, destination } = await setup();
  await agent.command(["send", "--stream", "usage/m"], EVENT);
  destination.reply = () => ({ status: 500 });
  const late = await agent.command(["drain", "--timeout", "0.3"]);
  expect(late.code).toBe(1);
  expect(late.stderr).toMatch(
    /^weir-agent: 1 events still pending after 0.3 s: the destination is backing off: answered 500$/m,
  );
  destination.reply = () => ({ status: 401 });
  const paused = await agent.command(["drain"]);
  expect([paused.code, paused.stderr.includes("uploads are paused: answered 401")]).toEqual([1, true]);
});

test("check names what is wrong and ends with 1", async () => {
  const { agent, destination } = await setup();
  const good = await agent.command(["check"]);
  expect(good.code).toBe(0);
  expect(good.stdout.match(/^ok/gm)?.length).toBe(5);
  await destination.close();
  const bad = await agent.command(["check", "--json"]);
  expect(bad.code).toBe(1);
  const failed = (JSON.parse(bad.stdout) as { check: string; ok: boolean }[]).filter(({ ok }) => !ok);
  expect(failed.map(({ check }) => check)).toEqual(["destination", "credentials"]);
});

test("wrong usage and wrong configuration end with 2, an unreadable file with 1", async () => {
  const { agent, destination } = await setup();
  for (const args of [["nonsense"], ["send"], ["send", "--stream", "nonsense"], ["drain", "--timeout", "x"], []]) {
    expect([args, (await agent.command(args)).code]).toEqual([args, 2]);
  }
  expect((await agent.command(["--help"])).code).toBe(0);
  expect((await agent.command(["send", "--stream", "usage/m", "/nowhere"])).code).toBe(1);
  agent.configure(destination.url, "lingr_ms = 1");
  const refused = await agent.command(["status"]);
  expect([refused.code, refused.stderr.includes('did you mean "linger_ms"?')]).toEqual([2, true]);
});

test("SIGTERM, however often, answers the request in hand, abandons uploads and ends with 0", async () => {
  const { agent, destination } = await setup();
  destination.reply = () => "hang";
  const running = agent.run();
  const url = await running.ready;
  const post = (body: BodyStream) =>
    fetch(`${url}/usage/bulk/m`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body,
      duplex: "half",
    });
  expect((await post(bodyOf([EVENT]))).status).toBe(200);
  await until(() => destination.calls.length === 1, { what: "the upload" });
  const rest = Promise.withResolvers<void>();
  const slow = post(bodyOf([`[${EVENT}`, rest.promise, "]"]));
  await until(async () => (await fetch(`${url}/healthz`)).ok, { what: "the server to have the request" });
  const exit = running.kill("SIGTERM");
  await until(
    () =>
      fetch(`${url}/healthz`).then(
        () => false,
        () => true,
      ),
    { what: "the listener to close" },
  );
  // From a terminal a signal comes twice: by the terminal itself, and passed on by npm.
  void running.kill("SIGTERM");
  void running.kill("SIGINT");
  rest.resolve();
  expect((await slow).status).toBe(200);
  expect(await exit).toEqual({ code: 0, signal: null });
  expect(ledgerIn((await agent.command(["status"])).stdout)).toMatchObject({ accepted: 2, pending: 2 });
  expect(existsSync(join(agent.directory, "weir-buffer/control.sock"))).toBe(false);
});

type BodyStream = ReadableStream<Uint8Array>;

function bodyOf(parts: readonly (string | Promise<void>)[]): BodyStream {
  return new ReadableStream({
    async start(controller) {
      for (const part of parts) {
        if (typeof part === "string") controller.enqueue(Buffer.from(part));
        else await part;
      }
      controller.close();
    },
  });
}

test("SIGHUP tries uploads that back off at once", async () => {
  const { agent, destination } = await setup();
  let isDown = true;
  destination.reply = () => (isDown ? { status: 503 } : undefined);
  writeFileSync(
    agent.configFile,
    `[listen]\nport = 0\n[destination]\nurl = "${destination.url}"\napi_key_env = "WEIR_API_KEY"\n` +
      "[upload]\nlinger_ms = 0\nbackoff_base_ms = 3600000\nbackoff_max_ms = 3600000\n",
  );
  const running = agent.run();
  const url = await running.ready;
  await agent.command(["send", "--stream", "usage/m"], EVENT);
  await until(() => destination.calls.length === 1, { what: "a call that fails" });
  const status = async () =>
    (await (await fetch(`${url}/status`)).json()) as { destination: { next_attempt_s: number } };
  await until(async () => (await status()).destination.next_attempt_s > 0, { what: "the backoff" });
  isDown = false;
  process.kill(running.pid, "SIGHUP");
  await until(() => destination.taken.size === 1, { what: "the event at the destination" });
});

test("SIGHUP while the agent starts is kept until it runs", async () => {
  const { agent } = await setup();
  const schemas = Promise.withResolvers<void>();
  const slow = createServer((request, response) => {
    if (request.url !== "/schemas") return void response.writeHead(404).end();
    schemas.resolve();
  });
  slow.listen(0, "127.0.0.1");
  await once(slow, "listening");
  onTestFinished(() => {
    slow.closeAllConnections();
    slow.close();
  });
  agent.configure(`http://127.0.0.1:${(slow.address() as AddressInfo).port}`);
  const running = agent.run();
  // It waits a moment for the schemas before it is ready.
  await schemas.promise;
  process.kill(running.pid, "SIGHUP");
  await running.ready;
  await until(() => running.stderr().includes("configuration read again"), { what: "the configuration to be read" });
});

test("SIGHUP reads the configuration again and takes paused uploads up at once", async () => {
  const { agent, destination } = await setup();
  const other = await openDestination();
  onTestFinished(() => other.close());
  destination.reply = () => ({ status: 401 });
  agent.configure(destination.url, "");
  const running = agent.run();
  const url = await running.ready;
  await agent.command(["send", "--stream", "usage/m"], EVENT);
  await until(() => destination.calls.length > 0, { what: "a refused call" });
  agent.configure(other.url);
  process.kill(running.pid, "SIGHUP");
  await until(() => other.taken.size === 1, { what: "the event at the new destination" });
  const { ledger } = (await (await fetch(`${url}/status`)).json()) as { ledger: Record<string, number> };
  expect(ledger).toMatchObject({ delivered: 1, pending: 0 });
  agent.configure("nonsense");
  process.kill(running.pid, "SIGHUP");
  await until(() => running.stderr().includes("the configuration stays as it was"), { what: "the refusal in the log" });
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
});

test("SIGHUP takes up a file that is newly followed, ends one that is gone, and goes on with one that comes back", async () => {
  const { agent, destination } = await setup();
  destination.schemas = { streams: [{ meter_global_id: "m" }] };
  const file = (name: string) => join(agent.directory, `${name}.ndjson`);
  const follow = (name: string) => `[[tail]]\npath = "${name}.ndjson"\nstream = "usage/m"\n`;
  const has = (n: number) => [...destination.taken.values()].includes(eventNumber(n));
  writeFileSync(file("first"), `${eventNumber(1)}\n`);
  writeFileSync(file("second"), `${eventNumber(2)}\n`);
  agent.configure(destination.url, follow("first"));
  const running = agent.run();
  await running.ready;
  await until(() => has(1), { what: "the first file's event" });

  agent.configure(destination.url, follow("second"));
  process.kill(running.pid, "SIGHUP");
  await until(() => has(2), { what: "the second file's event" });
  // The second has begun, so the first has ended: what it gets now waits.
  appendFileSync(file("first"), `${eventNumber(3)}\n`);
  appendFileSync(file("second"), `${eventNumber(4)}\n`);
  await until(() => has(4), { what: "the second file's next event" });
  expect(destination.taken.size).toBe(3);

  agent.configure(destination.url, follow("first") + follow("second"));
  process.kill(running.pid, "SIGHUP");
  await until(() => has(3), { what: "what the first file got meanwhile" });
  expect([...destination.taken.values()].toSorted()).toEqual([1, 2, 3, 4].map(eventNumber));
});

test("send --test shows where one event went, with an agent running and without, and ends with 1 where it did not arrive", async () => {
  const { agent, destination } = await setup();
  const send = (event: string) => agent.command(["send", "--test", "--stream", "usage/m"], event);
  const arrived =
    /^accepted {3}\d{4}-.*\nposition {3}(\d+) of usage\/m, producer agent-\S+\ndelivered {2}yes, to http.* s\nanswer {5}200 \{"success":true.*\n$/;
  const alone = await send(eventNumber(1));
  expect([alone.code, arrived.exec(alone.stdout)?.[1]]).toEqual([0, "1"]);
  await agent.run().ready;
  const through = await send(eventNumber(2));
  expect([through.code, arrived.exec(through.stdout)?.[1]]).toEqual([0, "2"]);
  expect([...destination.taken.values()]).toEqual([eventNumber(1), eventNumber(2)]);
  destination.reply = () => ({ status: 400 });
  const refused = await send(eventNumber(3));
  expect([refused.code, refused.stdout]).toEqual([
    1,
    expect.stringMatching(/no, in quarantine here[\s\S]*answer {5}400 /),
  ]);
  expect(await send("{}")).toMatchObject({ code: 1, stderr: expect.stringContaining("not accepted: ") });
  expect(await send("")).toMatchObject({ code: 2, stderr: expect.stringContaining("exactly one event") });
});
