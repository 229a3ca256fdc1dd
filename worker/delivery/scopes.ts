/**
 * Whom a hold makes wait, by name: everything for a destination, everything with its credentials, or one lane, a
 * tenant's stream with the same ids headers. One tenant's mistake reaches no further than its lane.
 */

export interface StreamKey {
  readonly tenant: string;
  readonly stream: string;
}

export interface Lane extends StreamKey {
  /** JSON of the ids that calls must not mix, or "". */
  readonly context: string;
}

/** Names a lane, whatever account it goes to. */
export function laneKey({ tenant, stream, context }: Lane): string {
  return `${tenant}\n${stream}\n${context}`;
}

/** An account at a vendor. */
export interface Account {
  readonly vendor: string;
  /** Which of several; those of the settings are `default`. */
  readonly destination: string;
}

export type HoldKind = "destination" | "credentials" | "lane";

/** The names under which holds stand that stop a stream: a lane's is the prefix and its context. */
export interface StreamScopes {
  readonly destinationScope: string;
  readonly credentialsScope: string;
  readonly lanePrefix: string;
}

export interface LaneScopes extends Omit<StreamScopes, "lanePrefix"> {
  readonly laneScope: string;
}

export function streamScopes({ vendor, destination }: Account, { tenant, stream }: StreamKey): StreamScopes {
  return {
    destinationScope: JSON.stringify(["destination", vendor, destination]),
    credentialsScope: JSON.stringify(["credentials", vendor, destination]),
    lanePrefix: `${JSON.stringify(["lane", vendor, destination, tenant, stream])} `,
  };
}

export function laneScopes(account: Account, lane: Lane): LaneScopes {
  const { lanePrefix, ...wide } = streamScopes(account, lane);
  return { ...wide, laneScope: lanePrefix + lane.context };
}
