/** A .cpuprofile as V8 writes it, and what it says: where the time went. */

import { median } from "../measure.ts";

export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Microseconds. */
  readonly startTime: number;
  readonly endTime: number;
  /** The node that ran at each sample. */
  readonly samples?: readonly number[];
  /** Microseconds between each sample and the one before. */
  readonly timeDeltas?: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  readonly children?: readonly number[];
}

/** The source file of a line of a bundle, counted from 1; null where that is not known. */
export type SourceOf = (line: number) => string | null;

/** By the comment that esbuild puts before each module of a bundle. */
export function bundleSources(bundle: string): SourceOf {
  let current: string | null = null;
  const files = bundle.split("\n").map((line) => {
    current = /^\/\/ (\S+\.[cm]?[jt]s)$/.exec(line)?.[1] ?? current;
    return current;
  });
  return (line) => files[line - 1] ?? null;
}

/** The file of the Worker's one module, as workerd calls it. */
const BUNDLE = "script-0.mjs";

export interface SelfTime {
  /** `function file:line`. */
  readonly where: string;
  readonly micros: number;
}

/** What V8 calls the time in which nothing ran. */
const IDLE = "(idle)";

/**
 * What a sample stands for, in µs: the usual distance between two. Its own would count for it all the time in which the
 * thread was not given a processor, or could not be looked into.
 */
function sampleMicros({ timeDeltas = [] }: CpuProfile): number {
  return median(timeDeltas);
}

/** The time in each function itself, without what it calls, idle time left out; most first. */
export function selfTimes(profile: CpuProfile, sourceOf: SourceOf): SelfTime[] {
  const { nodes, samples = [] } = profile;
  const each = sampleMicros(profile);
  const names = new Map(nodes.map((node) => [node.id, nameOf(node, sourceOf)]));
  const times = new Map<string, number>();
  for (const id of samples) {
    const where = names.get(id) ?? "?";
    if (where !== IDLE) times.set(where, (times.get(where) ?? 0) + each);
  }
  return sorted(times);
}

/** Microseconds in which anything ran. */
export function busyMicros(profile: CpuProfile): number {
  return selfTimes(profile, () => null).reduce((sum, { micros }) => sum + micros, 0);
}

/** The time in each function and all that it calls, each counted once however deep it recurs; most first. */
export function totalTimes(profile: CpuProfile, sourceOf: SourceOf): SelfTime[] {
  const { nodes, samples = [] } = profile;
  const each = sampleMicros(profile);
  const names = new Map(nodes.map((node) => [node.id, nameOf(node, sourceOf)]));
  const parents = new Map(nodes.flatMap((node) => (node.children ?? []).map((child) => [child, node.id] as const)));
  const times = new Map<string, number>();
  for (const id of samples) {
    const stack = new Set<string>();
    for (let at: number | undefined = id; at !== undefined; at = parents.get(at)) stack.add(names.get(at) ?? "?");
    if (stack.has(IDLE)) continue;
    for (const where of stack) times.set(where, (times.get(where) ?? 0) + each);
  }
  return sorted(times).filter(({ where }) => where !== "(root)");
}

function sorted(times: ReadonlyMap<string, number>): SelfTime[] {
  return [...times].map(([where, micros]) => ({ where, micros })).sort((a, b) => b.micros - a.micros);
}

function nameOf({ callFrame: { functionName, url, lineNumber } }: ProfileNode, sourceOf: SourceOf): string {
  const name = functionName === "" ? "(anonymous)" : functionName;
  const source = url.endsWith(BUNDLE) ? sourceOf(lineNumber + 1) : null;
  if (source !== null) return `${name} ${source} (bundle:${lineNumber + 1})`;
  const file = url.replace(/^file:\/\//, "").replace(/^.*\/(?=(?:agent|shared|worker|node_modules)\/)/, "");
  return file === "" ? name : `${name} ${file}:${lineNumber + 1}`;
}

const LISTED = 40;

/** @param events how many were taken meanwhile, 0 where unknown. */
export function summaryLines(title: string, profile: CpuProfile, events: number, sourceOf: SourceOf): string[] {
  const self = selfTimes(profile, sourceOf);
  const busy = busyMicros(profile);
  const wall = profile.endTime - profile.startTime;
  const line = ({ where, micros }: SelfTime) => {
    const each = events === 0 ? "" : `${(micros / events).toFixed(3).padStart(9)} `;
    return `${((100 * micros) / busy).toFixed(1).padStart(6)} % ${each} ${where}`;
  };
  const unit = events === 0 ? "" : `; the second column is µs an event of ${events.toLocaleString("en-US")}`;
  return [
    `${title}: busy ${(busy / 1000).toFixed(0)} ms of ${(wall / 1000).toFixed(0)} ms${unit}`,
    "",
    "itself:",
    ...self.slice(0, LISTED).map(line),
    "",
    "with all it calls:",
    ...totalTimes(profile, sourceOf).slice(0, LISTED).map(line),
    "",
  ];
}
