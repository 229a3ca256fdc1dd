/** What the package `weir-agent` offers to a program that needs no server of its own. Imports nothing. */

export interface OpenAgentOptions {
  /** A configuration file; see weir-agent.sample.toml. Its `[listen]` and `[[tail]]` tables are not used. */
  readonly config: string;
  /** Where `api_key_env` is looked up; the process's environment where absent. */
  readonly env?: Readonly<Record<string, string | undefined>>;
}

export interface AppendResult {
  readonly accepted: number;
  /** One an event, in order: the id that the edge will know it by. */
  readonly ids: readonly string[];
}

export interface LedgerCounts {
  readonly accepted: number;
  readonly delivered: number;
  readonly pending: number;
  readonly quarantined: number;
  readonly discarded: number;
}

/** The document of GET /status; see docs/agent.md. */
export interface AgentStatus {
  readonly producer: string | null;
  readonly running: boolean;
  readonly ledger: LedgerCounts;
  readonly buffer: {
    readonly bytes: number;
    readonly max_bytes: number;
    readonly oldest_s: number | null;
    readonly hours_left: number | null;
  };
  readonly destination: {
    readonly state: "ok" | "backing_off" | "paused" | "unreachable" | null;
    readonly last_error: string | null;
    readonly next_attempt_s: number | null;
  };
  readonly streams: readonly {
    readonly stream: string;
    readonly first_sequence: number | null;
    readonly last_sequence: number | null;
    readonly ledger: LedgerCounts;
    /** Refused by themselves while others go on: events with these ids headers. */
    readonly waiting?: readonly {
      readonly entity_ids?: string;
      readonly org_ids?: string;
      readonly platform_id?: string;
      readonly last_error: string;
      readonly since_s: number;
      readonly next_attempt_s: number | null;
    }[];
  }[];
}

export interface EmbeddedAgent {
  /**
   * Resolves once the events are on disk: never lost from then on. All or nothing.
   * @param stream say "usage/METER".
   * @param events objects, or JSON texts where the digits of a number matter; at most 10,000 and 4,000,000 bytes.
   * Rejects with an error whose `code` is INVALID_EVENT (its message names the event), BUFFER_FULL or LOG_STOPPED.
   */
  append(stream: string, events: readonly (object | string)[]): Promise<AppendResult>;
  status(): Promise<AgentStatus>;
  /** Resolves once nothing is pending. */
  drain(): Promise<void>;
  /** Abandons uploads, lets go of the buffer; what is pending stays on disk. */
  close(): Promise<void>;
}

/** Opens the buffer, uploads in the background. One process a buffer. */
export type OpenAgent = (options: OpenAgentOptions) => Promise<EmbeddedAgent>;
