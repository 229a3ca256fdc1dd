/** Clients of the agent: send events of every kind, each with a name, and write down what they were told of each. */
import { setTimeout as pause } from "node:timers/promises";
import { METER } from "../support/river.ts";

/** Names of events by what the agent said of them. */
export interface Books {
  /** Taken: owed to the upstream, once. */
  readonly owed: Set<string>;
  /** Taken and held back: owed to the quarantine, once. */
  readonly held: Set<string>;
  /** Sent without an answer, and not sent again: there once or not at all. */
  readonly unsure: Set<string>;
}

export function openBooks(): Books {
  return { owed: new Set(), held: new Set(), unsure: new Set() };
}

export interface Kind {
  readonly path: string;
  readonly event: (name: string) => object;
  /** One that does not fit its schema; null where it takes none such. */
  readonly invalid: ((name: string) => object) | null;
}

const PRICING = { pricing_id: "p", pricing_item_id: "p", pricing_item_config_id: "p" };

const usage = (name: string) => ({
  CustomerId: name,
  UsageIdentifier: METER,
  UsageDate: "2015-05-17T10:05:03Z",
  Quantity: 1,
});

export const USAGE: Kind = {
  path: `/meters/streaming/ingestion/${METER}`,
  event: usage,
  invalid: (name) => ({ CustomerId: name, UsageIdentifier: METER, UsageDate: "2015-05-17T10:05:03Z" }),
};

/** One at a time, as a vendor's own client sends them. */
export const SOLVIMON: readonly Kind[] = [
  {
    path: "/v1/ingest/persist-data",
    event: (reference) => ({ customer_id: null, ...PRICING, pricing_plan_subscription_id: null, reference }),
    invalid: null,
  },
  {
    path: "/v1/ingest/charge-data",
    event: (reference) => ({ product_item_id: "p", ...PRICING, value: { number: "1.50" }, reference }),
    invalid: null,
  },
  {
    path: "/v1/ingest/adjustment-data",
    event: (reference) => ({ product_item_id: "p", amount: { quantity: "-1", currency: "EUR" }, reference }),
    invalid: null,
  },
  {
    path: "/v1/ingest/meter-data",
    event: (reference) => ({ meter_reference: "m", meter_values: [{ number: "0.10" }], reference }),
    invalid: null,
  },
];

/** The name that {@link Kind.event} gave the event; null of any other text. */
export function nameOf(source: string): string | null {
  const { reference, CustomerId } = JSON.parse(source) as { reference?: string; CustomerId?: string };
  return reference ?? CustomerId ?? null;
}

export interface Producer {
  readonly url: string;
  /** Distinguishes its events from all others'. */
  readonly id: string;
  readonly kinds: readonly Kind[];
  readonly books: Books;
  readonly random: () => number;
  readonly signal: AbortSignal;
}

const EVENTS_MAX = 6;
/** Between two requests, at most. */
const REST_MS = 30;
const AGAIN_MS = 20;

/** Sends until told to stop. Half the requests carry a key and are repeated until they are answered. */
export async function produce({ url, id, kinds, books, random, signal }: Producer): Promise<void> {
  for (let n = 0; !signal.aborted; n++) {
    const kind = kinds[Math.floor(random() * kinds.length)];
    if (kind === undefined) throw new Error("no kinds to send");
    const count = kind.invalid === null ? 1 : 1 + Math.floor(random() * EVENTS_MAX);
    const names = Array.from({ length: count }, (_, i) => `${id}-${n}-${i}`);
    const key = random() < 0.5 ? `key-${id}-${n}` : null;
    // What is held back is told by name only where the answer is sure to come.
    const invalid = kind.invalid !== null && key !== null && random() < 0.2 ? kind.invalid : null;
    const events = names.map((name, i) => (i === 0 && invalid !== null ? invalid(name) : kind.event(name)));
    const isAccepted = await post(`${url}${kind.path}`, kind.invalid === null ? events[0] : events, key, signal);
    for (const [i, name] of names.entries()) {
      const book = !isAccepted ? books.unsure : i === 0 && invalid !== null ? books.held : books.owed;
      book.add(name);
    }
    await pause(random() * REST_MS);
  }
}

/** @returns whether the agent said that it took them; a request without a key is not repeated. */
async function post(url: string, body: unknown, key: string | null, signal: AbortSignal): Promise<boolean> {
  for (;;) {
    const answer = await ask(url, body, key);
    if (answer?.ok) return true;
    if (answer !== null && answer.status !== 429 && answer.status < 500) {
      throw new Error(`${url} answered ${answer.status}: ${answer.text}`);
    }
    if (key === null) return false;
    // A keyed request that never got its answer ends as one whose fate is not known.
    if (signal.aborted) return false;
    await pause(AGAIN_MS);
  }
}

async function ask(url: string, body: unknown, key: string | null) {
  try {
    const headers = { "content-type": "application/json", prefer: "handling=lenient" };
    const keyed = key === null ? headers : { ...headers, "idempotency-key": key };
    const response = await fetch(url, { method: "POST", headers: keyed, body: JSON.stringify(body) });
    return { ok: response.ok, status: response.status, text: await response.text() };
  } catch (error) {
    // The agent is dead or died in the middle; anything else is a fault of this test.
    if (error instanceof TypeError) return null;
    throw error;
  }
}
