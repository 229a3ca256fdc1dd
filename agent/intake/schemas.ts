/** The meters' event schemas: fetched from the edge, kept in the buffer, so that answers are the edge's offline too. */
import { z } from "zod";
import type { SolvimonKind } from "../../shared/events/kind.ts";
import { compileCheck, type StreamSchema, streamSchema } from "../../shared/events/stream-schema.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import type { Log } from "../buffer/log.ts";
import { METADATA } from "../buffer/tables/metadata.ts";
import type { AgentRules } from "./stream-rules.ts";

/** What a meter's events are checked against. */
export type MeterRules = AgentRules<ValidationError>;

export interface Schemas {
  /** Null for a meter the edge does not have; before the first fetch every meter takes the default fields. */
  meter(meterGlobalId: string): MeterRules | null;
  /** Whether events of a vendor's operation without own id, key or position are known by their content. */
  deduplicatesByContent(kind: SolvimonKind): boolean;
  readonly etag: string | null;
  /** Takes over and keeps a fetched document; false, changing nothing, for one that is none. */
  take(body: string, etag: string | null): Promise<boolean>;
}

// Later edges may say more of a stream than this agent knows.
const documentSchema = z.looseObject({
  streams: z.array(streamSchema.extend({ deduplicate_by_content: z.boolean().optional() }).strip()),
  settings: z.looseObject({ deduplicate_by_content: z.record(z.string(), z.boolean()).optional() }).optional(),
});

export function createSchemas(log: Log): Schemas {
  const kept = log.recall(METADATA.schemas);
  let etag = kept === null ? null : log.recall(METADATA.schemasEtag) || null;
  let current = kept === null ? null : compile(kept);
  const defaults = meterOf({ meter_global_id: "default" });
  return {
    meter: (id) => (current === null ? defaults : (current.meters.get(id) ?? null)),
    deduplicatesByContent: (kind) => current?.deduplicates[kind] !== false,
    get etag() {
      return etag;
    },
    async take(body, newEtag) {
      const compiled = compile(body);
      if (compiled === null) return false;
      await log.remember({
        metadata: [
          [METADATA.schemas, body],
          [METADATA.schemasEtag, newEtag ?? ""],
        ],
      });
      current = compiled;
      etag = newEtag;
      return true;
    },
  };
}

interface Compiled {
  readonly meters: ReadonlyMap<string, MeterRules>;
  /** By kind, true where nothing is said. */
  readonly deduplicates: Readonly<Record<string, boolean>>;
}

function compile(body: string): Compiled | null {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return null;
  }
  const parsed = documentSchema.safeParse(document);
  if (!parsed.success) return null;
  const { streams, settings } = parsed.data;
  return {
    meters: new Map(streams.map((stream) => [stream.meter_global_id, meterOf(stream as MeterSchema)])),
    deduplicates: settings?.deduplicate_by_content ?? {},
  };
}

type MeterSchema = StreamSchema & { readonly deduplicate_by_content?: boolean };

function meterOf(stream: MeterSchema): MeterRules {
  return {
    check: compileCheck(stream),
    ownIdField: stream.event_id_field ?? null,
    deduplicatesByContent: stream.deduplicate_by_content !== false,
  };
}
