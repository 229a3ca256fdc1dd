/** What several lists are narrowed by, and how a stream is named. */
import { type Parameter, text } from "../http/parameters.ts";
import { described, type JsonSchema, TEXT } from "../openapi/json-schema.ts";

export const STREAM_NAME: JsonSchema = described(TEXT, "usage/METER, persist, charge, adjustment or meter-data.");

export const STREAM: Parameter<string | null> = text(
  "A stream by its name: usage/METER, persist, charge, …",
  "usage/web-egress",
);

export const PRODUCER: Parameter<string | null> = text("A producer by its name.", "plant-7");
