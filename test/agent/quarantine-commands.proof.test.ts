import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { commandLine } from "./support/running.ts";
import { EVENT, eventNumber, events } from "./support/setup.ts";

async function setup() {
  const { agent, destination } = await commandLine();
  destination.schemas = { streams: [{ meter_global_id: "m" }] };
  const held = async () => JSON.parse((await agent.command(["quarantine", "list", "--json"])).stdout);
  const ledger = async () => JSON.parse((await agent.command(["status", "--json"])).stdout).ledger;
  return { agent, destination, held, ledger };
}

const BAD = '{"CustomerId":1,"Quantity":0.1234567890123456789}';

test.each(["with", "without"])(
  "a quarantined event is listed, shown, corrected, given up and exported %s an agent running",
  async (how) => {
    const { agent, destination, held, ledger } = await setup();
    if (how === "with") await agent.run().ready;
    const lines = [eventNumber(1), BAD, "no json", BAD, eventNumber(2)].join("\n");
    expect((await agent.command(["send", "--stream", "usage/m", "--lenient"], lines)).code).toBe(0);
    const [first, second, third] = await held();
    expect([first.position, second.event, third.state]).toEqual([2, "no json", "held"]);
    expect(first.reason).toMatchObject({ status: 400, code: 70000000, field: "CustomerId" });
    expect((await agent.command(["quarantine", "show", String(first.id)])).stdout).toContain("0.1234567890123456789");

    const unsendable = await agent.command(["quarantine", "retry", String(second.id)]);
    expect([unsendable.code, unsendable.stderr.includes("--event")]).toEqual([1, true]);
    const wrong = await agent.command(["quarantine", "retry", String(first.id), "--event", "-"], BAD);
    expect([wrong.code, wrong.stderr.includes("CustomerId")]).toEqual([1, true]);
    const fixed = join(agent.directory, "fixed.json");
    writeFileSync(fixed, EVENT);
    expect((await agent.command(["quarantine", "retry", String(first.id), "--event", fixed])).code).toBe(0);
    expect((await agent.command(["quarantine", "retry", String(first.id)])).code).toBe(1);
    expect((await agent.command(["quarantine", "discard", String(second.id), "--reason", "test line"])).code).toBe(0);
    expect((await agent.command(["quarantine", "discard", "999", "--reason", "x"])).code).toBe(1);
    expect((await agent.command(["quarantine", "discard", String(second.id), "--reason", " "])).code).toBe(2);

    expect((await agent.command(["drain"])).code).toBe(0);
    expect(await ledger()).toEqual({ accepted: 5, delivered: 3, pending: 0, quarantined: 1, discarded: 1 });
    const at = [...destination.taken].find(([key]) => key.endsWith(" 2"));
    expect(at?.[1]).toBe(EVENT);
    expect(destination.disagreements).toEqual([]);
    const out = join(agent.directory, "held.ndjson");
    expect((await agent.command(["quarantine", "export", "--out", out])).code).toBe(0);
    expect(
      readFileSync(out, "utf8")
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).id),
    ).toEqual([third.id]);
    const shown = JSON.parse((await agent.command(["quarantine", "show", String(second.id)])).stdout);
    expect([shown.state, shown.discard_reason]).toEqual(["discarded", "test line"]);
    expect((await agent.command(["check", "--json"])).stdout).toContain('"check":"buffer","ok":true');
  },
);

test("an event the destination refuses again is held again under its number, which says so", async () => {
  const { agent, destination, held, ledger } = await setup();
  let refusing = true;
  destination.reply = (call) =>
    refusing && call.body.includes('"c3"') ? { status: 422, body: { message: "no such customer" } } : undefined;
  await agent.run().ready;
  await agent.command(["send", "--stream", "usage/m"], events(6).join("\n"));
  const [first] = await until(async () => ((await held()).length > 0 ? await held() : null), { what: "the refusal" });
  expect(first).toMatchObject({ position: 4, reason: { status: 422, message: "no such customer" } });
  await agent.command(["quarantine", "retry", String(first.id)]);
  const [again] = await until(async () => ((await held()).length > 0 ? await held() : null), {
    what: "the second refusal",
  });
  expect(again).toMatchObject({ id: first.id, attempts: 1, earlier_reasons: 1, state: "held" });
  refusing = false;
  await agent.command(["quarantine", "retry", String(again.id)]);
  await agent.command(["drain"]);
  expect(await ledger()).toMatchObject({ accepted: 6, delivered: 6, quarantined: 0 });
  expect(destination.taken.size).toBe(6);
});

test.each(["with", "without"])(
  "audit proves that the edge has all, names what it lacks, and sends it again (%s an agent)",
  async (how) => {
    const { agent, destination } = await setup();
    await agent.command(
      ["send", "--stream", "usage/m", "--lenient"],
      [...events(40), BAD, ...events(9, 100)].join("\n"),
    );
    expect((await agent.command(["drain"])).code).toBe(0);
    if (how === "with") await agent.run().ready;
    const equal = await agent.command(["audit", "--json"]);
    expect([equal.code, JSON.parse(equal.stdout)]).toMatchObject([0, { equal: true, streams: [{ digest: "equal" }] }]);

    for (const key of destination.taken.keys()) if (/ (7|8|50)$/.test(key)) destination.taken.delete(key);
    const producer = [...destination.taken.keys()][0]?.split(" ")[1];
    destination.taken.set(`usage/m ${producer} 41`, "never sent");
    const differing = await agent.command(["audit", "--json"]);
    expect(differing.code).toBe(1);
    expect(JSON.parse(differing.stdout).streams).toMatchObject([
      {
        missing: [
          [7, 8],
          [50, 50],
        ],
        extra: [[41, 41]],
      },
    ]);
    destination.taken.delete(`usage/m ${producer} 41`);
    const repaired = await agent.command(["audit", "--repair"]);
    expect([repaired.code, repaired.stdout.includes("3 of 3 are sent again")]).toEqual([0, true]);
    expect((await agent.command(["audit"])).code).toBe(0);
    expect(destination.taken.size).toBe(49);
    expect(destination.disagreements).toEqual([]);
  },
);
