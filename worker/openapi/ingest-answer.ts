/** What ingest answers, in either dialect: how many events came to what, and on request what each one came to. */
import { VALIDATION_ERROR } from "./answers.ts";
import { schema } from "./component.ts";
import { COUNT, choice, described, INDEX, list, object, TEXT } from "./json-schema.ts";

const EVENT_RESULT = schema(
  "EventResult",
  object(
    {
      index: INDEX,
      status: choice(["accepted", "duplicate", "conflict", "quarantined"]),
      id: described(TEXT, "The event's id."),
    },
    { reasons: list(VALIDATION_ERROR) },
  ),
);

export const INGEST_ANSWER = schema(
  "IngestAnswer",
  object(
    {
      success: { type: "boolean", const: true },
      message: TEXT,
      accepted: described(COUNT, "Events that are stored now and will be delivered."),
      duplicates: described(COUNT, "Events that were accepted before, with the same content."),
      conflicts: described(COUNT, "Events whose identity was known before with other content."),
      quarantined: described(COUNT, "Events that are held with what is wrong with them."),
    },
    { results: described(list(EVENT_RESULT), "One an event, in order, with Prefer: return=representation.") },
    { description: "The four counts add up to the events sent." },
  ),
);
