/** Text of others as a log or a terminal may show it. */

/** C0 and C1 controls, DEL, what turns the direction of text, and line separators: none of them shows itself. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const UNSHOWN = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]|\p{Cs}/gu;

/** Of foreign text in a line of a log. */
const CHARACTERS_MAX = 200;

/** At most 200 characters of a text, each that would not show itself written as its escape (`\u001b`). */
export function printable(text: string): string {
  // Cut by code points: half of a pair would be no character.
  const cut = Array.from(text.slice(0, 2 * CHARACTERS_MAX))
    .slice(0, CHARACTERS_MAX)
    .join("");
  const shown = cut.replace(UNSHOWN, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return cut.length < text.length ? `${shown}…` : shown;
}
