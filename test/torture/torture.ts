/**
 * Kills the agent again and again while clients send to it, a file grows that it follows, and its destination
 * misbehaves; looks at its ledger at every restart, and in the end holds what everybody was told against what arrived.
 */
import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { freePort } from "../../tools/processes/free-port.ts";
import { lastWords, type NodeProcess, spawnNode } from "../../tools/processes/node-process.ts";
import { until } from "../../tools/processes/until.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { seeded } from "../support/seeded.ts";
import { type Death, deathOf, lastWord, POINTS, type Point } from "./deaths.ts";
import { type Destination, type DestinationName, openDestination } from "./destinations.ts";
import { createFollowedFile, type FollowedFile, TAILED_METER } from "./followed-file.ts";
import { type Books, nameOf, openBooks, produce } from "./producers.ts";

export interface TortureOptions {
  readonly kills: number;
  /** Same seed, same deaths and same events; what the machine does between is its own. */
  readonly seed: number;
  readonly destination: DestinationName;
  /** Called after every kill. */
  readonly onKill?: (kill: number, books: Books) => void;
}

export interface TortureReport {
  /** What was wrong, in words; empty where nothing was lost, doubled or miscounted. */
  readonly findings: readonly string[];
  /** Kills by where they hit; `random` those from outside. */
  readonly hits: Readonly<Record<Point | "random", number>>;
  readonly owed: number;
  readonly held: number;
  readonly unsure: number;
  readonly arrived: number;
}

const AGENT = fileURLToPath(new URL("../../agent/main.ts", import.meta.url));
const TORTURED_AGENT = fileURLToPath(new URL("./agent.ts", import.meta.url));
const CLIENTS = 4;
/** A life that does not come to its point by then is ended from outside. */
const LIFE_MS_MAX = 120_000;
const DRAIN_MS_MAX = 600_000;

interface Ledger {
  readonly accepted: number;
  readonly delivered: number;
  readonly pending: number;
  readonly quarantined: number;
  readonly discarded: number;
}

interface Status {
  readonly ledger: Ledger;
  readonly streams: readonly { readonly stream: string; readonly ledger: Ledger }[];
}

/** Runs it all. Throws where the agent does not start or ends by itself; reports everything else as a finding. */
export async function torture(options: TortureOptions): Promise<TortureReport> {
  const random = seeded(options.seed);
  const destination = await openDestination(options.destination, seeded(options.seed + 1));
  try {
    return await tortureAt(destination, options, random);
  } finally {
    await destination.close();
  }
}

async function tortureAt(
  destination: Destination,
  options: TortureOptions,
  random: () => number,
): Promise<TortureReport> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const file = destination.tailedMeter === null ? null : createFollowedFile(join(destination.folder, "app.ndjson"));
  const config = writeConfig(destination, port, file);
  const books = openBooks();
  const stopping = new AbortController();
  const { signal } = stopping;
  const clients = Array.from({ length: CLIENTS }, (_, i) =>
    produce({ url, id: `client-${i}`, kinds: destination.kinds, books, random: seeded(options.seed + 2 + i), signal }),
  );
  const load = Promise.all([...clients, file?.write(books, seeded(options.seed + 100), signal)]);
  // A client that finds the agent wrong ends the run.
  load.catch(() => stopping.abort());
  const findings: string[] = [];
  const hits = Object.fromEntries(["random", ...POINTS].map((name) => [name, 0])) as Record<Point | "random", number>;
  const lives: NodeProcess[] = [];
  try {
    for (let kill = 0; kill < options.kills && !signal.aborted; kill++) {
      await destination.disturb();
      const death = deathOf(kill, random);
      const life = begin(config, death);
      lives.push(life);
      hits[await liveAndDie(life, death, url, books, file, findings)]++;
      lives.pop();
      options.onKill?.(kill + 1, books);
    }
    stopping.abort();
    await load;
    destination.calm();
    const last = begin(config, null);
    lives.push(last);
    await last.ready;
    await drained(url, file, findings);
    await destination.settled();
    const arrived = await destination.arrived();
    findings.push(...(await reconcile(destination, config, url, books, arrived)));
    const { code } = await last.kill("SIGTERM");
    if (code !== 0) findings.push(`asked to end, the agent ended with ${code}: ${lastWords(last)}`);
    const { owed, held, unsure } = books;
    return { findings, hits, owed: owed.size, held: held.size, unsure: unsure.size, arrived: arrived.length };
  } finally {
    stopping.abort();
    await Promise.all(lives.map((life) => life.kill("SIGKILL")));
  }
}

function writeConfig(destination: Destination, port: number, file: FollowedFile | null): string {
  const config = join(destination.folder, "tortured.toml");
  const lines = [
    "[listen]",
    `port = ${port}`,
    "[destination]",
    destination.settings,
    "[upload]",
    "linger_ms = 10\nbackoff_base_ms = 20\nbackoff_max_ms = 200\ntimeout_ms = 5000\nbatch_events = 30\nconcurrency = 3",
    ...(file === null
      ? []
      : ["[[tail]]", `path = ${JSON.stringify(file.path)}`, `stream = "usage/${destination.tailedMeter}"`]),
  ];
  writeFileSync(config, `${lines.join("\n")}\n`);
  return config;
}

/** Both of the tenant's keys are the same to the twin; the edge wants its own. */
const ENV = { WEIR_API_KEY: LOCAL_KEYS.ingest };

function begin(config: string, death: Death | null): NodeProcess {
  if (death?.kind !== "point") return spawnNode(AGENT, ["run", "--config", config], { env: ENV });
  return spawnNode(TORTURED_AGENT, [config, death.point, String(death.nth)], { env: ENV });
}

/** @returns where the death hit. */
async function liveAndDie(
  life: NodeProcess,
  death: Death,
  url: string,
  books: Books,
  file: FollowedFile | null,
  findings: string[],
): Promise<Point | "random"> {
  // Lines of the followed file are owed before the agent has read them.
  const taken = () => books.owed.size + books.held.size - (file?.lines() ?? 0);
  const takenBefore = taken();
  const isReady = await Promise.race([life.ready.then(() => true), life.exited.then(() => false)]).catch(() => false);
  // Asked of an agent that may die at any moment: no answer is none.
  const status = isReady ? await statusOf(url).catch(() => null) : null;
  if (status !== null) {
    findings.push(...imbalances(status, takenBefore));
    file?.rotate(linesTaken(status));
  }
  if (death.kind === "random") {
    const enough = takenBefore + death.afterEvents;
    await until(() => taken() >= enough, { what: "clients to be answered", timeoutMs: LIFE_MS_MAX, everyMs: 3 });
    await pause(death.delayMs);
    if (!life.isRunning()) throw new Error(`the agent ended by itself:\n${lastWords(life)}`);
    await life.kill("SIGKILL");
    return "random";
  }
  if (death.point === "before-close" && isReady) {
    await until(() => taken() > takenBefore, { what: "clients to be answered", timeoutMs: LIFE_MS_MAX, everyMs: 3 });
    void life.kill("SIGTERM");
  }
  const timer = setTimeout(() => void life.kill("SIGKILL"), LIFE_MS_MAX);
  const exit = await life.exited;
  clearTimeout(timer);
  if (exit.signal !== "SIGKILL") throw new Error(`the agent ended by itself with ${exit.code}:\n${lastWords(life)}`);
  return life.stderr().includes(lastWord(death.point)) ? death.point : "random";
}

async function statusOf(url: string): Promise<Status> {
  return (await (await fetch(`${url}/status`)).json()) as Status;
}

/** What is wrong with a ledger that must add up, and count everything that was answered for. */
function imbalances(status: Status, owed: number): string[] {
  const { ledger, streams } = status;
  const wrong = [...streams, { stream: "all streams", ledger }].flatMap(({ stream, ledger: own }) => {
    const sum = own.delivered + own.pending + own.quarantined + own.discarded;
    return own.accepted === sum ? [] : [`the ledger of ${stream} does not add up: ${JSON.stringify(own)}`];
  });
  const answered = ledger.accepted - linesTaken(status);
  if (answered < owed) wrong.push(`${owed} events were answered for, ${answered} counted`);
  return wrong;
}

/** Lines of the followed file that the agent has counted. */
function linesTaken({ streams }: Status): number {
  return streams.find(({ stream }) => stream === `usage/${TAILED_METER}`)?.ledger.accepted ?? 0;
}

async function drained(url: string, file: FollowedFile | null, findings: string[]): Promise<void> {
  await until(
    async () => {
      const status = await statusOf(url);
      findings.push(...imbalances(status, 0));
      return status.ledger.pending === 0 && linesTaken(status) >= (file?.lines() ?? 0);
    },
    { what: "the agent to drain", timeoutMs: DRAIN_MS_MAX, everyMs: 100 },
  );
}

const SHOWN_MAX = 5;

/** Holds what everybody was told against what arrived and what is held, and the agent's ledger against both. */
async function reconcile(
  destination: Destination,
  config: string,
  url: string,
  books: Books,
  arrived: readonly string[],
): Promise<string[]> {
  const findings: string[] = [];
  const say = (what: string, names: readonly string[]) => {
    if (names.length > 0) findings.push(`${names.length} ${what}: ${names.slice(0, SHOWN_MAX).join(", ")}`);
  };
  const times = new Map<string, number>();
  for (const source of arrived) {
    const name = nameOf(source) ?? source;
    times.set(name, (times.get(name) ?? 0) + 1);
  }
  const seen = [...times];
  say(
    "answered for and never arrived",
    [...books.owed].filter((name) => !times.has(name)),
  );
  say(
    "arrived twice",
    seen.filter(([, n]) => n > 1).map(([name]) => name),
  );
  const known = (name: string) => books.owed.has(name) || books.unsure.has(name);
  say(
    "arrived that nobody sent",
    seen.flatMap(([name]) => (known(name) ? [] : [name])),
  );

  const listed = await command(["quarantine", "list", "--json", "--config", config]);
  const entries = JSON.parse(listed.stdout) as { event: unknown }[];
  const heldNames = entries.map(({ event }) => nameOf(JSON.stringify(event)) ?? "");
  say(
    "held back and not in quarantine",
    [...books.held].filter((name) => !heldNames.includes(name)),
  );
  say(
    "in quarantine that nobody was told of",
    heldNames.filter((name) => !(books.held.has(name) || known(name))),
  );
  say(
    "in quarantine twice",
    heldNames.filter((name, i) => heldNames.indexOf(name) !== i),
  );

  const { ledger } = await statusOf(url);
  const told = { ...ledger, delivered: arrived.length, quarantined: heldNames.length, pending: 0, discarded: 0 };
  if (JSON.stringify(ledger) !== JSON.stringify({ ...told, accepted: arrived.length + heldNames.length })) {
    findings.push(
      `${arrived.length} arrived and ${heldNames.length} are held, the agent says ${JSON.stringify(ledger)}`,
    );
  }
  for (const name of destination.hasLedger ? ["check", "audit"] : ["check"]) {
    const { code, stdout, stderr } = await command([name, "--json", "--config", config]);
    if (code !== 0) findings.push(`weir-agent ${name} ended with ${code}: ${stdout}${stderr}`);
  }
  return findings;
}

function command(args: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const env = { ...process.env, ...ENV };
  return new Promise((resolve) => {
    execFile(process.execPath, [AGENT, ...args], { env, maxBuffer: 64e6 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? 1), stdout, stderr });
    });
  });
}
