/** What happens to the recorded agent: who posts what to it, when its destination is there, how it ends. */
import { appendFileSync } from "node:fs";
import type { StatusDocument } from "../../../agent/operator/status.ts";
import { HEADER } from "../../../shared/wire.ts";
import { until } from "../../../tools/processes/until.ts";
import type { Destination } from "../support/destination.ts";
import { eventNumber } from "../support/setup.ts";
import { bodyOf, type Told, type ToldRequest } from "./recording.ts";

export interface Scene {
  readonly destination: Destination;
  readonly configFile: string;
  readonly tailFile: string;
  tailText: string;
  readonly requests: ToldRequest[];
  /** While true the destination refuses everything. */
  isDown: boolean;
  producer: string;
  told(runs: number): Told;
}

/** Nobody knows this meter upstream: what is sent to it waits for ever. */
export const WAITING = "waiting";

export interface Clients {
  status(): Promise<StatusDocument>;
  /** Posts requests, a few at a time, and notes what was acknowledged. */
  post(requests: readonly Request[]): Promise<void>;
}

interface Request {
  readonly meter: string;
  readonly events: readonly string[];
  readonly key?: string;
  readonly lenient?: boolean;
}

const POSTED_AT_ONCE = 4;

export function createClients(url: string, { requests: told }: Scene): Clients {
  const post = async ({ meter, events, key, lenient }: Request) => {
    const trackId = `request-${told.length}-${Math.random().toString(36).slice(2)}`;
    const response = await fetch(`${url}/usage/bulk/${meter}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        [HEADER.trackId]: trackId,
        ...(key === undefined ? {} : { [HEADER.idempotencyKey]: key }),
        ...(lenient ? { [HEADER.prefer]: "handling=lenient" } : {}),
      },
      body: bodyOf({ events }),
    });
    const text = await response.text();
    if (response.status !== 200) throw new Error(`the agent refused a request with ${response.status}: ${text}`);
    told.push({ trackId, stream: `usage/${meter}`, key: key ?? null, events });
  };
  return {
    status: async () => (await (await fetch(`${url}/status`)).json()) as StatusDocument,
    async post(requests) {
      const waiting = [...requests];
      const client = async () => {
        for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) await post(next);
      };
      await Promise.all(Array.from({ length: POSTED_AT_ONCE }, client));
    },
  };
}

/** @returns the signal that ends it. */
type Life = (clients: Clients, scene: Scene) => Promise<NodeJS.Signals>;

/** Makes the buffer, fills it while the destination is down, drains it, gives room back, and is killed. */
const firstLife: Life = async (clients, scene) => {
  scene.producer = (await clients.status()).producer ?? "";
  follow(scene, 0, 10);
  await clients.post(mixedRequests(0, GIVEN_BACK_FROM));
  await clients.post(largeRequests(12));
  const { bytes } = (await clients.status()).buffer;
  scene.isDown = false;
  await drained(clients);
  await until(async () => (await clients.status()).buffer.bytes < bytes - 500_000, {
    ...{ what: "room to be given back", timeoutMs: PATIENCE_MS },
  });
  scene.isDown = true;
  await clients.post(mixedRequests(GIVEN_BACK_FROM, 180));
  await atRest(clients);
  return "SIGKILL";
};

/** Finds the log as the kill left it, takes and sends at once, and is stopped with events still waiting. */
const secondLife: Life = async (clients, scene) => {
  scene.isDown = false;
  // Repeats of what the first life took, by their keys or as whole bodies; of the last ones a power cut may leave nothing.
  await clients.post([...mixedRequests(0, 30), ...mixedRequests(GIVEN_BACK_FROM, 180)]);
  follow(scene, 10, 25);
  // Some come twice at once.
  await clients.post(mixedRequests(180, 260).flatMap((request, n) => (n % 8 === 0 ? [request, request] : [request])));
  await drained(clients);
  scene.isDown = true;
  await clients.post(mixedRequests(260, 270));
  return "SIGTERM";
};

/** Finds a log that was closed. */
const thirdLife: Life = async (clients, scene) => {
  await clients.post([...mixedRequests(250, 270), ...mixedRequests(270, 290)]);
  follow(scene, 25, 30);
  await until(async () => acceptedOf(await clients.status(), "usage/tail") === 30, {
    ...{ what: "the followed file to be read", timeoutMs: PATIENCE_MS },
  });
  return "SIGTERM";
};

export const LIVES: readonly Life[] = [firstLife, secondLife, thirdLife];

const PATIENCE_MS = 120_000;
/** Room is given back when nothing waits: until that was seen nothing is posted that waits for ever. */
const GIVEN_BACK_FROM = 150;

function notedEvent(number: number, note: string): string {
  return eventNumber(number).replace("}", `,"Note":"${note}"}`);
}

/** Requests `from` to `to` (exclusive): always the same ones under the same numbers. */
function mixedRequests(from: number, to: number): Request[] {
  return Array.from({ length: to - from }, (_, index) => {
    const number = from + index;
    const events = Array.from({ length: 1 + (number % 5) }, (_, i) => eventNumber(number * 10 + i));
    const meter = number >= GIVEN_BACK_FROM && number % 3 === 0 ? WAITING : number % 3 === 1 ? "a" : "b";
    if (number % 10 === 3) return { meter, events, key: `key-${number}` };
    if (number % 10 === 6) return { meter, events: [...events, `{"CustomerId":"half-${number}"}`], lenient: true };
    if (number % 10 === 9) return { meter, events: [...events, notedEvent(number * 10 + 9, "poison")] };
    return { meter, events };
  });
}

function largeRequests(count: number): Request[] {
  return Array.from({ length: count }, (_, number) => ({
    meter: "a",
    events: Array.from({ length: 20 }, (_, i) => notedEvent(1_000_000 + number * 100 + i, "x".repeat(6000))),
  }));
}

/** Adds lines to the followed file; each third is no event, and goes to quarantine. */
function follow(scene: Scene, from: number, to: number): void {
  for (let number = from; number < to; number++) {
    const line = `${number % 3 === 2 ? `no event ${number}` : eventNumber(2_000_000 + number)}\n`;
    scene.tailText += line;
    appendFileSync(scene.tailFile, line);
  }
}

const acceptedOf = ({ streams }: StatusDocument, name: string) =>
  streams.find(({ stream }) => stream === name)?.ledger.accepted;

/** Waits until nothing is written any more: of a call that a kill cut off nobody could say whether it was done. */
async function atRest(clients: Clients): Promise<void> {
  let before = -1;
  let same = 0;
  const isAtRest = async () => {
    const { bytes } = (await clients.status()).buffer;
    same = bytes === before ? same + 1 : 0;
    before = bytes;
    return same >= 5;
  };
  await until(isAtRest, { what: "the agent to write nothing", timeoutMs: PATIENCE_MS });
}

/** Waits until nothing is pending that anybody takes. */
async function drained(clients: Clients): Promise<void> {
  const isDrained = ({ streams }: StatusDocument) =>
    streams.every(({ stream, ledger }) => stream === `usage/${WAITING}` || ledger.pending === 0);
  await until(async () => isDrained(await clients.status()), { what: "the buffer to drain", timeoutMs: PATIENCE_MS });
}
