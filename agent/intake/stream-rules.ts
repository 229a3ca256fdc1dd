import type { StreamRules } from "../../shared/intake/dialect.ts";

/** What a stream's events are held against here. */
export interface AgentRules<R> extends StreamRules<R> {
  /** False: an event without own id, key or position is always a new one. */
  readonly deduplicatesByContent: boolean;
}
