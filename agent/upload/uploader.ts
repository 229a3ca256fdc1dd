/**
 * Takes events from the log to the destination: several shipments at a time, over all streams in turn.
 *
 * At least once by itself, exactly once with the edge: a shipment is settled in the log only after the edge
 * accounted for it, and a repeat after a crash carries the same positions, which the edge takes once. With a
 * vendor: a repeat is the very same call under the same key, fixed on disk before its first attempt.
 */

import type { Logger } from "pino";
import type { Random } from "../../shared/clock.ts";
import type { Log } from "../buffer/log.ts";
import type { Clock } from "../runtime/clock.ts";
import { createWakeup } from "../runtime/wakeup.ts";
import { createBatchSizer, type Size } from "./batch-size.ts";
import type { Dialect } from "./dialect.ts";
import { createGate } from "./gate.ts";
import { createHealth, type DestinationStatus, type UploadCounts } from "./health.ts";
import { type Backlog, isAllHeld, type Lane } from "./lane.ts";
import { createLaneLog } from "./lane-log.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import { createOutageLog } from "./outage.ts";
import { packByPosition } from "./packing.ts";
import { packByKey } from "./packing-by-key.ts";
import { createReadiness, pump, type Readiness } from "./pump.ts";
import { createSender } from "./sender.ts";
import { backoffFor, createSending } from "./sending.ts";
import type { UploadSettings } from "./settings.ts";
import type { ShipmentContext, ShipmentEnd } from "./settling.ts";
import { undelivered } from "./undelivered.ts";
import { createWindow } from "./window.ts";
import { createWithdrawal, type WithdrawFilter, type WithdrawnLane } from "./withdrawal.ts";

export interface Uploader {
  /** Takes uploads that are paused or back off up again at once, to see whether they are accepted now. */
  probe(): void;
  status(): DestinationStatus;
  /** Lanes that wait by themselves, others going on. */
  lanes(): readonly LaneStatus[];
  /** Takes what waits in lanes into quarantine. */
  withdraw(filter: WithdrawFilter): Promise<readonly WithdrawnLane[]>;
  numbers(): UploadNumbers;
  /** Abandons what is on its way; the log still has it. */
  stop(): Promise<void>;
}

/** Why a lane waits, and until when. */
export interface LaneStatus extends Pick<Lane, "stream" | "scope" | "reason"> {
  readonly sinceMs: number;
  /** Null while its calls back off each by itself. */
  readonly nextMs: number | null;
}

/** What an uploader tells beyond its state. */
export interface UploadNumbers extends UploadCounts {
  /** Calls that may be under way at once now. */
  readonly window: number;
  /** What the next shipment is packed to. */
  readonly size: Size;
}

export interface UploaderOptions {
  readonly log: Log;
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: () => UploadSettings;
  readonly dialect: () => Dialect;
  /** A fresh random key for a call to a vendor. */
  readonly createKey: () => string;
  readonly logger: Logger;
  /** A lane the destination refuses: the schemas it takes may have changed. */
  readonly onLaneRefused: () => void;
  /** The log cannot be used any more; nothing is uploaded from here on. */
  readonly onFatal: (error: unknown) => void;
}

export function startUploader(options: UploaderOptions): Uploader {
  const { log, clock, settings } = options;
  const stopping = new AbortController();
  const readiness = createReadiness(clock);
  const lanes = openLanes(options, readiness);
  const context = openContext(options, lanes, stopping.signal);
  const { gate, health, window, sizer, reachable, retryNow } = context;
  const packing = options.dialect().fixesShipments ? packByKey(log, options.createKey) : packByPosition(log);
  const onEnd = ({ stream }: Backlog, end: ShipmentEnd): void => {
    if (end.kind === "held") options.onLaneRefused();
    if (end.kind === "settled") health.settled();
    // What came in while its positions were still counted as on their way was not seen as waiting.
    lanes.notice(stream);
    readiness.wake();
  };
  const { createKey, onFatal } = options;
  const sending = createSending({ lanes, packing, createKey, context, onEnd, onFatal });
  const sendNext = createSender(options, { lanes, packing, sending, context });
  log.onChange((stream, isReopened) => {
    if (isReopened) lanes.readAnew(stream);
    lanes.notice(stream);
  });
  const pumping = pump({ log, clock, settings, readiness, lanes, packing, sending, sendNext }, stopping.signal).catch(
    onFatal,
  );
  const tryNow = (): void => {
    gate.probe();
    reachable.wake();
    retryNow.wake();
    readiness.wake();
  };

  return {
    probe() {
      lanes.probe();
      for (const { stream } of log.streams()) lanes.notice(stream);
      tryNow();
    },
    status: () => statusOf(health.status(gate.state()), options, lanes),
    lanes: () => [...lanes.all()].map((lane) => laneStatus(lane, clock)),
    withdraw: createWithdrawal({ log, clock, lanes, wake: tryNow }),
    numbers: () => ({ ...health.counts(), window: window.size, size: sizer.settled }),
    async stop() {
      stopping.abort();
      await pumping;
      await sending.ended();
    },
  };
}

function openLanes(options: UploaderOptions, { wake }: Readiness): Lanes {
  const { log, clock, settings, logger } = options;
  return createLanes({
    ...{ log, clock, settings, laneLog: createLaneLog(logger, clock), onReady: wake },
    isDelivered: (stream) => options.dialect().deliveryMode(stream).kind !== "none",
    backoffMs: (failures) => backoffFor(options, failures),
  });
}

/** What all shipments share: the way to the destination, and what is known of it. */
function openContext(options: UploaderOptions, lanes: Lanes, signal: AbortSignal): Omit<ShipmentContext, "backOff"> {
  const { clock, settings, logger } = options;
  const reachable = createWakeup(clock);
  /** Whether some lane is in trouble that passes by itself: then one call that goes through ends no outage. */
  const isTroubled = () => [...lanes.all()].some(({ backingOff, failures }) => backingOff > 0 || failures > 0);
  return {
    ...options,
    gate: createGate(clock),
    window: createWindow(clock, () => settings().concurrency),
    health: createHealth(clock, createOutageLog(logger, clock), isTroubled, () => reachable.wake()),
    sizer: createBatchSizer(() => ({ bytes: settings().batchBytes, events: settings().batchEvents })),
    ...{ reachable, retryNow: createWakeup(clock), signal },
  };
}

/** The destination's state; where all that waits is refused or undeliverable there, that is what it is told as. */
function statusOf(
  status: DestinationStatus,
  { log, clock, dialect }: UploaderOptions,
  lanes: Lanes,
): DestinationStatus {
  const { why, isAll } = undelivered(dialect(), log);
  if (status.state !== "ok") return status;
  if (why !== null) return { state: isAll ? "paused" : "ok", last_error: why, next_attempt_s: null };
  const pending = [...log.streams()].filter((ledger) => ledger.pending > 0);
  const isHeld = pending.every((ledger) => {
    const backlog = lanes.backlog(ledger.stream);
    return backlog !== null && isAllHeld(ledger, backlog);
  });
  const held = [...lanes.all()].filter(({ heldUntil }) => heldUntil !== null);
  const [first] = held.sort((a, b) => (a.heldUntil ?? 0) - (b.heldUntil ?? 0));
  if (pending.length === 0 || !isHeld || first === undefined) return status;
  const { reason, stream } = first;
  return {
    state: "paused",
    last_error: `answered ${reason.status} for ${stream}`,
    next_attempt_s: Math.ceil(Math.max(0, (first.heldUntil ?? 0) - clock.tick()) / 100) / 10,
  };
}

function laneStatus({ stream, scope, reason, since, heldUntil }: Lane, clock: Clock): LaneStatus {
  const nextMs = heldUntil === null ? null : Math.max(0, heldUntil - clock.tick());
  return { stream, scope, reason, sinceMs: clock.tick() - since, nextMs };
}
