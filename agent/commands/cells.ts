/** How much room a text takes on a terminal. */

/** East Asian wide and full-width characters, beside those that are shown as pictures. */
const WIDE =
  /[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
/** What stands on or joins the character before; one that makes it a picture makes it wide. */
const WITHOUT_WIDTH = /[\p{Mn}\p{Me}\p{Cf}]/u;
const MAKES_WIDE = "\ufe0f";

/** Cells of a text without colours, at most: of pictures that are joined to one, each is counted. */
export function cellsOf(text: string): number {
  let cells = 0;
  for (const character of text) cells += cellsOfOne(character);
  return cells;
}

/** As much of a text as takes no more cells, an ellipsis at its end where something is left out. */
export function cutToCells(text: string, cellsMax: number): string {
  if (cellsOf(text) <= cellsMax) return text;
  let cells = 0;
  let kept = "";
  for (const character of text) {
    cells += cellsOfOne(character);
    if (cells > cellsMax - 1) break;
    kept += character;
  }
  return cellsMax < 1 ? "" : `${kept}…`;
}

/** A text and blanks up to so many cells. */
export function padToCells(text: string, cells: number): string {
  return text + " ".repeat(Math.max(0, cells - cellsOf(text)));
}

function cellsOfOne(character: string): number {
  if (character === MAKES_WIDE) return 1;
  if (WITHOUT_WIDTH.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
