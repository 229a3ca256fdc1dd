/** `npm run reconcile`: hop by hop, producer by producer, what agrees and what is missing. */
import { Command, InvalidArgumentError } from "commander";
import { printable } from "../../shared/printable.ts";
import { runCommandLine, UsageError } from "../processes/command-line.ts";
import { grouped, tableLines } from "../terminal/text-table.ts";
import {
  compareAgent,
  compareAgentWithEdge,
  compareEdge,
  compareWithTwin,
  type Difference,
  type Finding,
} from "./compare.ts";
import { rangesText } from "./ranges.ts";
import {
  type AgentStream,
  type EdgeEvent,
  type EdgeLedgerRow,
  type EdgeReader,
  EVENTS_MAX,
  edgeReader,
  readAgent,
  readTwin,
} from "./sides.ts";

const AFTER = `
The key is taken from WEIR_KEY in the environment and needs WEIR.ADMIN; with WEIR.OPERATOR --tenant names another tenant.
Counts and positions are read as the ledgers tell them. With --events, and with --twin, each event of the edge is read too:
what is counted must be there, and what was delivered must be at the twin.
Exit code 0: all agree; 1: something is missing or too much, or somebody gave no answer; 2: asked wrongly.`;

interface Flags {
  readonly edge: string;
  readonly agent: readonly string[];
  readonly twin?: string;
  readonly tenant?: string;
  readonly stream?: string;
  readonly events?: true;
  readonly json?: true;
}

const program = new Command("npm run reconcile --")
  .description("Holds the ledgers of agent, edge and twin against one another and names what is missing.")
  .requiredOption("--edge <url>", "the edge's address", httpUrl)
  .option("--agent <socket>", "control.sock in the buffer of a running agent; may be repeated", collect, [])
  .option("--twin <url>", "the stand-in's address", httpUrl)
  .option("--tenant <id>", "another tenant than the key's own")
  .option("--stream <name>", "this stream alone")
  .option("--events", "read each event of the edge: what is counted must be there")
  .option("--json", "as JSON")
  .addHelpText("after", AFTER)
  .action(async (flags: Flags) => {
    const key = process.env["WEIR_KEY"] ?? "";
    if (key === "") throw new UsageError("WEIR_KEY holds no key: WEIR_KEY=… npm run reconcile -- --edge URL");
    const findings = await reconcile(flags, edgeReader(flags.edge, key, flags.tenant ?? null));
    const equal = findings.every(({ differences }) => differences.length === 0);
    if (flags.json === true) console.log(JSON.stringify({ equal, findings }, null, 2));
    else print(findings, equal);
    process.exitCode = equal ? 0 : 1;
  });

await runCommandLine(program);

async function reconcile({ agent, twin, stream, events }: Flags, edge: EdgeReader): Promise<Finding[]> {
  const isMeant = (one: { readonly stream: string }) => stream === undefined || one.stream === stream;
  // The agents first: what moves on while the rest is read is then no difference.
  const agents = await Promise.all(agent.map(readAgent));
  const rows = (await edge.ledger()).filter(isMeant);
  const findings: Finding[] = [];
  for (const { producer, streams } of agents) {
    const missing = rows
      .filter((row) => row.producer === producer && !streams.some((one) => one.stream === row.stream))
      .map((row) => nothingOf(row.stream));
    for (const one of [...streams, ...missing].filter(isMeant)) {
      const row = rows.find((other) => other.stream === one.stream && other.producer === producer);
      findings.push(compareAgent(producer, one), compareAgentWithEdge(producer, one, row));
    }
  }
  const known = new Set(agents.map(({ producer }) => producer));
  const isRead = events === true || twin !== undefined;
  const byStream = isRead ? await readEvents(edge, rows) : null;
  for (const row of rows) {
    const own = byStream?.get(row.stream)?.filter(({ producer }) => producer === row.producer) ?? null;
    findings.push(compareEdge(row, own, known.has(row.producer ?? "")));
  }
  if (twin === undefined || byStream === null) return findings;
  const received = await readTwin(twin);
  const isQuiet = acceptedBy((await edge.ledger()).filter(isMeant)) === acceptedBy(rows);
  const streams = new Set([...byStream.keys(), ...received.keys()]);
  for (const name of [...streams].filter((one) => isMeant({ stream: one })))
    findings.push(...compareWithTwin(name, byStream.get(name) ?? [], received.get(name) ?? [], isQuiet));
  return findings;
}

/** An agent that knows nothing of a stream of its own: whatever the edge has of it was never sent. */
function nothingOf(stream: string): AgentStream {
  const ledger = { accepted: 0, pending: 0, delivered: 0, quarantined: 0, discarded: 0 };
  const last = Number.MAX_SAFE_INTEGER - 1;
  return { stream, last, ledger, positions: { pending: [], withheld: [[1, last]] } };
}

function acceptedBy(rows: readonly EdgeLedgerRow[]): number {
  return rows.reduce((sum, { accepted }) => sum + accepted, 0);
}

async function readEvents(edge: EdgeReader, rows: readonly EdgeLedgerRow[]): Promise<Map<string, EdgeEvent[]>> {
  if (acceptedBy(rows) > EVENTS_MAX)
    throw new Error(`more than ${grouped(EVENTS_MAX)} events; name a --stream to compare them one by one`);
  const byStream = new Map<string, EdgeEvent[]>();
  for (const stream of new Set(rows.map((row) => row.stream))) {
    const events: EdgeEvent[] = [];
    byStream.set(stream, events);
    for await (const event of edge.events(stream)) events.push(event);
  }
  return byStream;
}

function print(findings: readonly Finding[], equal: boolean): void {
  const rows = findings.map(({ hop, stream, producer, events, differences }) => [
    ...[`${hop}  ${printable(stream)}  ${printable(producer ?? "(no producer)")}`, grouped(events)],
    differences.length === 0 ? "agree" : "DIFFER",
  ]);
  for (const [i, line] of tableLines([["hop, stream, producer", "events", ""], ...rows]).entries()) {
    console.log(line);
    for (const one of findings[i - 1]?.differences ?? []) console.log(`    ${differenceText(one)}`);
  }
  console.log(equal ? "all agree" : "they do not agree");
}

function differenceText({ count, what, positions, ids }: Difference): string {
  const where = [
    ...(positions.length === 0 ? [] : [`positions ${rangesText(positions)}`]),
    ...(ids.length === 0 ? [] : [ids.join(", ")]),
  ];
  return `${grouped(count)} ${what}${where.length === 0 ? "" : `: ${where.join("; ")}`}`;
}

function httpUrl(text: string): string {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text)) throw new InvalidArgumentError("write it with https://");
  return new URL(text).origin;
}

function collect(socket: string, before: readonly string[]): readonly string[] {
  return [...before, socket];
}
