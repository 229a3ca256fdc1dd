/** `npm run torture -- --kills 1000`: see torture.ts. Exit 0 where nothing was lost, doubled or miscounted. */
import { randomInt } from "node:crypto";
import { Command, InvalidArgumentError, Option } from "commander";
import { onClosedPipe } from "../../tools/processes/closed-pipe.ts";
import { POINTS } from "./deaths.ts";
import { DESTINATIONS, type DestinationName } from "./destinations.ts";
import { torture } from "./torture.ts";

interface Flags {
  kills: number;
  seed?: number;
  destination: DestinationName;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("give a whole number");
  return Number(text);
}

onClosedPipe();
const { kills, seed, destination } = new Command("torture")
  .description("Kills the agent under load, with everything upstream misbehaving, and reconciles.")
  .option("--kills <n>", "how often", wholeNumber, 1000)
  .option("--seed <n>", "to repeat a run's deaths and events; drawn where none is given", wholeNumber)
  .addOption(new Option("--destination <name>", "where it delivers to").choices(DESTINATIONS).default("edge"))
  .parse()
  .opts<Flags>();

const chosen = seed ?? randomInt(1e9);
const startedAt = performance.now();
const seconds = () => Math.round((performance.now() - startedAt) / 1000);
console.log(`${kills} kills, agent to ${destination}, seed ${chosen}`);
const report = await torture({
  kills,
  seed: chosen,
  destination,
  onKill(kill, { owed, held, unsure }) {
    if (kill % 25 !== 0 && kill !== kills) return;
    console.log(
      `${String(kill).padStart(5)} kills  ${owed.size} owed  ${held.size} held  ${unsure.size} unsure  ${seconds()} s`,
    );
  },
});
console.log(`\nkills by where they hit: ${JSON.stringify(report.hits)}`);
console.log(
  `${report.owed} events owed, ${report.held} held back, ${report.unsure} without an answer; ${report.arrived} arrived`,
);
const missed = POINTS.filter((point) => report.hits[point] === 0);
if (missed.length > 0) console.log(`no kill hit ${missed.join(", ")}`);
for (const finding of report.findings) console.log(`WRONG: ${finding}`);
const isGood = report.findings.length === 0 && missed.length === 0;
console.log(isGood ? `nothing lost, nothing doubled, in ${seconds()} s` : "this must not happen");
process.exitCode = isGood ? 0 : 1;
