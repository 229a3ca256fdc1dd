/** Random JSON for property tests: trees, and the many ways to write the same tree down. */
import { seeded } from "../support/seeded.ts";

/** A JSON value that keeps a number's digits and an object's member order. */
export type Tree =
  | { readonly kind: "word"; readonly word: "true" | "false" | "null" }
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "string"; readonly text: string }
  | { readonly kind: "array"; readonly items: readonly Tree[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [string, Tree])[] };

export interface Random {
  /** A whole number from 0 to below `bound`. */
  below(bound: number): number;
  chance(probability: number): boolean;
  pick<T>(choices: readonly [T, ...T[]]): T;
}

/** The same seed gives the same numbers for ever (mulberry32). */
export function createRandom(seed: number): Random {
  const next = seeded(seed);
  const below = (bound: number) => Math.floor(next() * bound);
  return {
    below,
    chance: (probability) => next() < probability,
    pick: (choices) => choices[below(choices.length)] ?? choices[0],
  };
}

const CHARACTERS = [
  "a",
  "b",
  "é",
  "€",
  "😀",
  "\ufb33",
  "\u2028",
  "\u007f",
  "\u0080",
  "/",
  '"',
  "\\",
  "\n",
  "\u0000",
] as const;
const SPECIAL_KEYS = ["a", "a", "b", "", "constructor", "toString", "10", "9", "A"] as const;

export function randomText(random: Random, lengthMax = 6): string {
  let text = "";
  for (let length = random.below(lengthMax + 1); length > 0; length--) text += random.pick(CHARACTERS);
  return text;
}

export function randomNumber(random: Random): string {
  const digits = (count: number) => Array.from({ length: count }, () => random.below(10)).join("");
  const whole = random.chance(0.3)
    ? "0"
    : `${1 + random.below(9)}${digits(random.below(random.chance(0.05) ? 30 : 4))}`;
  const fraction = random.chance(0.4) ? `.${digits(1 + random.below(6))}` : "";
  const exponent = random.chance(0.2)
    ? `${random.pick(["e", "E"])}${random.pick(["", "+", "-"])}${random.below(40)}`
    : "";
  return `${random.chance(0.3) ? "-" : ""}${whole}${fraction}${exponent}`;
}

/** A tree at most `depth` levels deep; an object's keys differ. */
export function randomTree(random: Random, depth: number): Tree {
  const nest = depth > 1 ? 6 : 4;
  switch (random.below(nest)) {
    case 0:
      return { kind: "word", word: random.pick(["true", "false", "null"]) };
    case 1:
      return { kind: "number", text: randomNumber(random) };
    case 2:
    case 3:
      return { kind: "string", text: randomText(random) };
    case 4:
      return { kind: "array", items: Array.from({ length: random.below(4) }, () => randomTree(random, depth - 1)) };
    default:
      return randomObject(random, depth);
  }
}

export function randomObject(random: Random, depth: number): Tree & { kind: "object" } {
  const members = new Map<string, Tree>();
  for (let count = random.below(5); count > 0; count--) {
    const key = random.chance(0.5) ? random.pick(SPECIAL_KEYS) : randomText(random);
    members.set(key, randomTree(random, depth - 1));
  }
  return { kind: "object", members: [...members] };
}

export interface Spelling {
  readonly random: Random;
  /** What may stand between tokens. */
  readonly spaces: readonly [string, ...string[]];
}

/** One of the many texts of a tree: odd white space, and any character escaped or not. */
export function spell(tree: Tree, spelling: Spelling): string {
  const { random, spaces } = spelling;
  const gap = () => (random.chance(0.3) ? random.pick(spaces) : "");
  const list = (parts: string[]) => parts.map((part) => `${gap()}${part}${gap()}`).join(",") || gap();
  switch (tree.kind) {
    case "word":
      return tree.word;
    case "number":
      return tree.text;
    case "string":
      return spellString(tree.text, random);
    case "array":
      return `[${list(tree.items.map((item) => spell(item, spelling)))}]`;
    case "object":
      return `{${list(
        tree.members.map(([key, member]) => `${spellString(key, random)}${gap()}:${gap()}${spell(member, spelling)}`),
      )}}`;
  }
}

/** A string as JSON text, its characters written plainly or as any escape that stands for them. */
export function spellString(text: string, random: Random): string {
  let spelled = "";
  for (const character of text) {
    const plain = character >= " " && character !== '"' && character !== "\\";
    spelled += plain && random.chance(0.8) ? character : escaped(character, random);
  }
  return `"${spelled}"`;
}

const SHORT_ESCAPES: Readonly<Record<string, string>> = { '"': '\\"', "\\": "\\\\", "/": "\\/", "\n": "\\n" };

function escaped(character: string, random: Random): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined && random.chance(0.5)) return short;
  let units = "";
  for (let at = 0; at < character.length; at++) {
    const hex = character.charCodeAt(at).toString(16).padStart(4, "0");
    units += `\\u${random.chance(0.5) ? hex.toUpperCase() : hex}`;
  }
  return units;
}
