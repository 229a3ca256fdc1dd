/** Takes what waits in lanes into quarantine, for a person to correct, retry or discard. */
import type { Log } from "../buffer/log.ts";
import { type Scope, scopeText } from "../buffer/tables/scope.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Lane } from "./lane.ts";
import type { Lanes } from "./lanes.ts";

/** Which lanes that wait; what is absent is any. */
export interface WithdrawFilter {
  readonly stream?: string;
  readonly entityIds?: string;
  readonly orgIds?: string;
  readonly platformId?: string;
}

export interface WithdrawnLane {
  readonly stream: string;
  readonly scope: Scope;
  /** Events that are in quarantine now. */
  readonly count: number;
  /** Events that stay: a call with them is under way, or may have been accepted. */
  readonly left: number;
  /** The disk had no room for more. */
  readonly isFull: boolean;
}

export interface WithdrawalOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly lanes: Lanes;
  /** Ends the waits of calls that back off. */
  readonly wake: () => void;
}

/** How long calls of the lane that are under way are waited for. */
const PATIENCE_MS = 5_000;
const LOOK_EVERY_MS = 20;

export function createWithdrawal(options: WithdrawalOptions) {
  const { log, clock, lanes } = options;

  const withdraw = async (lane: Lane): Promise<WithdrawnLane> => {
    const { stream, scope, reason } = lane;
    const key = scopeText(scope);
    const inFlight = () => lanes.backlog(stream)?.inFlight.filter((range) => range.scope === key) ?? [];
    const patience = clock.tick() + PATIENCE_MS;
    while (inFlight().length > 0 && clock.tick() < patience) await clock.sleep(LOOK_EVERY_MS);
    const underway = inFlight();
    let count = 0;
    let left = underway.reduce((sum, range) => sum + range.unsettled, 0);
    for (let from: number | null = 1; from !== null; ) {
      const input = { stream, scope: key, from, inFlight: underway, reason, at: clock.now() };
      const outcome = await log.withdraw(input);
      if (outcome.kind === "full") return { stream, scope, count, left, isFull: true };
      count += outcome.count;
      left += outcome.doubtful;
      from = outcome.next;
    }
    return { stream, scope, count, left, isFull: false };
  };

  return async (filter: WithdrawFilter): Promise<readonly WithdrawnLane[]> => {
    const found = [...lanes.all()].filter((lane) => isOf(lane, filter));
    for (const lane of found) lane.isWithdrawn = true;
    options.wake();
    const withdrawn: WithdrawnLane[] = [];
    for (const lane of found) {
      try {
        withdrawn.push(await withdraw(lane));
      } finally {
        lane.isWithdrawn = false;
        const backlog = lanes.backlog(lane.stream);
        if (backlog !== null) lanes.release(backlog, lane.scope);
      }
    }
    return withdrawn;
  };
}

function isOf({ stream, scope }: Lane, filter: WithdrawFilter): boolean {
  return (
    (filter.stream === undefined || filter.stream === stream) &&
    (filter.entityIds === undefined || filter.entityIds === scope.entityIds) &&
    (filter.orgIds === undefined || filter.orgIds === scope.orgIds) &&
    (filter.platformId === undefined || filter.platformId === scope.platformId)
  );
}
