/** `npm run smoke -- URL`: is this deployment whole? */
import { Command, InvalidArgumentError } from "commander";
import { printable } from "../../shared/printable.ts";
import { randomText } from "../../shared/random-text.ts";
import { runCommandLine, UsageError } from "../processes/command-line.ts";
import { smoke } from "./checks.ts";
import { edgeCalls } from "./edge-calls.ts";

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const MARKS = { whole: "ok", broken: "NO", "not-tried": "-" } as const;

const AFTER = `
The key is taken from WEIR_KEY in the environment and needs METER_DATA.INGEST and WEIR.ADMIN.
By default nothing reaches a vendor: the event it posts is invalid on purpose, is set aside and discarded on record.
With --stream an event of quantity 0, of a customer weir-smoke-…, goes through to the vendor's meter.
Exit code 0: what was tried is whole; 1: something is not; 2: asked wrongly.`;

interface Flags {
  readonly stream?: string;
  readonly wait: number;
}

const program = new Command("npm run smoke --")
  .description("Posts an event, reads the ledger and prices, against a deployed or local edge.")
  .argument("<url>", "the edge's address", edgeUrl)
  .option("--stream <usage/METER>", "also send an event of quantity 0 through to its vendor", usageStream)
  .option("--wait <seconds>", "for the vendor to have taken it", seconds, 30)
  .addHelpText("after", AFTER)
  .action(async (url: string, { stream, wait }: Flags) => {
    const key = process.env["WEIR_KEY"];
    if (key === undefined || key === "")
      throw new UsageError("WEIR_KEY holds no key: WEIR_KEY=weir_key_… npm run smoke -- URL");
    const options = { stream: stream ?? null, waitMs: wait * 1000, runId: randomText(12), nowMs: Date.now() };
    const results = await smoke(edgeCalls(url, key), options, ({ kind, what, note }) =>
      console.log(`${MARKS[kind].padEnd(3)} ${what}: ${printable(note)}`),
    );
    const broken = results.filter(({ kind }) => kind === "broken").length;
    console.log(broken === 0 ? `${url} is whole` : `${url} is not whole: ${broken} of ${results.length} checks failed`);
    process.exitCode = broken === 0 ? 0 : 1;
  });

await runCommandLine(program);

function edgeUrl(text: string): string {
  if (!URL.canParse(text)) throw new InvalidArgumentError("write it with https://");
  const { protocol, hostname, origin } = new URL(text);
  // The key goes there.
  if (protocol !== "https:" && !(protocol === "http:" && LOOPBACK.test(hostname)))
    throw new InvalidArgumentError("must be https, or http to this machine");
  return origin;
}

function usageStream(text: string): string {
  if (!/^usage\/\S+$/.test(text)) throw new InvalidArgumentError("write usage/METER");
  return text;
}

function seconds(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1 || number > 600) throw new InvalidArgumentError("1 to 600 seconds");
  return number;
}
