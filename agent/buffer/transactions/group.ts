/** A group's writes in one transaction, and what gives way where the disk is full. */
import { isDiskFull } from "../disk/database.ts";
import { APPENDING, type FullDisk, OPERATIONS, type Operation, type Outcome } from "./operations.ts";

/** What became of each write; one that is not in it found no room on the disk. */
export type Written = ReadonlyMap<Operation, Outcome>;

export const FULL_DISK: FullDisk = { kind: "full", bound: "disk" };

export function isWrite(operation: Operation): boolean {
  return OPERATIONS[operation.kind].writes;
}

/**
 * All in one transaction; when the disk is full, what is no append once more without the appends, since marking
 * events delivered is what makes room; and where even that finds none, with the reserve given up.
 * @param transact does all of them or, throwing, none.
 */
export function writeGroup(
  writes: readonly Operation[],
  transact: (operations: readonly Operation[]) => Written,
  spendReserve: () => boolean,
): Written {
  const others = writes.filter((operation) => !APPENDING.has(operation.kind));
  let operations = writes;
  while (operations.length > 0) {
    try {
      return transact(operations);
    } catch (error) {
      if (!isDiskFull(error)) throw error;
      if (operations.length === others.length && !spendReserve()) break;
      operations = others;
    }
  }
  return new Map();
}
