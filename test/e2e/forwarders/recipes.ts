/** The recipes of docs/forwarders.md as they stand there, with the addresses of one run. */
import { blocksOf, readDocument } from "../../support/markdown.ts";

const DOCUMENT = "docs/forwarders.md";

/**
 * The block whose opening fence says `recipe=NAME`.
 * @param words what stands in the document → what it is in this run; each must stand there.
 */
export function recipe(name: string, words: Readonly<Record<string, string>>): string {
  const block = blocksOf(readDocument(DOCUMENT)).find(({ info }) => info.split(" ").includes(`recipe=${name}`));
  if (block === undefined) throw new Error(`${DOCUMENT} has no recipe=${name}`);
  return Object.entries(words).reduce((text, [word, value]) => {
    if (!text.includes(word)) throw new Error(`${DOCUMENT}: the recipe ${name} does not name ${word}`);
    return text.replaceAll(word, value);
  }, block.text);
}
