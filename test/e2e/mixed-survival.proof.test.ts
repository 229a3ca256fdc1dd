/**
 * Solvimon's kinds straight to the edge: clients write down what was acknowledged, the edge is killed under them
 * while the upstream misbehaves, and at the end the twin has each acknowledged event exactly once.
 */
import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { until } from "../../tools/processes/until.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import { startRiver } from "./support.ts";

const KILLS = 5;
/** Acknowledged events between two kills. */
const STRIDE = 80;
const LIST = 5;
const GROUP = 5;

const FAULTS = [
  { times: 4, drop: "after" },
  { times: 3, status: 503 },
  { times: 1, status: 429, headers: { "retry-after": "1" } },
  { times: 2, drop: "before" },
  { times: 2, delay_ms: 200 },
  { times: 3, drop: "after" },
] as const;

const PRICING = { pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" };
/** The fields of each kind beside its reference; n counts the client's events. */
const KINDS: Record<string, { readonly stream: string; readonly event: (client: string, n: number) => object }> = {
  "persist-data": {
    stream: "persist",
    event: (client, n) => ({
      customer_id: null,
      ...PRICING,
      pricing_plan_subscription_id: null,
      reprocess_id: `${client}-${Math.floor(n / GROUP)}`,
      is_last_reprocess_item: n % GROUP === GROUP - 1,
    }),
  },
  "charge-data": {
    stream: "charge",
    event: (_, n) => ({ product_item_id: "p", ...PRICING, value: { number: `${n}.50` } }),
  },
  "adjustment-data": {
    stream: "adjustment",
    event: (_, n) => ({ product_item_id: "p", amount: { quantity: `-${n}.01`, currency: "EUR" }, timestamp: null }),
  },
  "meter-data": {
    stream: "meter-data",
    event: (_, n) => ({ meter_reference: "m", meter_values: [{ number: String(n) }] }),
  },
};

/** References by stream: acknowledged, and sent without ever an answer. */
interface Books {
  readonly owed: Set<string>;
  readonly unsure: Set<string>;
}

interface AtTwin {
  readonly stream: string;
  readonly source: string;
}

/** Posts single events and lists in turn until told to stop. Every third that got no answer is given up. */
async function send(url: string, operation: string, books: Books, stop: AbortSignal): Promise<void> {
  const kind = KINDS[operation];
  if (kind === undefined) throw new Error(`no kind ${operation}`);
  const client = `client-${operation}`;
  for (let n = 0, turn = 0; !stop.aborted; turn++) {
    const count = turn % 2 === 0 ? 1 : LIST;
    const events = Array.from({ length: count }, (_, i) => ({
      reference: `${client}-${n + i}`,
      ...kind.event(client, n + i),
    }));
    const names = events.map((event) => `${kind.stream}/${event.reference}`);
    const body = count === 1 ? events[0] : { [`${operation.replace("-", "_")}s`]: events };
    const path = count === 1 ? operation : `${operation}s`;
    const isTaken = await posted(`${url}/v1/ingest/${path}`, body, turn % 3 !== 0);
    for (const name of names) books[isTaken ? "owed" : "unsure"].add(name);
    n += count;
  }
}

/** Whether the edge acknowledged it. What it refuses for good is a failure of the test. */
async function posted(url: string, body: unknown, isPatient: boolean): Promise<boolean> {
  const init = {
    method: "POST",
    headers: { "x-api-key": LOCAL_KEYS.ingest, "content-type": "application/json" },
    body: JSON.stringify(body),
  };
  for (let tries = 0; tries < 2_000; tries++) {
    const status = await fetch(url, init).then(
      async (answer) => {
        // The status is the acknowledgement, though the rest of the answer may die with the edge.
        await answer.arrayBuffer().catch(() => null);
        return answer.status;
      },
      () => null,
    );
    if (status === 200 || status === 201) return true;
    if (status !== null && status < 500 && status !== 429) throw new Error(`refused with ${status}`);
    if (!isPatient) return false;
    await pause(20);
  }
  throw new Error("the edge never answered");
}

it.each<[string, readonly string[], readonly string[]]>([
  ["an upstream that knows idempotency keys: all four kinds", Object.keys(KINDS), []],
  // Without the key only a reference tells Solvimon a repeat; meter data has no such rule there.
  [
    "an upstream that ignores them: the kinds with references",
    Object.keys(KINDS).slice(0, 3),
    ["--ignore-idempotency-keys"],
  ],
])(
  `the edge killed ${KILLS} times under faults loses and doubles nothing, at %s`,
  async (_which, operations, twinArgs) => {
    const river = await startRiver({}, [...twinArgs, "--solvimon-api-key", "twin-key"]);
    const books: Books = { owed: new Set(), unsure: new Set() };
    const stop = new AbortController();
    const clients = operations.map((operation) => send(river.edge.url, operation, books, stop.signal));
    const sending = Promise.all(clients);
    sending.catch(() => stop.abort());
    // The twin lists its latest requests only, so that what it answered is noted as it goes.
    const seen = new Set<number | null>();
    const note = async () => {
      for (const status of await statusesOf(river.twin.url)) seen.add(status);
    };
    for (let kill = 0; kill < KILLS && !stop.signal.aborted; kill++) {
      const before = books.owed.size;
      await river.faults(FAULTS);
      const enough = async () => {
        await note();
        return books.owed.size >= before + STRIDE;
      };
      await until(enough, { what: "the clients to be answered", everyMs: 20, signal: stop.signal });
      await river.edge.sigkill();
      await river.edge.restart();
    }
    // A life is short and its lanes back off: what no call has met by now is met before the clients end. Where the twin
    // knows no keys, a reference that comes again after a cut answer is 409.
    await river.faults(FAULTS.slice(1));
    const wanted = twinArgs.length > 0 ? [429, 503, 409] : [429, 503];
    const meets = async () => {
      await note();
      return wanted.every((status) => seen.has(status));
    };
    await until(meets, { what: `${wanted.join(", ")} from the upstream`, everyMs: 20, signal: stop.signal });
    stop.abort();
    await sending;
    const rows = await river.settled(150_000);
    const taken = await twinEvents(river.twin.url);
    const counts = new Map<string, number>();
    for (const { stream, source } of taken) {
      const name = `${stream}/${JSON.parse(source).reference}`;
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    expect(
      [...books.owed].filter((name) => counts.get(name) !== 1),
      "each acknowledged event exactly once",
    ).toEqual([]);
    const known = (name: string) => books.owed.has(name) || books.unsure.has(name);
    expect(
      [...counts].filter(([name, n]) => n > 1 || !known(name)),
      "nothing twice, nothing else",
    ).toEqual([]);
    expect(books.owed.size).toBeGreaterThanOrEqual(KILLS * STRIDE);
    for (const row of rows) {
      const atTwin = taken.filter((event) => event.stream === row.stream).length;
      expect(row).toMatchObject({ accepted: atTwin, delivered: atTwin, pending: 0, quarantined: 0, discarded: 0 });
    }
    expect(rows.map((row) => row.stream).sort()).toEqual(
      operations.map((operation) => KINDS[operation]?.stream).sort(),
    );
    expect(itemsAfterTheirClosing(taken)).toEqual([]);
  },
);

/** Events in order of arrival. */
async function twinEvents(url: string): Promise<AtTwin[]> {
  const text = await (await fetch(`${url}/twin/events?exact=1`)).text();
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as AtTwin]));
}

/** Persist events that came after the closing item of their group. */
function itemsAfterTheirClosing(taken: readonly AtTwin[]): string[] {
  const closed = new Set<string>();
  return taken.flatMap(({ stream, source }) => {
    if (stream !== "persist") return [];
    const { reference, reprocess_id, is_last_reprocess_item } = JSON.parse(source);
    const isLate = closed.has(reprocess_id);
    if (is_last_reprocess_item) closed.add(reprocess_id);
    return isLate ? [reference] : [];
  });
}

async function statusesOf(url: string): Promise<(number | null)[]> {
  const log = (await (await fetch(`${url}/twin/requests`)).json()) as
    | { status: number | null }[]
    | { items: { status: number | null }[] };
  return [...new Set((Array.isArray(log) ? log : log.items).map((call) => call.status))];
}
