/** Whether a credential is the one set, or any at all where none is. */
export function isAccepted(given: string | null | undefined, set: string | null): boolean {
  return set === null ? (given ?? "") !== "" : given === set;
}
