/** `npm run bench`: the hot paths, each beside its floor; a table, or JSON. */
import { Command, InvalidArgumentError } from "commander";
import { onClosedPipe } from "../../tools/processes/closed-pipe.ts";
import { grouped, tableLines } from "../../tools/terminal/text-table.ts";
import { benchAppend } from "./agent-append.ts";
import { benchBacklog } from "./agent-backlog.ts";
import { benchEdge } from "./edge.ts";
import type { Measured } from "./measure.ts";

interface Flags {
  json: boolean;
  backlog: number;
}

const BENCHES = {
  append: async () => [await benchAppend(100, 50_000), await benchAppend(1, 4_000)],
  backlog: async ({ backlog }: Flags) => [await benchBacklog(backlog, backlog > 1_000_000 ? 1 : 3)],
  edge: () =>
    benchEdge([
      [100, 20_000],
      [1000, 50_000],
      [1, 1_000],
    ]),
} as const;

type Name = keyof typeof BENCHES;

function isName(name: string): name is Name {
  return name in BENCHES;
}

onClosedPipe();
const command = new Command("bench")
  .description("Measures the hot paths, each beside the least program that could do the same, by turns in one run.")
  .argument("[names...]", `which: ${Object.keys(BENCHES).join(", ")}; all where none is named`)
  .option("--backlog <events>", "how large the agent's backlog is", wholeNumber, 500_000)
  .option("--json", "print JSON", false)
  .parse();
const flags = command.opts<Flags>();
const names = command.args.length === 0 ? Object.keys(BENCHES) : command.args;
const unknown = names.find((name) => !isName(name));
if (unknown !== undefined)
  command.error(`there is no benchmark ${unknown}; there are ${Object.keys(BENCHES).join(", ")}`);

const measured: Measured[] = [];
for (const name of names.filter(isName)) measured.push(...(await BENCHES[name](flags)));
if (flags.json) console.log(JSON.stringify(measured, null, 2));
else for (const line of lines(measured)) console.log(line);

function lines(all: readonly Measured[]): string[] {
  const rows = all.map(({ name, unit, weir, floor, ratio, ratioLowest, ratioHighest }) => [
    name,
    `${figure(weir)} ${unit}`,
    `${figure(floor)} ${unit}`,
    ratio.toFixed(2),
    `${ratioLowest.toFixed(2)} to ${ratioHighest.toFixed(2)}`,
  ]);
  const table = tableLines([["", "Weir", "floor", "cost, floors", "of all rounds"], ...rows]);
  const floors = all.map(({ name, floorIs, also }) => {
    const more = Object.entries(also).map(([what, value]) => `; ${what} ${value}`);
    return `${name}: the floor is ${floorIs}${more.join("")}`;
  });
  return [...table, "", ...floors];
}

function figure(value: number): string {
  return value < 100 ? value.toFixed(1) : grouped(Math.round(value));
}

function wholeNumber(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("give a whole number");
  return Number(text);
}
