/** How delivery stands as answers say it: the same words wherever it is asked for. */
import type { Standing } from "../delivery/standing.ts";
import { STANDING_STATES } from "../delivery/standing.ts";
import {
  COUNT,
  choice,
  described,
  type JsonSchema,
  list,
  type Members,
  nullable,
  TEXT,
  TIME,
} from "../openapi/json-schema.ts";

export const iso = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString());

const STATE: JsonSchema = choice(
  STANDING_STATES,
  "waiting: nothing is sent, for all of it waits. lanes_waiting: some lanes wait, each for itself. not_set: there is no base URL, so that events stay pending.",
);

export const STANDING: Members = {
  state: STATE,
  since: described(nullable(TIME), "Since when something waits."),
  why: described(list(TEXT), "Each reason once: no response, answered 503, credentials refused (answered 401)."),
  lanes_waiting: described(COUNT, "Lanes, a tenant's stream with the same ids headers each, that wait for themselves."),
};

export function standingBody({ state, since, why, lanesWaiting }: Standing) {
  return { state, since: iso(since), why, lanes_waiting: lanesWaiting };
}
