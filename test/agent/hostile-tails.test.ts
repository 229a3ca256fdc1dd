/** Followed files in directories where others may write: links to what is not theirs, pipes, lines without an end. */
import { spawnSync } from "node:child_process";
import { appendFileSync, lchownSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { trustedPath } from "../../agent/tail/trusted-path.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { logLines } from "./support/log-lines.ts";
import { eventNumber, type Setup, setup } from "./support/setup.ts";

const isRoot = process.getuid?.() === 0;
const STRANGER = 12_345;
const FAST = "linger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 20";

const line = (n: number) => `${eventNumber(n)}\n`;

function folderWith(secret: string) {
  const { path: folder, remove } = tempDir("weir-tails");
  onTestFinished(remove);
  const [logs, victim] = [join(folder, "logs"), join(folder, "secret")];
  mkdirSync(logs);
  writeFileSync(victim, secret);
  const tail = (path: string) => `${FAST}\n[[tail]]\npath = "${path}"\nstream = "usage/m"\ninterval_ms = 10`;
  return { folder, logs, victim, tail };
}

function plant(link: string, target: string): void {
  symlinkSync(target, link);
  lchownSync(link, STRANGER, STRANGER);
}

const taken = async (agent: Setup, count: number) => {
  await agent.reach(`${count} accepted`, ({ ledger }) => ledger.accepted === count);
  await agent.drained();
  return [...agent.destination.taken.values()];
};

test.runIf(isRoot)(
  "a link that a stranger made to another's file is not followed; root's own, a moment later, is",
  async () => {
    const { logs, victim, tail } = folderWith(line(1));
    const path = join(logs, "usage.ndjson");
    plant(path, victim);
    const { lines, logger } = logLines();
    await using agent = await setup({ upload: tail(path), logger });
    const said = await until(async () => lines.find(({ msg }) => msg === "a followed file waits"), {
      what: "a line of the log",
    });
    expect(said["reason"]).toContain(`${path} is a symbolic link that user ${STRANGER} made to a file of user 0`);
    expect((await agent.agent.status()).ledger.accepted).toBe(0);
    rmSync(path);
    symlinkSync(victim, path);
    expect(await taken(agent, 1)).toEqual([eventNumber(1)]);
  },
);

test.runIf(isRoot)(
  "a directory that a stranger links, and a link to a link, are looked through; what a link's owner owns is followed",
  async () => {
    const { folder, logs, victim } = folderWith(line(1));
    const [inner, outer, current] = [join(folder, "inner"), join(folder, "outer"), join(folder, "current")];
    symlinkSync(victim, inner);
    symlinkSync(inner, outer);
    symlinkSync("logs/..", current);
    for (const path of [outer, join(current, "secret"), join(current, "logs", "..", "outer")]) {
      expect([path, await trustedPath(path)]).toMatchObject([path, { kind: "found", path: victim }]);
    }
    lchownSync(inner, STRANGER, STRANGER);
    lchownSync(current, STRANGER, STRANGER);
    for (const path of [outer, join(current, "secret")]) expect((await trustedPath(path)).kind).toBe("refused");
    lchownSync(victim, STRANGER, STRANGER);
    for (const path of [outer, join(current, "secret")]) expect((await trustedPath(path)).kind).toBe("found");
    symlinkSync(join(logs, "b"), join(logs, "a"));
    symlinkSync(join(logs, "a"), join(logs, "b"));
    expect((await trustedPath(join(logs, "a"))).kind).toBe("refused");
  },
);

test.runIf(isRoot)("a planted link is read neither under a pattern nor as what was rotated; all else is", async () => {
  const { logs, victim, tail } = folderWith(line(1));
  writeFileSync(join(logs, "a.ndjson"), line(2));
  plant(join(logs, "b.ndjson"), victim);
  const { lines, logger } = logLines();
  await using agent = await setup({
    upload: `${tail(join(logs, "*.ndjson"))}\n${tail(join(logs, "c.log")).slice(FAST.length)}`,
    logger,
  });
  writeFileSync(join(logs, "c.log"), line(3));
  await taken(agent, 2);
  // Rotated, and a link beside it that looks like an older one.
  await agent.restart(() => {
    plant(join(logs, "c.log.2"), victim);
    renameSync(join(logs, "c.log"), join(logs, "c.log.1"));
    writeFileSync(join(logs, "c.log"), line(4));
  });
  appendFileSync(join(logs, "a.ndjson"), line(5));
  expect((await taken(agent, 4)).toSorted()).toEqual([2, 3, 4, 5].map(eventNumber).toSorted());
  const passedOver = lines.filter(({ msg }) => msg === "a file that a pattern names is not followed");
  expect(passedOver.map(({ reason }) => String(reason).includes("b.ndjson"))).toEqual([true, true]);
});

test("a pipe in the place of a followed file, or beside it, holds up neither the others nor the end", async () => {
  const { logs, tail } = folderWith("");
  for (const name of ["a.ndjson", "b.log", "b.log.1"]) {
    expect(spawnSync("mkfifo", [join(logs, name)]).status).toBe(0);
  }
  await using agent = await setup({
    upload: `${tail(join(logs, "*.ndjson"))}\n${tail(join(logs, "b.log")).slice(FAST.length)}`,
  });
  writeFileSync(join(logs, "c.ndjson"), line(1));
  expect(await taken(agent, 1)).toEqual([eventNumber(1)]);
});

test("100 MB without a newline are passed over in pieces, in bounded memory, and the next line is taken", async () => {
  const { logs, tail } = folderWith("");
  const path = join(logs, "endless.ndjson");
  const piece = Buffer.alloc(10_000_000, "x");
  for (let n = 0; n < 10; n++) appendFileSync(path, piece);
  appendFileSync(path, `\n${line(1)}`);
  await using agent = await setup({ upload: tail(path) });
  const { ledger } = await agent.reach("the line behind", ({ ledger: found }) => found.delivered === 1);
  expect(ledger).toMatchObject({ delivered: 1, pending: 0 });
  expect(ledger.quarantined).toBeLessThan(100);
  expect([...agent.destination.taken.values()]).toEqual([eventNumber(1)]);
});
