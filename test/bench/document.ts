/** docs/performance.md, written by `npm run bench -- --write`: the method, and for each group its table and what limits it. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { cells, figure, range } from "./figures.ts";
import { ofFluentBit } from "./fluent-bit.ts";
import { commitText, machineText } from "./machine.ts";
import type { Measured } from "./measure.ts";
import type { Pace } from "./pace.ts";
import { GROUPS, type Group, ROWS, type Row } from "./rows.ts";

const FILE = fileURLToPath(new URL("../../docs/performance.md", import.meta.url));

const METHOD = `# Performance

How fast Weir is, beside the least program that could do the same job, and what keeps each part from that now. All of it is
written by one command; the figures are of the machine and the commit that each section names.

\`\`\`sh
npm run bench -- --write              # all of it: some twenty minutes, on a machine that does nothing else
npm run bench -- --ledger-size --write # the last section: a ledger of 10 million keys beside an empty one
npm run bench -- --quick              # a look at everything, in less than two minutes
npm run bench -- edge-positions       # the rows whose names begin so; --help lists all
npm run bench -- --profile agent-1    # where the time of a row goes: .cpuprofile files and a summary
\`\`\`

## How it is measured

- **By turns.** Weir and its floor run one after the other in each round, the first to go changing; a round before all
  others warms both up and counts for nothing. A ratio is that of a round's own two figures: its median is shown, with the
  lowest and the highest. Machines differ and are noisy; judge a change by the ratios of one run, before and after.
- **The floor** is the smallest program that does the same job with the same runtime and disk. At the edge: a Worker in
  workerd that parses the body and stores its bytes in D1 with one insert; for events known by id or content one more
  statement adds a key an event (\`json_each\`), by a hash that costs next to nothing. For the agent: \`node:http\` and
  \`node:sqlite\`, events numbered, a row a request, fsynced before the answer, requests of one turn of the event loop sharing
  a commit, and delivery to the same kind of sink. No floor checks events, knows a repeat or keeps a ledger.
- **The load** comes from a process of its own with raw sockets: requests are bytes made before the clock runs, one at a
  time on each connection, no pipelining. What it takes itself stands in the last column.
- **CPU** is that of whole processes with all that they start, kernel time included, for each event: of the agent until
  all is delivered. **MB** is the most that was resident, all processes together (2^20 bytes).
- Events are of about 110 bytes. Bodies are NDJSON, plain where no gzip is named. Four connections; 32 for one event a
  request at the edge, 64 at the agent. Each connection is a producer of its own where positions are sent.
- Deliveries go to a sink that counts, and can hold its answers: so a backlog piles up, and drains from a known moment.
- The agent's rows name their part of Fluent Bit 5.1.1's rate, an estimate. On another machine of two cores it took 22,000,
  78,000 and 74,000 events/s (one, 100, 1,000 a request; buffer on disk, sync full, a counting sink), and a sketch with the
  floor's promise beside it 0.8, 1.6 to 5, and 3.3 to 3.8 times that. The floor is taken for that sketch.
`;

const TITLES: Readonly<Record<Group, string>> = {
  edge: "Edge: intake",
  "edge-drain": "Edge: delivery",
  agent: "Agent, from the checkout",
  packaged: "Agent, packaged",
  backlog: "Agent: a backlog",
  "ledger-size": "Edge: a large ledger beside an empty one",
};

/**
 * @param loadBefore the machine's load average before the run: what else it did.
 * @throws Error where a group was measured in part.
 */
export function writeDocument(all: readonly Measured[], pace: Pace, loadBefore: number): void {
  const before = existsSync(FILE) ? readFileSync(FILE, "utf8") : "";
  const date = new Date().toISOString().slice(0, 10);
  const { rounds, seconds } = pace;
  const howLong = `Rounds: ${rounds}, of runs of about ${seconds} s; load average before: ${loadBefore.toFixed(1)}.`;
  const when = `Measured ${date} at commit ${commitText()}: ${machineText()}. ${howLong}`;
  writeFileSync(FILE, documentText(before, all, when));
}

/**
 * The document with the sections of the groups that were measured made anew.
 * @param before the document as it was; what it has of other groups stays.
 * @param when what the figures depend on, in a line.
 */
export function documentText(before: string, all: readonly Measured[], when: string): string {
  const sections = GROUPS.map((group) => {
    const rows = ROWS.filter((row) => row.group === group);
    const found = rows.flatMap((row) => all.find(({ name }) => name === row.name) ?? []);
    if (found.length === 0) return keptSection(before, group);
    const missing = rows.find((row) => found.every(({ name }) => name !== row.name));
    if (missing !== undefined) throw new Error(`of ${group} only a part was measured: ${missing.name} is missing`);
    return sectionText(group, rows, found, when);
  });
  return `${[METHOD, ...sections].join("\n").trimEnd()}\n`;
}

const opening = (group: Group) => `<!-- bench ${group} -->`;
const CLOSING = "<!-- bench end -->";

function keptSection(before: string, group: Group): string {
  const from = before.indexOf(opening(group));
  if (from < 0) return `## ${TITLES[group]}\n\nNot measured yet.\n`;
  const body = before.slice(from, before.indexOf(CLOSING, from));
  return `## ${TITLES[group]}\n\n${body}${CLOSING}\n`;
}

const HEAD = [
  ...["row", "events/s", "p50 ms", "p99 ms", "CPU µs", "MB", "floor events/s", "p50 ms", "p99 ms", "CPU µs", "MB"],
  ...["of the floor's", "all rounds", "CPU, × floor", "load CPU µs"],
];

function sectionText(group: Group, rows: readonly Row[], found: readonly Measured[], when: string): string {
  const table = [HEAD, HEAD.map((_, i) => (i === 0 ? ":--" : "--:")), ...found.map(tableCells)];
  return [
    ...[`## ${TITLES[group]}`, "", opening(group), when, ""],
    ...table.map((cellsOfRow) => `| ${cellsOfRow.join(" | ")} |`),
    "",
    ...rows.map((row) => limitLine(row, found)),
    ...[CLOSING, ""],
  ].join("\n");
}

function tableCells(row: Measured): string[] {
  return [
    `\`${row.name}\``,
    ...cells(row.weir),
    ...cells(row.floor),
    `**${figure(row.ratio.median)}**`,
    range(row.ratio),
    figure(row.cpuRatio.median),
    figure(row.weir.loadMicrosPerEvent),
  ];
}

const OF: Readonly<Record<Row["compared"], string>> = { eventsPerSecond: "", p50Ms: ", by p50", p99Ms: ", by p99" };

function limitLine({ name, title, floorIs, compared, limit }: Row, found: readonly Measured[]): string {
  const row = found.find((one) => one.name === name);
  const also = Object.entries(row?.also ?? {}).map(([what, value]) => ` ${what}: ${value.toLocaleString("en-US")}.`);
  const share = row === undefined ? null : ofFluentBit(row);
  const fluentBit = share === null ? "" : ` Estimated: ${share} of Fluent Bit's rate.`;
  return `- \`${name}\`: ${title}; beside ${floorIs}${OF[compared]}.${also.join("")}${fluentBit} Limited by: ${limit}.`;
}
