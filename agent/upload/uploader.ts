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
import { freeBytes } from "../buffer/tables/event-run.ts";
import type { Clock } from "../runtime/clock.ts";
import { createWakeup } from "../runtime/wakeup.ts";
import { createBatchSizer, type Size } from "./batch-size.ts";
import type { Dialect } from "./dialect.ts";
import { type FixedContext, shipAsOne, shipSingly } from "./fixed-shipment.ts";
import { createFixedShipments } from "./fixed-shipments.ts";
import { createGate } from "./gate.ts";
import { createHealth, type DestinationStatus, type UploadCounts } from "./health.ts";
import { freeStretches, type ShipmentRange } from "./in-flight.ts";
import { isFull, type Lane, pausedUntil, pick, waiting } from "./lanes.ts";
import { createOutageLog } from "./outage.ts";
import type { UploadSettings } from "./settings.ts";
import { type ShipmentEnd, ship } from "./shipment.ts";
import { untaken } from "./untaken.ts";
import { createWindow } from "./window.ts";

export interface Uploader {
  /** Takes uploads that are paused or back off up again at once, to see whether they are wanted now. */
  probe(): void;
  status(): DestinationStatus;
  numbers(): UploadNumbers;
  /** Abandons what is on its way; the log still has it. */
  stop(): Promise<void>;
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
  /** A stream the destination does not know: its schemas may have changed. */
  readonly onStreamUnknown: () => void;
  /** The log cannot be used any more; nothing is uploaded from here on. */
  readonly onFault: (error: unknown) => void;
}

/** Longest wait of an idle uploader; anything that happens wakes it before. */
const IDLE_MS = 60_000;

const DAMAGED = { status: 0, code: "DAMAGED", message: "changed on disk: the checksum is not the one written" };

export function startUploader(options: UploaderOptions): Uploader {
  const { log, clock, settings, logger } = options;
  const stopping = new AbortController();
  const gate = createGate(clock);
  const reachable = createWakeup(clock);
  const hurried = createWakeup(clock);
  const wake = createWakeup(clock);
  const health = createHealth(clock, createOutageLog(logger, clock), () => reachable.wake());
  const sizer = createBatchSizer(() => ({ bytes: settings().batchBytes, events: settings().batchEvents }));
  const window = createWindow(clock, () => settings().concurrency);
  const context: FixedContext = {
    ...options,
    gate,
    window,
    health,
    reachable,
    hurried,
    sizer,
    signal: stopping.signal,
  };
  const fixed = createFixedShipments(options);
  const lanes = new Map<string, Lane>();
  const shipments = new Set<Promise<void>>();
  let underway = 0;
  let dirty = true;

  const stir = (): void => {
    dirty = true;
    wake.wake();
  };
  const notice = (stream: string): void => {
    const ledger = log.stream(stream);
    if (ledger === null || ledger.pending === 0) return;
    if (options.dialect().deliveryMode(stream).kind === "none") return;
    const lane = lanes.get(stream) ?? { stream, inFlight: [], dueAt: null, pausedUntil: null };
    lanes.set(stream, lane);
    if (lane.dueAt !== null && !isFull(ledger, lane, settings())) return;
    if (waiting(ledger, lane) <= 0) return;
    lane.dueAt ??= clock.tick() + settings().lingerMs;
    stir();
  };

  const finish = (lane: Lane, range: ShipmentRange, end: ShipmentEnd): void => {
    underway--;
    lane.inFlight.splice(lane.inFlight.indexOf(range), 1);
    if (end.kind === "stream-paused") {
      const probeMs = settings().backoffMaxMs;
      if (lane.pausedUntil === null) {
        logger.error(
          { stream: lane.stream, probeMs, reason: end.message },
          "stream paused: the destination does not know it",
        );
      }
      lane.pausedUntil = clock.tick() + probeMs;
      lane.dueAt = clock.tick();
      options.onStreamUnknown();
    } else if (end.kind === "settled" && lane.pausedUntil !== null) {
      logger.info({ stream: lane.stream }, "stream taken again");
      lane.pausedUntil = null;
    }
    // What came in while its positions were still counted as on their way was not seen as waiting.
    notice(lane.stream);
    stir();
  };

  /** Sends a shipment of `count` events from `first` on, beside whatever else is under way. */
  const launch = (
    lane: Lane,
    first: number,
    count: number,
    send: (settled: (events: number) => void) => Promise<ShipmentEnd>,
  ): void => {
    const range: ShipmentRange = { first, end: first + count, unsettled: count };
    lane.inFlight.push(range);
    underway++;
    sizer.began();
    const shipment = send((events) => {
      range.unsettled -= events;
    })
      .then((end) => finish(lane, range, end))
      .catch(options.onFault);
    shipments.add(shipment);
    void shipment.finally(() => shipments.delete(shipment));
  };

  /** What the disk gave back changed is nobody's usage: it is kept for a person to look at. */
  const holdDamaged = async (stream: string, first: number, count: number): Promise<void> => {
    logger.error({ stream, first, count }, "events were changed on disk: quarantined");
    const quarantine = Array.from({ length: count }, (_, i) => ({ position: first + i, reason: DAMAGED }));
    await log.settle({ stream, first, count, at: clock.now(), quarantine });
  };

  /** Packs and sends one shipment of a lane; false when there was nothing to pack after all. */
  const take = async (lane: Lane): Promise<boolean> => {
    const { stream } = lane;
    const dialect = options.dialect();
    const mode = dialect.deliveryMode(stream);
    if (mode.kind === "none") return false;
    const learned = sizer.next();
    const size = { ...learned, events: Math.min(learned.events, mode.eventsMax) };
    if (dialect.fixesShipments) {
      const next = await fixed.next(stream, lane.inFlight, size);
      if (next.kind === "nothing") return false;
      if (next.kind === "damaged") {
        await holdDamaged(stream, next.first, next.count);
        return true;
      }
      const { loaded } = next;
      const shipFixed = mode.kind === "single" ? shipSingly : shipAsOne;
      launch(lane, loaded.shipment.first, loaded.shipment.count, async (settled) => {
        const { end, left } = await shipFixed(stream, loaded, settled, context);
        freeBytes(loaded.run.events.body);
        fixed.giveBack(stream, left);
        return end;
      });
      return true;
    }
    for (const free of freeStretches(lane.inFlight)) {
      const wanted = { stream, from: free.first, until: free.end };
      const found = await log.read({ ...wanted, bytesMax: Math.max(1, size.bytes - 2), eventsMax: size.events });
      if (found.kind === "nothing") continue;
      if (found.kind === "damaged") {
        await holdDamaged(stream, found.first, found.count);
        return true;
      }
      const { run } = found;
      launch(lane, run.first, run.events.ends.length, (settled) => ship(stream, run, settled, context));
      return true;
    }
    return false;
  };

  const pump = async (): Promise<void> => {
    if (options.dialect().fixesShipments) await fixed.recover();
    for (const ledger of log.streams()) notice(ledger.stream);
    while (!stopping.signal.aborted) {
      dirty = false;
      const { lane, nextAt } = pick(lanes, log, clock.tick(), settings());
      if (lane === null || underway >= settings().concurrency) {
        const waitMs = lane === null ? Math.min(IDLE_MS, Math.max(0, nextAt - clock.tick())) : IDLE_MS;
        if (!dirty) await wake.wait(Math.ceil(waitMs), stopping.signal);
        continue;
      }
      // Round robin: the lane that was served goes to the end.
      lanes.delete(lane.stream);
      lanes.set(lane.stream, lane);
      const taken = await take(lane);
      const ledger = log.stream(lane.stream);
      if (!taken || ledger === null || waiting(ledger, lane) <= 0) lane.dueAt = null;
    }
  };

  log.onChange(notice);
  const pumping = pump().catch(options.onFault);

  return {
    probe() {
      for (const lane of lanes.values()) if (lane.pausedUntil !== null) lane.pausedUntil = 0;
      gate.probe();
      reachable.wake();
      hurried.wake();
      for (const ledger of log.streams()) notice(ledger.stream);
      stir();
    },
    status() {
      const status = health.status(gate.state());
      const { why, isAll } = untaken(options.dialect(), log);
      if (status.state === "ok" && why !== null) {
        return { state: isAll ? "paused" : "ok", last_error: why, next_attempt_s: null };
      }
      const paused = status.state === "ok" ? pausedUntil(lanes, log) : null;
      if (paused === null) return status;
      const nextMs = Math.max(0, paused.pausedUntil - clock.tick());
      const error = `answered 404 for ${paused.stream}`;
      return { state: "paused", last_error: error, next_attempt_s: Math.ceil(nextMs / 100) / 10 };
    },
    numbers: () => ({ ...health.counts(), window: window.size, size: sizer.settled }),
    async stop() {
      stopping.abort();
      await pumping;
      await Promise.all(shipments);
    },
  };
}
