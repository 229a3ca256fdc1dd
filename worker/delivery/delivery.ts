/**
 * Brings pending events upstream. Called by the queue for one stream and by the sweep for all; safe to run
 * twice and side by side, since every call is leased and every settlement looks for its lease.
 */

import type { ClockAndRandom } from "../../shared/clock.ts";
import type { RefusalLog } from "../../shared/intake/refusal-log.ts";
import type { Writer } from "../database/key-gate.ts";
import { createBudget, type StatementBudget } from "../database/statement-budget.ts";
import type { Directory } from "../destinations/directory.ts";
import type { Settings } from "../env.ts";
import { createRowId } from "../ledger/row-id.ts";
import type { Fetch } from "./exchange.ts";
import { createHolds, type Holds, logHolds } from "./holds.ts";
import { createInvocation, type HandOver, LEAST_STATEMENTS, type Wanted } from "./invocation.ts";
import { LeftLanes } from "./run.ts";
import { Slots } from "./slots.ts";
import { createWays } from "./ways.ts";
import { type Withdrawal, withdrawLanes } from "./withdraw.ts";
import * as WITHDRAW from "./withdraw-sql.ts";

export interface DeliveryRuntime extends ClockAndRandom {
  readonly fetch: Fetch;
}

export interface DeliveryParts {
  readonly db: D1Database;
  readonly settings: Settings;
  /** Where each tenant's events go. */
  readonly directory: Directory;
  readonly runtime: DeliveryRuntime;
  readonly nudge: (tenant: string, stream: string, delaySeconds?: number) => Promise<void>;
  readonly refusals: RefusalLog;
}

export interface Delivery {
  /**
   * Sends what is due of one stream, or of some lanes of it, within the bounds of an invocation; what is left comes by messages.
   * @param handOver takes calls that hang, as `waitUntil` does; without it they are waited for.
   * @param budget of the whole invocation; its own where it does nothing else.
   */
  deliver(wanted: Wanted, handOver?: HandOver, budget?: StatementBudget): Promise<void>;
  /** Finds pending work that no message reached and delivers it likewise; tells of what waits. */
  sweep(handOver?: HandOver, budget?: StatementBudget): Promise<void>;
  /** What waits, since when and why. */
  readonly holds: Holds;
  /**
   * Takes what waits of a tenant into quarantine, a bounded number of events a call.
   * @throws KeyEndedError where the writer's key ends; what was taken before that stays taken.
   */
  withdraw(tenant: string, filter: WithdrawFilter, writer: Writer): Promise<Withdrawal>;
}

/** What is null narrows nothing. */
export interface WithdrawFilter {
  readonly stream: string | null;
  /** As `sentIdsText` writes it. */
  readonly context: string | null;
  /** When it was received, ends inclusive: milliseconds since 1970. */
  readonly from: number | null;
  readonly to: number | null;
}

/** Streams one sweep looks at: calls of so many are about what an invocation may make. */
const SWEEP_STREAMS_MAX = 60;
/** What a message takes at least. */
export const MESSAGE_STATEMENTS = LEAST_STATEMENTS;
/** Streams one withdrawal looks at. */
const WITHDRAWN_STREAMS_MAX = 1000;

export function createDelivery({ db, settings, directory, runtime, nudge, refusals }: DeliveryParts): Delivery {
  const { clock, fetch } = runtime;
  const holds = createHolds(db);
  const ways = createWays(directory, fetch, clock.now);
  const shared = { settings, ways, runtime, nudge, refusals };
  const state = { slots: new Slots(), leftLanes: new LeftLanes() };
  const invocation = (handOver: HandOver | null, budget: StatementBudget) =>
    createInvocation({ ...shared, ...state, budget, handOver });

  async function withdraw(tenant: string, filter: WithdrawFilter, { apiKeyId }: Writer): Promise<Withdrawal> {
    const { stream, context, from, to } = filter;
    const found =
      stream === null ? await WITHDRAW.STREAMS.all(db, { tenant, count: WITHDRAWN_STREAMS_MAX }) : [{ stream }];
    const lanes = (
      await invocation(null, createBudget(db)).pendingLanes(found.map((row) => ({ tenant, stream: row.stream })))
    ).flat();
    const wanted = lanes.filter(({ lane, waits }) => waits && (context === null || lane.context === context));
    const waiting = (
      await Promise.all(
        wanted.map(async ({ lane }) => {
          const way = await ways.of(lane, db);
          return way === null ? [] : [{ lane, account: way.dialect.account, limits: way.limits }];
        }),
      )
    ).flat();
    const range = {
      from: createRowId(from ?? 0, 0),
      to: to === null ? Number.MAX_SAFE_INTEGER : createRowId(to + 1, 0) - 1,
    };
    const withdrawal = await withdrawLanes(db, waiting, range, () => ({ apiKeyId, now: clock.now() }));
    logHolds(withdrawal.ended);
    return withdrawal;
  }

  return {
    holds,
    withdraw,
    async deliver(wanted, handOver, budget = createBudget(db)) {
      const { lanesOf, send } = invocation(handOver ?? null, budget);
      await send(await lanesOf(wanted));
    },
    async sweep(handOver, budget = createBudget(db)) {
      logHolds(await createHolds(budget.db).due(clock.now()));
      const { pendingStreams, readyLanes, send } = invocation(handOver ?? null, budget);
      await send(await readyLanes(await pendingStreams(SWEEP_STREAMS_MAX)));
    },
  };
}
