/** Clients of an agent that write down what they were answered for. */
import { eventNumber } from "./setup.ts";

export interface Load {
  /** Texts of events that got a 2xx: the agent owes them. */
  readonly owed: ReadonlySet<string>;
  /** How many answers there were of each status. */
  readonly statuses: ReadonlyMap<number, number>;
  stop(): Promise<void>;
}

export interface LoadOptions {
  /** Asked anew before each request: an agent may come back elsewhere. */
  readonly url: () => string;
  readonly clients?: number;
  readonly eventsEach?: number;
  /** What an event is padded with. */
  readonly padding?: number;
}

let number = 0;

/** An event that no other is like, of about 100 bytes and its padding. */
export function paddedEvent(padding: number): string {
  const text = eventNumber(number++);
  return padding === 0 ? text : `${text.slice(0, -1)},"Pad":"${"x".repeat(padding)}"}`;
}

export function postEvents(url: string, texts: readonly string[], headers: Record<string, string> = {}) {
  return fetch(`${url}/usage/bulk/m`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: `[${texts.join(",")}]`,
  });
}

/** Posts until it is stopped. What gets no answer is not sent again: it may arrive or not. */
export function startLoad({ url, clients = 3, eventsEach = 5, padding = 0 }: LoadOptions): Load {
  const owed = new Set<string>();
  const statuses = new Map<number, number>();
  const stopping = new AbortController();
  const client = async () => {
    while (!stopping.signal.aborted) {
      const texts = Array.from({ length: eventsEach }, () => paddedEvent(padding));
      const response = await postEvents(url(), texts).catch(() => null);
      if (response === null) {
        // Nobody is there for the moment: come back in the next turn, not in the same one without end.
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      statuses.set(response.status, (statuses.get(response.status) ?? 0) + 1);
      if (response.status === 200) for (const text of texts) owed.add(text);
      await response.arrayBuffer().catch(() => null);
    }
  };
  const running = Array.from({ length: clients }, client);
  return {
    owed,
    statuses,
    async stop() {
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** What of the owed events did not arrive exactly once. */
export function notOnce(owed: Iterable<string>, arrived: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const text of arrived) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...owed].filter((text) => counts.get(text) !== 1);
}
