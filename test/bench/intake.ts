/** The rows that take events in: what is sent, to whom, and how. */

import { usagePath } from "../../shared/wire.ts";
import { LOCAL_KEYS } from "../../tools/sample/local-keys.ts";
import type { LoadJob } from "./load/job.ts";
import { METERS } from "./meters.ts";
import type { Subject } from "./subjects/subject.ts";

/** By what the edge tells a repeat; an agent is sent events that have nothing but their content. */
export type Identity = "positions" | "content" | "ids";

export interface IntakeLoad {
  readonly identity: Identity;
  /** Events a request. */
  readonly size: number;
  readonly connections: number;
  readonly gzip: boolean;
}

const KEY = { "x-api-key": LOCAL_KEYS.ingest };

/** A run of requests with events from number `first` on; the same call makes the same requests. */
export function jobOf(load: IntakeLoad, subject: Subject, first: number, requests: number): LoadJob {
  return jobTo(usagePath(meterOf(load)), load, subject, first, requests);
}

/** The same events for the edge's floor, with a key an event where the edge writes one. */
export function edgeFloorJob(load: IntakeLoad, floor: Subject, first: number, requests: number): LoadJob {
  const path = load.identity === "positions" ? "/" : `/?key=${load.identity === "ids" ? "id" : "content"}`;
  return jobTo(path, load, floor, first, requests);
}

/** The same events for the agent's floor. */
export function agentFloorJob(load: IntakeLoad, floor: Subject, first: number, requests: number): LoadJob {
  return jobTo("/", load, floor, first, requests);
}

function jobTo(path: string, load: IntakeLoad, to: Subject, first: number, requests: number): LoadJob {
  const { identity, size, gzip, connections } = load;
  return {
    connections,
    series: {
      ...{ host: to.host, paths: [path], method: "POST", headers: KEY, requests },
      body: {
        ...{ kind: "events", meter: meterOf(load), size, first, gzip, hasId: identity === "ids" },
        producer: identity === "positions" ? `bench.${first}` : null,
      },
    },
  };
}

function meterOf({ identity }: IntakeLoad): string {
  return identity === "ids" ? METERS.ids : METERS.plain;
}
