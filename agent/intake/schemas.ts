/** The meters' event schemas: fetched from the edge, kept in the buffer, so that answers are the edge's offline too. */
import { z } from "zod";
import { compileCheck, type StreamSchema, streamSchema } from "../../shared/events/stream-schema.ts";
import type { ValidationError } from "../../shared/events/validation-error.ts";
import type { StreamRules } from "../../shared/intake/dialect.ts";
import type { Log } from "../buffer/log.ts";
import { METADATA } from "../buffer/tables/metadata.ts";

/** What a meter's events are checked against. */
export type MeterRules = StreamRules<ValidationError>;

export interface Schemas {
  /** Null for a meter the edge does not have; before the first fetch every meter takes the default fields. */
  meter(meterGlobalId: string): MeterRules | null;
  readonly etag: string | null;
  /** Takes over and keeps a fetched document; false, changing nothing, for one that is none. */
  take(body: string, etag: string | null): Promise<boolean>;
}

// Later edges may say more of a stream than this agent knows.
const documentSchema = z.looseObject({ streams: z.array(streamSchema.strip()) });

export function createSchemas(log: Log): Schemas {
  const kept = log.recall(METADATA.schemas);
  let etag = kept === null ? null : log.recall(METADATA.schemasEtag) || null;
  let meters = kept === null ? null : compile(kept);
  const defaults = meterOf({ meter_global_id: "default" });
  return {
    meter: (id) => (meters === null ? defaults : (meters.get(id) ?? null)),
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
      meters = compiled;
      etag = newEtag;
      return true;
    },
  };
}

function compile(body: string): Map<string, MeterRules> | null {
  let document: unknown;
  try {
    document = JSON.parse(body);
  } catch {
    return null;
  }
  const parsed = documentSchema.safeParse(document);
  if (!parsed.success) return null;
  return new Map(parsed.data.streams.map((stream) => [stream.meter_global_id, meterOf(stream as StreamSchema)]));
}

function meterOf(stream: StreamSchema): MeterRules {
  return { check: compileCheck(stream), ownIdField: stream.event_id_field ?? null };
}
