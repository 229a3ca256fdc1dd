/** Names that may stand once: ids and references of one kind of thing. */
import type { Complain, Path } from "./sound-part.ts";

type Name = string | null | undefined;

export class Names {
  readonly #seen = new Set<string>();
  readonly #complain: Complain;

  constructor(complain: Complain) {
    this.#complain = complain;
  }

  take(name: Name, path: Path): void {
    if (name === null || name === undefined) return;
    if (this.#seen.has(name)) this.#complain(path, "stands twice");
    this.#seen.add(name);
  }
}

interface Named {
  readonly id?: Name;
  readonly reference?: Name;
}

/** Ids and references of a list's members are each unique. @param path of the list. */
export function checkNames(members: readonly (Named | undefined)[] | undefined, path: Path, complain: Complain): void {
  const ids = new Names(complain);
  const references = new Names(complain);
  (members ?? []).forEach((member, i) => {
    ids.take(member?.id, [...path, i, "id"]);
    references.take(member?.reference, [...path, i, "reference"]);
  });
}
