/** `npm run bench`: the hot paths, each beside its floor; a table, JSON, the document, or a profile of one of them. */
import { loadavg } from "node:os";
import { Command, InvalidArgumentError } from "commander";
import { onClosedPipe } from "../../tools/processes/closed-pipe.ts";
import { benchAgent, benchPackaged } from "./bench-agent.ts";
import { benchBacklog } from "./bench-backlog.ts";
import { benchDrain } from "./bench-drain.ts";
import { benchEdge } from "./bench-edge.ts";
import { benchLedgerSize } from "./bench-ledger-size.ts";
import type { BenchContext } from "./context.ts";
import { writeDocument } from "./document.ts";
import type { Measured } from "./measure.ts";
import type { Pace } from "./pace.ts";
import { profileRow } from "./profile/profile-row.ts";
import { createProgress } from "./progress.ts";
import { reportLines } from "./report-text.ts";
import { chosenRows, GROUPS, ROWS, type Row } from "./rows.ts";

interface Flags {
  readonly quick: boolean;
  readonly json: boolean;
  readonly write: boolean;
  readonly seconds?: number;
  readonly rounds?: number;
  readonly backlog?: number;
  readonly pile?: number;
  readonly ledgerSize: boolean;
  readonly keys?: number;
  readonly profile?: string;
  readonly profileTo: string;
}

const FULL: Pace = { seconds: 2, rounds: 3, backlog: 1_000_000, pile: 200_000, keys: 10_000_000 };
const QUICK: Pace = { seconds: 0.25, rounds: 1, backlog: 200_000, pile: 50_000, keys: 200_000 };
/** One after the other: they would measure each other. */
const BENCHES = [benchEdge, benchDrain, benchAgent, benchPackaged, benchBacklog, benchLedgerSize];

onClosedPipe();
// Leaving normally is what ends the processes that this one started, and removes their folders.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => process.exit(130));

const command = new Command("npm run bench --")
  .description("Measures the hot paths, each beside the least program that could do the same, by turns in one run.")
  .argument("[names...]", `rows, beginnings of their names, or groups: ${GROUPS.join(", ")}; all where none is named`)
  .option("--quick", "one short round each: under two minutes", false)
  .option("--seconds <number>", "how long a run is to last, about", decimal)
  .option("--rounds <number>", "how many count, after one to warm up", wholeNumber)
  .option("--backlog <events>", "how large the agent's backlog is; 5000000 for the long run", wholeNumber)
  .option("--pile <events>", "how much piles up at the edge before it is delivered", wholeNumber)
  .option("--ledger-size", "measure a large ledger beside an empty one instead: the group ledger-size", false)
  .option("--keys <number>", "of the large ledger, which has a tenth as many batches", wholeNumber)
  .option("--json", "print JSON", false)
  .option("--write", "write the groups measured into docs/performance.md; whole groups only", false)
  .option("--profile <row>", "profile one row of edge or agent instead: .cpuprofile files and a summary")
  .option("--profile-to <folder>", "where profiles go", "bench-profiles")
  .addHelpText("after", `\nRows:\n${ROWS.map(({ name, title }) => `  ${name.padEnd(30)} ${title}`).join("\n")}`)
  .parse();
const flags = command.opts<Flags>();
if (flags.profile === undefined) await bench(flags.ledgerSize ? [...command.args, "ledger-size"] : command.args);
else await profile(flags.profile);

async function profile(name: string): Promise<void> {
  const lines = await profileRow(name, flags.profileTo);
  if (lines === null) command.error(`${name} cannot be profiled: name an intake row of edge or agent`);
  for (const line of lines ?? []) console.log(line);
}

async function bench(names: readonly string[]): Promise<void> {
  const { rows, unknown } = chosenRows(names);
  if (unknown !== null) command.error(`there is no row or group ${unknown}; --help lists them`);
  const [loadBefore = 0] = loadavg();
  const measured: Measured[] = [];
  const progress = createProgress(process.stderr, rows.length);
  const context = contextOf(rows, measured, progress);
  for (const run of BENCHES) await run(context);
  progress.end();
  if (flags.json) console.log(JSON.stringify(measured, null, 2));
  else for (const line of reportLines(measured)) console.log(line);
  if (flags.write) writeDocument(measured, context.pace, loadBefore);
}

function contextOf(
  rows: readonly Row[],
  measured: Measured[],
  progress: ReturnType<typeof createProgress>,
): BenchContext {
  const names = new Set(rows.map((row) => row.name));
  const { seconds, rounds, backlog, pile, keys } = { ...(flags.quick ? QUICK : FULL), ...definedOf(flags) };
  return {
    pace: { seconds, rounds, backlog, pile, keys },
    wants: (row) => names.has(row.name),
    progress: progress.step,
    done: (...found) => {
      for (const row of found.filter(({ name }) => names.has(name))) {
        measured.push(row);
        progress.done(row);
      }
    },
  };
}

function definedOf({ seconds, rounds, backlog, pile, keys }: Flags): Partial<Pace> {
  return {
    ...(seconds === undefined ? {} : { seconds }),
    ...(rounds === undefined ? {} : { rounds }),
    ...(backlog === undefined ? {} : { backlog }),
    ...(pile === undefined ? {} : { pile }),
    ...(keys === undefined ? {} : { keys }),
  };
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("give a whole number");
  return Number(text);
}

function decimal(text: string): number {
  if (!/^\d{1,3}(\.\d{1,3})?$/.test(text) || Number(text) === 0)
    throw new InvalidArgumentError("give seconds, say 0.5");
  return Number(text);
}
