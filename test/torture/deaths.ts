/** How the agent dies, one life after the other. */
import { CRASH_POINTS } from "../../agent/buffer/store.ts";

/** The named moments at which it kills itself: those of its log, and before and after each call it makes. */
export const POINTS = [...CRASH_POINTS, "before-call", "after-call"] as const;
export type Point = (typeof POINTS)[number];

export type Death =
  /** From outside, `delayMs` after so many more events were answered for. */
  | { readonly kind: "random"; readonly afterEvents: number; readonly delayMs: number }
  /** By itself, the nth time it comes to the point. */
  | { readonly kind: "point"; readonly point: Point; readonly nth: number };

/** How often a life of a second or two comes to each point, under load. */
const TIMES: Readonly<Record<Point, number>> = {
  opened: 1,
  "before-commit": 60,
  "after-commit": 60,
  "before-give-back": 2,
  "before-close": 1,
  "before-call": 20,
  "after-call": 20,
};

/** The nth death, from 0: at a random moment and at a named point by turns, so that few kills meet them all. */
export function deathOf(n: number, random: () => number): Death {
  if (n % 2 === 0) {
    return { kind: "random", afterEvents: Math.floor(random() * 60), delayMs: Math.floor(random() * 100) };
  }
  const point = POINTS[((n - 1) / 2) % POINTS.length] ?? "opened";
  return { kind: "point", point, nth: 1 + Math.floor(random() * TIMES[point]) };
}

/** What a life that ends itself says before it does. */
export function lastWord(point: Point): string {
  return `dies at ${point}`;
}
