/** An event that the upstream refuses, as quarantine keeps it. */
import { entrySpans } from "../ledger/entries.ts";
import { storedEventId } from "../ledger/stored-event.ts";
import type { CallOutcome } from "./dialect.ts";
import type { SentBatch } from "./outbox.ts";
import type { Part } from "./pack.ts";
import type { QuarantinedEvent } from "./shipment.ts";

/** The one event of a call, with its id and the response's text. */
export function rejectedEvent(stream: string, part: Part, row: SentBatch, outcome: CallOutcome): QuarantinedEvent {
  const spans = entrySpans(row.entries);
  const entry = spans.findIndex((span, i) => i >= part.from && i <= part.to && span.end > span.start);
  const span = spans[entry];
  if (span === undefined) throw new Error(`batch ${part.batch} has no event between ${part.from} and ${part.to}`);
  const event = row.payload.slice(span.start, span.end);
  return {
    origin: row.origin,
    producer: row.producer ?? "",
    batch: row.origin_batch ?? part.batch,
    entry: row.origin_entry ?? entry,
    eventId: row.origin_id ?? storedEventId(stream, row, entry, span.ordinal, event),
    event,
    reasons: JSON.stringify([upstreamRefusal(outcome)]),
    upstream: outcome.text,
  };
}

/** Why, in words of ours. */
export function upstreamRefusal({ response }: CallOutcome): { readonly code: number; readonly message: string } {
  const code = response.kind === "answer" ? response.status : 0;
  return { code, message: `the upstream refused the event with ${code}` };
}
