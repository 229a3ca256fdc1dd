/** The status as people read it. Pure. */
import pc from "picocolors";
import type { EdgeDelivery } from "../operator/delivery-watch.ts";
import { laneText, type StatusDocument } from "../operator/status.ts";
import { mapTexts, visible } from "../runtime/visible-text.ts";
import { cellsOf, cutToCells, padToCells } from "./cells.ts";

/** Events a second since the last look. */
export interface Rate {
  readonly accepted: number;
  readonly delivered: number;
}

const BAR_CELLS = 30;
const STREAMS_SHOWN_MAX = 15;
const NAME_CELLS_MIN = 13;
/** For a name that is longer than this no column is left out. */
const NAME_CELLS_MAX = 40;
const COUNT_CELLS = 14;

/** Of words that others said; JSON has all of them. */
const WORDS_MAX = 160;

/** What others said, so that it does nothing on a terminal and takes a few lines of it at most. */
function briefIn(status: StatusDocument): StatusDocument {
  return mapTexts(status, (text) => cutToCells(visible(text), WORDS_MAX));
}

/**
 * @param colors only where a terminal shows them.
 * @param columns how wide that is: longer lines go on below, and columns that do not fit are left out.
 */
export function statusScreen(said: StatusDocument, rate: Rate | null, colors: boolean, columns = Infinity): string {
  const status = briefIn(said);
  const { bold, dim, green, yellow, red } = pc.createColors(colors);
  const { ledger, buffer, destination } = status;
  const count = (value: number) => number(value).padStart(COUNT_CELLS);
  const row = (name: string, text: string) => wrapped(`  ${name.padEnd(NAME_CELLS_MIN)}${text}`, TEXT_AT, columns);
  const perSecond = (value: number | undefined) => (value === undefined ? "" : dim(`  ${number(Math.round(value))}/s`));

  const state = destination.state ?? "not running";
  const paint = state === "ok" ? green : state === "paused" ? red : yellow;
  const left = buffer.hours_left === null ? "" : `, full in ${spanText(buffer.hours_left * 3600)} at this rate`;
  const fill = `${sizeText(buffer.bytes)} of ${sizeText(buffer.max_bytes)}${left}`;
  const error = destination.last_error === null ? "" : `: ${destination.last_error}`;
  const next = destination.next_attempt_s === null ? "" : `, next attempt in ${spanText(destination.next_attempt_s)}`;
  const oldest = buffer.oldest_s === null ? "" : dim(`  oldest ${spanText(buffer.oldest_s)}`);
  return [
    `${bold("weir-agent")} ${status.producer ?? "(no buffer yet)"} ${status.running ? "" : yellow("not running")}\n\n`,
    row("accepted", count(ledger.accepted) + perSecond(rate?.accepted)),
    row("delivered", count(ledger.delivered) + perSecond(rate?.delivered)),
    row("pending", count(ledger.pending) + oldest),
    row("quarantined", (ledger.quarantined > 0 ? yellow : String)(count(ledger.quarantined))),
    row("discarded", count(ledger.discarded)),
    "\n",
    row("buffer", `${fillBar(buffer, columns - TEXT_AT - fill.length - 1, dim)}${fill}`),
    row("destination", `${paint(state)}${error}${next}`),
    ...(status.delivery === null ? [] : [row("at the edge", deliveryText(status.delivery, green, red))]),
    ...waitingLines(status.streams, columns, red),
    ...streamLines(status.streams, columns, dim, yellow),
  ].join("");
}

const LANES_SHOWN_MAX = 5;

/** What is refused by itself while all else goes through. */
function waitingLines(streams: StatusDocument["streams"], columns: number, red: Paint): string[] {
  const lanes = streams.flatMap(({ stream, waiting = [] }) => waiting.map((lane) => ({ stream, lane })));
  const texts = lanes
    .slice(0, LANES_SHOWN_MAX)
    .map(({ stream, lane }) => `${laneText(stream, lane)}: ${lane.last_error}, for ${spanText(lane.since_s)}`);
  const more = lanes.length > texts.length ? [`and ${number(lanes.length - texts.length)} more`] : [];
  return [...texts, ...more].map((text) =>
    wrapped(`  ${red("waits".padEnd(NAME_CELLS_MIN))}${text}`, TEXT_AT, columns),
  );
}

/** What becomes of events once they left this host. */
function deliveryText({ pending, waiting }: EdgeDelivery, green: Paint, red: Paint): string {
  const [first] = waiting;
  if (first === undefined) return `${green("ok")}, ${number(pending)} on their way to the vendor`;
  const others = waiting.length === 1 ? "" : ` and ${number(waiting.length - 1)} more`;
  const since = first.since === null ? "" : ` since ${first.since}`;
  const why = first.why.length === 0 ? "" : `: ${first.why.join(", ")}`;
  return `${red("waiting")}, ${number(pending)} not with the vendor; ${first.stream}${others}${since}${why}`;
}

type Paint = (text: string) => string;

/** Where the second column begins. */
const TEXT_AT = 2 + NAME_CELLS_MIN;
const BAR_CELLS_MIN = 5;

/** The buffer's bar and a space behind it; nothing where there is no room for one. */
function fillBar({ bytes, max_bytes: most }: StatusDocument["buffer"], room: number, dim: Paint): string {
  const cells = Math.min(BAR_CELLS, room);
  if (cells < BAR_CELLS_MIN) return "";
  const filled = Math.round((most === 0 ? 0 : Math.min(1, bytes / most)) * cells);
  return `${"█".repeat(filled)}${dim("░".repeat(cells - filled))} `;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: a colour begins with one
const COLOR = /\u001b\[\d+m/g;

const withoutColors = (text: string) => text.replace(COLOR, "");

/** A line broken at its spaces, the rest of it set in by `indent`. */
function wrapped(line: string, indent: number, columns: number): string {
  if (cellsOf(withoutColors(line)) <= columns) return `${line}\n`;
  const lines: string[] = [];
  let current = "";
  for (const word of line.split(/(?<=\S) (?!(?:s|min|h|d|[KMGT]?i?B)\b)/)) {
    const longer = current === "" ? word : `${current} ${word}`;
    if (current === "" || cellsOf(withoutColors(longer)) <= columns) {
      current = longer;
    } else {
      lines.push(current);
      current = " ".repeat(indent) + word.trimStart();
    }
  }
  return [...lines, current].map((text) => `${cut(text, columns)}\n`).join("");
}

/** A text that has no place to be broken at. */
function cut(text: string, columns: number): string {
  const plain = withoutColors(text);
  return cellsOf(plain) <= columns ? text : cutToCells(plain, columns);
}

const STREAM_COUNTS = ["accepted", "delivered", "pending", "quarantined"] as const;
/** What is left of them on a narrow terminal. */
const NARROW_COUNTS = ["pending", "quarantined"] as const;
const NARROW_CELLS = 12;

/** A line a stream, those with most pending first. */
function streamLines(streams: StatusDocument["streams"], columns: number, dim: Paint, yellow: Paint): string[] {
  if (streams.length === 0) return [];
  const shown = streams.toSorted((a, b) => b.ledger.pending - a.ledger.pending).slice(0, STREAMS_SHOWN_MAX);
  const longest = Math.max(NAME_CELLS_MIN, ...shown.map(({ stream }) => cellsOf(stream)));
  const isWide = 2 + Math.min(longest, NAME_CELLS_MAX) + STREAM_COUNTS.length * COUNT_CELLS <= columns;
  const counts = isWide ? STREAM_COUNTS : NARROW_COUNTS;
  const cells = isWide ? COUNT_CELLS : NARROW_CELLS;
  const nameCells = Math.min(longest, columns - 2 - counts.length * cells);
  const header = counts.map((name) => name.padStart(cells)).join("");
  const lines = shown.map(({ stream, ledger }) => {
    const texts = counts.map((name) => {
      const text = number(ledger[name]).padStart(cells);
      return name === "quarantined" && ledger.quarantined > 0 ? yellow(text) : text;
    });
    return `  ${padToCells(cutToCells(stream, nameCells), nameCells)}${texts.join("")}\n`;
  });
  const rest = streams.length - shown.length;
  return [
    `\n  ${dim(`${"stream".padEnd(nameCells)}${header}`)}\n`,
    ...lines,
    ...(rest === 0 ? [] : [dim(`  and ${number(rest)} more\n`)]),
  ];
}

function number(value: number): string {
  return value.toLocaleString("en-US");
}

/** A span of time by its two largest units: 0.4 s, 12 min, 3 h 20 min, 2 d 5 h. */
export function spanText(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return withRest(hours, "h", minutes % 60, "min");
  return withRest(Math.floor(hours / 24), "d", hours % 24, "h");
}

function withRest(most: number, unit: string, rest: number, restUnit: string): string {
  return rest === 0 ? `${most} ${unit}` : `${most} ${unit} ${rest} ${restUnit}`;
}

function sizeText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
