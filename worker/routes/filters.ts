/** What several lists are narrowed by, and how a stream is named. */
import { PRODUCER_PATTERN } from "../../shared/wire.ts";
import { type Parameter, refused, text, value } from "../http/parameters.ts";
import { described, type JsonSchema, TEXT } from "../openapi/json-schema.ts";

export const STREAM_NAME: JsonSchema = described(TEXT, "usage/METER, persist, charge, adjustment or meter-data.");

export const STREAM: Parameter<string | null> = text(
  "A stream by its name: usage/METER, persist, charge, …",
  "usage/web-egress",
);

export const PRODUCER: Parameter<string | null> = text("A producer by its name.", "plant-7");

export const THIS_PRODUCER: Parameter<string> = {
  schema: { type: "string", pattern: PRODUCER_PATTERN.source },
  description: "Whose rows.",
  example: "plant-7",
  required: true,
  read: (name = "") => (PRODUCER_PATTERN.test(name) ? value(name) : refused("name a producer: ?producer=NAME")),
};
