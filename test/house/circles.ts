/** Circles of imports: files that need one another, and folders that do. */
import type { Import } from "./source-imports.ts";

type Edge = Pick<Import, "file" | "target">;

/** Files of which each reaches each other by imports, and the imports that make it so. */
export interface Circle {
  /** What is in it, sorted: files, or siblings of one folder of which at least one is a folder (`worker/routes/`). */
  readonly members: readonly string[];
  /** `FILE imports FILE`, sorted: every import from one member to another. */
  readonly imports: readonly string[];
}

/** Imports of types count: what needs another file's types cannot be read, moved or checked without it. */
export function circlesOfFiles(imports: readonly Edge[]): Circle[] {
  return circlesAmong(imports.map(({ file, target }) => ({ file, target, from: file, to: target })));
}

/**
 * At each folder, among what lies directly in it: a file there stands for itself, a folder for all that is below it.
 * So `worker/routes/` and `worker/context.ts` may make a circle, and so may two folders of which no two files do; a
 * folder and the files in it do not.
 */
export function circlesOfFolders(imports: readonly Edge[]): Circle[] {
  const byParent = Map.groupBy(
    imports.filter(({ file, target }) => file !== target).map(siblingsOf),
    ({ parent }) => parent,
  );
  return [...byParent.values()]
    .flatMap(circlesAmong)
    .filter(({ members }) => members.some((member) => member.endsWith("/")));
}

/** The two things that an import connects in the deepest folder that has both. */
function siblingsOf({ file, target }: Edge) {
  const [own, other] = [file.split("/"), target.split("/")];
  const shared = own.findIndex((name, depth) => name !== other[depth]);
  const parent = own.slice(0, shared).join("/");
  const child = (path: readonly string[]) =>
    path.slice(0, shared + 1).join("/") + (path.length > shared + 1 ? "/" : "");
  return { file, target, parent, from: child(own), to: child(other) };
}

interface Arrow extends Edge {
  readonly from: string;
  readonly to: string;
}

function circlesAmong(arrows: readonly Arrow[]): Circle[] {
  const targets = new Map<string, Set<string>>();
  for (const { from, to } of arrows) targets.set(from, (targets.get(from) ?? new Set()).add(to));
  return componentsOf(targets).map((members) => {
    const inside = arrows.filter(({ from, to }) => members.includes(from) && members.includes(to));
    const imports = inside.map(({ file, target }) => `${file} imports ${target}`);
    return { members: members.toSorted(), imports: [...new Set(imports)].sort() };
  });
}

/** Strongly connected components that are a circle, by Tarjan's algorithm: of two or more, or of one that imports itself. */
function componentsOf(targets: ReadonlyMap<string, ReadonlySet<string>>): string[][] {
  const found: string[][] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const open: string[] = [];
  const visit = (node: string): number => {
    const own = order.size;
    order.set(node, own);
    lowest.set(node, own);
    open.push(node);
    for (const next of targets.get(node) ?? []) {
      const reached = order.has(next) ? (open.includes(next) ? (order.get(next) ?? own) : own) : visit(next);
      lowest.set(node, Math.min(lowest.get(node) ?? own, reached));
    }
    const low = lowest.get(node) ?? own;
    if (low === own) {
      const members = open.splice(open.indexOf(node));
      if (members.length > 1 || targets.get(node)?.has(node)) found.push(members);
    }
    return low;
  };
  for (const node of targets.keys()) if (!order.has(node)) visit(node);
  return found;
}
