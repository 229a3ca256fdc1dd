/** Usage streams: their event schemas, and the meters that they feed. */
import { DEFAULT_FIELDS } from "../../../shared/events/stream-schema.ts";
import type { Catalog } from "../schema/document.ts";
import { Names } from "./names.ts";
import { type Complain, isInvalid, type Path, type Sound } from "./sound-part.ts";

type Stream = Sound<Catalog["streams"][number]>;
type Feeds = Sound<NonNullable<Catalog["streams"][number]["feeds"]>>;
type Meter = Sound<Catalog["meters"][number]>;

export function checkStreams(catalog: Sound<Catalog>, complain: Complain): void {
  const ids = new Names(complain);
  const meters = new Map(catalog.meters?.map((meter) => [meter?.reference, meter]));
  catalog.streams?.forEach((stream, i) => {
    const path = ["streams", i];
    ids.take(stream?.meter_global_id, [...path, "meter_global_id"]);
    if (stream === undefined) return;
    checkFields(stream, path, complain);
    const { feeds } = stream;
    if (feeds?.meter_reference === undefined) return;
    const meter = meters.get(feeds.meter_reference);
    if (meter === undefined) complain([...path, "feeds", "meter_reference"], "names no meter");
    else checkFeeds(feeds, meter, [...path, "feeds"], complain);
  });
}

function checkFields(stream: Stream, path: Path, complain: Complain): void {
  const names = new Names(complain);
  stream.fields?.forEach((field, i) => {
    names.take(field?.name, [...path, "fields", i, "name"]);
  });
  const fields = fieldsOf(stream);
  if (fields === null) return;
  const { event_id_field: idName, event_time_field: timeName } = stream;
  if (idName !== undefined) checkIdField(fields, idName, [...path, "event_id_field"], complain);
  if (timeName === undefined) return;
  const timeField = fields.find((field) => field?.name === timeName);
  // A field whose type is wrong has that error already.
  if (timeField !== undefined && timeField.type === undefined) return;
  if (timeField?.type !== "date-time") complain([...path, "event_time_field"], "must name a date-time field");
}

/** Null where fields, or names, are wrong and have that error already: which of them was meant nobody knows. */
function fieldsOf(stream: Stream): NonNullable<Stream["fields"]> | null {
  if (isInvalid(stream, "fields")) return null;
  const fields: NonNullable<Stream["fields"]> = stream.fields ?? DEFAULT_FIELDS;
  return fields.some((field) => field?.name === undefined) ? null : fields;
}

function checkIdField(fields: NonNullable<Stream["fields"]>, name: string, path: Path, complain: Complain): void {
  const idField = fields.find((field) => field?.name === name);
  if (idField === undefined) complain(path, "names no field of the stream");
  else if (idField.type === "boolean") complain(path, "must name a string or number field");
}

function checkFeeds(feeds: Feeds, meter: NonNullable<Meter>, path: Path, complain: Complain): void {
  const value = feeds.meter_value_reference;
  const known = meter.meter_values?.find((one) => one?.reference === value);
  if (value !== undefined && known === undefined) {
    complain([...path, "meter_value_reference"], "names no value of the meter");
  }
  if (known?.type === "AMOUNT") complain([...path, "meter_value_reference"], "must name a NUMBER value");
  for (const property of Object.keys(feeds.properties ?? {})) {
    if (meter.meter_properties?.some((one) => one?.reference === property) === true) continue;
    complain([...path, "properties", property], "names no property of the meter");
  }
}
