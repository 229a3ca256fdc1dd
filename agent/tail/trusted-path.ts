/**
 * Which links on the way to a followed file are followed. Whoever makes a link chooses what is read and sent, with the
 * agent's rights: so a link counts if it was made by root, by the agent's own user, or by the user whose file it leads to
 * (who could as well have copied it). What a container runtime or an administrator links is followed; what another user
 * points at somebody's file is not.
 */
import type { BigIntStats } from "node:fs";
import { lstat, readlink } from "node:fs/promises";
import { dirname, isAbsolute, join, parse, resolve, sep } from "node:path";

export type TrustedPath =
  /** The file itself, free of links as it was found, and what lies there. */
  | { readonly kind: "found"; readonly path: string; readonly found: BigIntStats }
  | { readonly kind: "refused"; readonly reason: string };

interface Link {
  readonly path: string;
  readonly owner: bigint;
}

/** As many as Linux follows on one path. */
const LINKS_MAX = 40;
const ROOT = 0n;

/**
 * Walks a path part by part.
 * @param self the user the agent runs as; undefined on a system without users, where every link is followed.
 * @throws the file system's error, ENOENT included.
 */
export async function trustedPath(path: string, self = process.getuid?.()): Promise<TrustedPath> {
  const links: Link[] = [];
  const { root } = parse(resolve(path));
  const left = partsOf(resolve(path));
  let at = root;
  let found = await lstat(root, { bigint: true });
  for (let part = left.shift(); part !== undefined; part = left.shift()) {
    const next = join(at, part);
    found = await lstat(next, { bigint: true });
    if (!found.isSymbolicLink()) {
      at = next;
      continue;
    }
    links.push({ path: next, owner: found.uid });
    if (links.length > LINKS_MAX) return { kind: "refused", reason: `${path} leads through too many symbolic links` };
    const target = await readlink(next);
    at = isAbsolute(target) ? parse(target).root : dirname(next);
    left.unshift(...partsOf(target));
  }
  // A link to a directory at the very end is the directory.
  if (found.isSymbolicLink()) found = await lstat(at, { bigint: true });
  const strangers =
    self === undefined ? [] : links.filter(({ owner }) => ![ROOT, BigInt(self), found.uid].includes(owner));
  const [stranger] = strangers;
  return stranger === undefined
    ? { kind: "found", path: at, found }
    : { kind: "refused", reason: whyNot(stranger, found) };
}

function partsOf(path: string): string[] {
  return path.split(sep).filter((part) => part !== "" && part !== ".");
}

function whyNot({ path, owner }: Link, { uid }: BigIntStats): string {
  return (
    `${path} is a symbolic link that user ${owner} made to a file of user ${uid}; it is not followed, since it could lead to ` +
    "any file this user may read: name the file itself, or let root or the file's own user make the link"
  );
}
