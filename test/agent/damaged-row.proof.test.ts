/** A row of events whose bytes changed on disk, from the file to the person who decides about it. */
import { closeSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { postEvents } from "./support/load.ts";
import { running } from "./support/running.ts";
import { eventNumber } from "./support/setup.ts";

/** Changes one byte of a stopped agent's main file: the last digit of an event's customer. */
function changeByte(file: string, text: string): void {
  const at = readFileSync(file).indexOf(text);
  expect(at).toBeGreaterThan(0);
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, "X", at + text.indexOf('",') - 1);
  closeSync(descriptor);
}

interface Item {
  readonly id: number;
  readonly position: number;
  readonly event: { readonly CustomerId: string };
  readonly reason: object;
  readonly state: string;
}

test("a byte that changed in one row of events: its events go to quarantine as damaged, the others are delivered, and they can be looked at, corrected and given up", async () => {
  const { agent, destination, arrived, drained, status } = await running();
  destination.reply = () => "hang";
  let process = agent.run();
  let url = await process.ready;
  const rows = [
    [eventNumber(10), eventNumber(11)],
    [eventNumber(20), eventNumber(21), eventNumber(22)],
    [eventNumber(30), eventNumber(31)],
  ];
  for (const row of rows) expect((await postEvents(url, row)).status).toBe(200);
  expect(await process.kill("SIGTERM")).toEqual({ code: 0, signal: null });
  changeByte(join(agent.directory, "weir-buffer", "buffer.db"), eventNumber(21));

  destination.reply = () => undefined;
  process = agent.run();
  url = await process.ready;
  const { ledger } = await drained(url);
  expect(ledger).toEqual({ accepted: 7, delivered: 4, pending: 0, quarantined: 3, discarded: 0 });
  expect(arrived().sort()).toEqual([...(rows[0] ?? []), ...(rows[2] ?? [])].sort());
  expect(process.stderr()).toContain("events were changed on disk: quarantined");

  const listed = await agent.command(["quarantine", "list", "--json"]);
  const held = JSON.parse(listed.stdout) as Item[];
  expect(held.map(({ position, event, state }) => [position, event.CustomerId, state])).toEqual([
    [3, "c20", "held"],
    [4, "c2X", "held"],
    [5, "c22", "held"],
  ]);
  for (const { reason } of held) expect(reason).toMatchObject({ status: 0, code: "DAMAGED" });
  const [first, second, third] = held.map(({ id }) => String(id));
  const shown = await agent.command(["quarantine", "show", second ?? ""]);
  expect(JSON.parse(shown.stdout)).toMatchObject({ position: 4, reason: { code: "DAMAGED" } });

  // Two are as they were; what the third was, somebody knows.
  const retried = await agent.command(["quarantine", "retry", first ?? ""]);
  const corrected = await agent.command(["quarantine", "retry", second ?? "", "--event", "-"], eventNumber(21));
  const givenUp = await agent.command(["quarantine", "discard", third ?? "", "--reason", "billed by hand"]);
  expect([retried.code, corrected.code, givenUp.code]).toEqual([0, 0, 0]);
  await drained(url);
  expect((await status(url)).ledger).toEqual({ accepted: 7, delivered: 6, pending: 0, quarantined: 0, discarded: 1 });
  expect(arrived().sort()).toEqual([...rows.flat()].filter((text) => text !== eventNumber(22)).sort());
  expect(destination.disagreements).toEqual([]);
  const audit = await agent.command(["audit", "--json"]);
  expect([audit.code, JSON.parse(audit.stdout).equal]).toEqual([0, true]);
  expect((await agent.command(["check", "--json"])).stdout).toContain('"check":"buffer","ok":true');
});
