/** One line in the log when a lane begins to wait, one each minute while it does, one when it goes on. */
import type { Logger } from "pino";
import { printable } from "../../shared/printable.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Lane } from "./lane.ts";

export interface LaneLog {
  /** Told of at once: only a person can mend it. */
  began(lane: Lane, probeMs: number): void;
  /** @returns when the lane is to be told of again, on the clock's tick. */
  remind(lane: Lane): number;
  ended(lane: Lane): void;
  readonly everyMs: number;
}

const REMIND_MS = 60_000;

export function createLaneLog(logger: Logger, clock: Clock): LaneLog {
  const reported = new WeakSet<Lane>();
  const fieldsOf = ({ stream, scope, reason, since }: Lane) => ({
    stream,
    ...idsOf(scope),
    status: reason.status,
    reason: printable(reason.message),
    for_s: Math.round((clock.tick() - since) / 1000),
  });
  return {
    began(lane, probeMs) {
      if (reported.has(lane)) return;
      reported.add(lane);
      lane.remindAt = clock.tick() + REMIND_MS;
      logger.error({ ...fieldsOf(lane), probeMs }, "a lane waits: it is refused, others go on; its events are kept");
    },
    remind(lane) {
      if (lane.remindAt === null) return Number.POSITIVE_INFINITY;
      if (lane.remindAt <= clock.tick()) {
        reported.add(lane);
        lane.remindAt = clock.tick() + REMIND_MS;
        logger.error(fieldsOf(lane), "a lane still waits; its events are kept");
      }
      return lane.remindAt;
    },
    ended(lane) {
      if (reported.has(lane)) logger.info(fieldsOf(lane), "a lane goes on");
    },
    everyMs: REMIND_MS,
  };
}

/** The ids of a lane as they are told: those it has. */
export function idsOf({ entityIds, orgIds, platformId }: Lane["scope"]): Record<string, string> {
  return {
    ...(entityIds === null ? {} : { entity_ids: entityIds }),
    ...(orgIds === null ? {} : { org_ids: orgIds }),
    ...(platformId === null ? {} : { platform_id: platformId }),
  };
}
