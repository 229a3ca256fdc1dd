/** The sample configuration: every setting with its explanation, written from the declaration. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: it is the configuration's own form
import { SETTINGS, type Setting, TABLES, TAIL_ABOUT, TAIL_SETTINGS } from "./settings.ts";

const WIDTH = 118;

const HEAD =
  "Configuration of weir-agent, every setting. One that is set here has this value where a file leaves it out, but for " +
  "those called required: these are examples. Those behind a # have no default. Relative paths start at this file's " +
  "directory. Unknown keys are refused. ${NAME} in a text stands for the environment variable NAME, $${ for a plain ${.";

/** Settings that a file cannot do without, shown as set though they have no default. */
const SHOWN: ReadonlySet<string> = new Set([SETTINGS.destination.apiKeyEnv.key]);

/** @returns TOML that can be used once url and key are one's own. */
export function sampleText(): string {
  const { top, ...tables } = TABLES;
  const sections = Object.entries(tables).map(([name, table]) => [`[${name}]`, ...linesOf(table)].join("\n"));
  const tail = [`# [[tail]]`, ...linesOf(TAIL_SETTINGS).map((line) => `# ${line}`)];
  return `${[
    comment(HEAD).join("\n"),
    linesOf(top).join("\n"),
    ...sections,
    [...comment(TAIL_ABOUT), ...tail].join("\n"),
  ].join("\n\n")}\n`;
}

function linesOf(table: Readonly<Record<string, Setting<unknown>>>): string[] {
  return Object.values(table).flatMap(({ key, presence, sample, about }) => {
    const isSet = presence !== "optional" || SHOWN.has(key);
    return [...comment(about), `${isSet ? "" : "# "}${key} = ${JSON.stringify(sample)}`];
  });
}

/** Comment lines no wider than a screen. */
function comment(text: string): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ").filter((part) => part !== "")) {
    const last = lines.at(-1);
    if (last === undefined || last.length + 1 + word.length > WIDTH) lines.push(`# ${word}`);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
}
