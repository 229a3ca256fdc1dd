/** Solvimon's events: what each of its routes accepts, and the resource it gives back. */

import { idPrefixOf, SOLVIMON, SOLVIMON_KINDS, type SolvimonKind } from "../../shared/events/kind.ts";
import { FIELDS, READ_ONLY } from "../../shared/events/solvimon-fields.ts";
import { DEFAULT_LIMITS } from "../../shared/wire.ts";
import { schema } from "./component.ts";
import { fieldsSchema } from "./field-schema.ts";
import { described, type JsonSchema, list, type Members, object, TIME } from "./json-schema.ts";

/** The name of a kind's schema; its resource and its list are named after it: PersistData for PERSIST_DATA. */
export function schemaName(kind: SolvimonKind): string {
  const words = SOLVIMON[kind].objectType.split("_");
  return words.map((word) => word.charAt(0) + word.slice(1).toLowerCase()).join("");
}

const present = (name: string): JsonSchema => ({ properties: { [name]: {} }, required: [name] });

/** Rules between fields, as far as JSON Schema can say them. */
const ACROSS_FIELDS: Partial<Record<SolvimonKind, JsonSchema>> = {
  charge: { properties: { value: { oneOf: ["number", "amount", "count"].map(present) } } },
  adjustment: { anyOf: ["amount", "fixed_amount"].map(present) },
};

const READ_ONLY_MEANING: Readonly<Record<string, string>> = {
  object_type: "The kind of event; ignored on input.",
  id: "The event's id; ignored on input.",
  type: "INGEST or CALCULATION; ignored on input.",
  created_at: "When it was made; ignored on input.",
  deleted: "Whether it was deleted; ignored on input.",
};

const ofKind = (make: (kind: SolvimonKind) => JsonSchema) =>
  Object.fromEntries(SOLVIMON_KINDS.map((kind) => [kind, make(kind)])) as Record<SolvimonKind, JsonSchema>;

/** An event as it is sent. */
export const EVENT_SCHEMA = ofKind((kind) => schema(schemaName(kind), eventSchema(kind)));
/** What its 201 carries. */
export const RESOURCE_SCHEMA = ofKind((kind) => schema(`${schemaName(kind)}Resource`, resourceSchema(kind)));
/** Several in one body. */
export const LIST_SCHEMA = ofKind((kind) => schema(`${schemaName(kind)}List`, listSchema(kind)));

function eventSchema(kind: SolvimonKind): JsonSchema {
  const fields = fieldsSchema(FIELDS[kind]);
  const readOnly = [...READ_ONLY[kind]].map((name) => [
    name,
    { readOnly: true, description: READ_ONLY_MEANING[name] ?? "Ignored on input." },
  ]);
  const across = ACROSS_FIELDS[kind];
  return {
    ...fields,
    properties: { ...Object.fromEntries(readOnly), ...(fields["properties"] as Members) },
    ...(across === undefined ? {} : { allOf: [across] }),
    description: `${SOLVIMON[kind].objectType} as it is sent. Fields not named here are kept and passed on.`,
  };
}

function resourceSchema(kind: SolvimonKind): JsonSchema {
  const own = object({
    object_type: { type: "string", const: SOLVIMON[kind].objectType },
    id: { type: "string", pattern: `^${idPrefixOf(kind)}[0-9A-Za-z]{20}$` },
    timestamp: TIME,
  });
  return {
    allOf: [EVENT_SCHEMA[kind], own],
    description: "The event as it was sent, with its type, its id and its time.",
  };
}

function listSchema(kind: SolvimonKind): JsonSchema {
  const events = list(EVENT_SCHEMA[kind], { minItems: 1, maxItems: DEFAULT_LIMITS.eventsMax });
  const times = described(list(TIME), "For agents: when each event was first received; fills an absent timestamp.");
  return object({ [SOLVIMON[kind].listMember]: events }, { received_at: { ...times, type: ["array", "null"] } });
}
