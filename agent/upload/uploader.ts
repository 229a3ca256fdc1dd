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
import { type Backlog, isAllHeld, type Lane, waiting } from "./lane.ts";
import { createLaneLog } from "./lane-log.ts";
import { createLanes, type Lanes } from "./lanes.ts";
import { createOutageLog } from "./outage.ts";
import { type Packing, packByPosition } from "./packing.ts";
import { packByKey } from "./packing-by-key.ts";
import { backoffFor, createSending, type Sending } from "./sending.ts";
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

/** Longest wait of an idle uploader; anything that happens wakes it before. */
const IDLE_MS = 60_000;

const DAMAGED = { status: 0, code: "DAMAGED", message: "changed on disk: the checksum is not the one written" };

export function startUploader(options: UploaderOptions): Uploader {
  const { log, clock, settings, logger } = options;
  const stopping = new AbortController();
  const wakeup = createWakeup(clock);
  const retryNow = createWakeup(clock);
  const reachable = createWakeup(clock);
  let isReady = true;
  const wake = (): void => {
    isReady = true;
    wakeup.wake();
  };
  const lanes = createLanes({
    ...{ log, clock, settings, laneLog: createLaneLog(logger, clock), onReady: wake },
    isDelivered: (stream) => options.dialect().deliveryMode(stream).kind !== "none",
    backoffMs: (failures) => backoffFor(options, failures),
  });
  /** Whether some lane is in trouble that passes by itself: then one call that goes through ends no outage. */
  const isTroubled = () => [...lanes.all()].some(({ backingOff, failures }) => backingOff > 0 || failures > 0);
  const context: Omit<ShipmentContext, "backOff"> = {
    ...options,
    gate: createGate(clock),
    window: createWindow(clock, () => settings().concurrency),
    health: createHealth(clock, createOutageLog(logger, clock), isTroubled, () => reachable.wake()),
    sizer: createBatchSizer(() => ({ bytes: settings().batchBytes, events: settings().batchEvents })),
    ...{ reachable, retryNow, signal: stopping.signal },
  };
  const { gate, health, window, sizer } = context;
  const packing = options.dialect().fixesShipments ? packByKey(log, options.createKey) : packByPosition(log);
  const onEnd = ({ stream }: Backlog, end: ShipmentEnd): void => {
    if (end.kind === "held") options.onLaneRefused();
    if (end.kind === "settled") health.settled();
    // What came in while its positions were still counted as on their way was not seen as waiting.
    lanes.notice(stream);
    wake();
  };
  const { createKey, onFatal } = options;
  const sending = createSending({ lanes, packing, createKey, context, onEnd, onFatal });
  const sendNext = createSender(options, { lanes, packing, sending, context });

  const pump = async (): Promise<void> => {
    await packing.recover();
    for (const { stream } of log.streams()) lanes.notice(stream);
    while (!stopping.signal.aborted) {
      isReady = false;
      const remindAt = lanes.remind();
      const picked = sending.calling < settings().concurrency ? lanes.pick() : null;
      if (picked?.kind === "send") await sendNext(picked);
      else {
        const untilTick = Math.min(remindAt, picked?.untilTick ?? Number.POSITIVE_INFINITY);
        const waitMs = Math.min(IDLE_MS, Math.max(0, untilTick - clock.tick()));
        if (!isReady) await wakeup.wait(Math.ceil(waitMs), stopping.signal);
      }
    }
  };

  log.onChange((stream, isReopened) => {
    if (isReopened) lanes.readAnew(stream);
    lanes.notice(stream);
  });
  const pumping = pump().catch(onFatal);
  const tryNow = (): void => {
    gate.probe();
    reachable.wake();
    retryNow.wake();
    wake();
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

interface SenderParts {
  readonly lanes: Lanes;
  readonly packing: Packing;
  readonly sending: Sending;
  readonly context: Omit<ShipmentContext, "backOff">;
}

/** Packs and sends one shipment of what was picked. */
function createSender(
  { log, clock, logger, dialect }: UploaderOptions,
  { lanes, packing, sending, context }: SenderParts,
) {
  /** What the disk gave back changed is nobody's usage: it is kept for a person to look at. */
  const holdDamaged = async (stream: string, first: number, count: number): Promise<void> => {
    logger.error({ stream, first, count }, "events were changed on disk: quarantined");
    const quarantine = Array.from({ length: count }, (_, i) => ({ position: first + i, reason: DAMAGED }));
    await log.settle({ stream, first, count, at: clock.now(), quarantine });
  };
  return async ({ backlog, probe }: { backlog: Backlog; probe: Lane | null }): Promise<void> => {
    const { stream } = backlog;
    const mode = dialect().deliveryMode(stream);
    const learned = context.sizer.next();
    const eventsMax = mode.kind === "none" ? 0 : mode.eventsMax;
    const size = { ...learned, events: Math.min(learned.events, eventsMax) };
    const packed = mode.kind === "none" ? null : await packing.next(backlog, probe, size);
    if (packed?.kind === "packed") sending.launch(backlog, probe, packed.piece, dialect());
    else if (packed?.kind === "damaged") await holdDamaged(stream, packed.first, packed.count);
    // Nothing of it waits any more.
    else if (probe !== null) lanes.release(backlog, probe.scope);
    else backlog.dueAt = null;
    const ledger = log.stream(stream);
    if (ledger === null || waiting(ledger, backlog) <= 0) backlog.dueAt = null;
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
