/** Reads a parsed TOML document by the declared settings, and names everything in it that is not as it must be. */
import { nearestWord } from "./nearest.ts";
import { SETTINGS, type Setting, type SettingValues, TABLES, TAIL_SETTINGS, type TailValues } from "./settings.ts";

type Document = Readonly<Record<string, unknown>>;
type SettingsTable = Readonly<Record<string, Setting<unknown>>>;

export interface ReadSettings extends SettingValues {
  readonly tails: readonly TailValues[];
}

const TABLE_NAMES = Object.keys(SETTINGS).filter((name): name is Exclude<keyof SettingValues, "top"> => name !== "top");

/**
 * @param directory where relative paths start.
 * @param report told of each error, in words that name the setting. Where there is one, what is returned is not whole.
 */
export function readSettings(document: Document, directory: string, report: (error: string) => void): ReadSettings {
  const read = (settings: SettingsTable, values: Document, name: string, further: readonly string[] = []) => {
    reportUnknown(settings, values, name, further, report);
    return readTable(settings, values, directory, (key, message) =>
      report(`${name === "" ? "" : `${name}.`}${key}: ${message}`),
    );
  };
  const table = (name: (typeof TABLE_NAMES)[number]) => {
    const value = document[name] ?? {};
    if (isTable(value)) return read(TABLES[name], value, name);
    report(`${name}: must be a table: write [${name}], and its settings below`);
    return {};
  };
  // What a declaration's kinds read is what its values are; with an error nobody looks at them.
  return {
    top: read(TABLES.top, document, "", [...TABLE_NAMES, "tail"]),
    ...Object.fromEntries(TABLE_NAMES.map((name) => [name, table(name)])),
    tails: tailsIn(document["tail"], report).map((tail) => read(TAIL_SETTINGS, tail, "tail")),
  } as unknown as ReadSettings;
}

function tailsIn(value: unknown, report: (error: string) => void): readonly Document[] {
  if (value === undefined) return [];
  if (Array.isArray(value) && value.every(isTable)) return value;
  report("tail: must be tables of their own: write [[tail]], with two brackets, before each");
  return [];
}

function readTable(
  settings: SettingsTable,
  values: Document,
  directory: string,
  report: (key: string, message: string) => void,
): Readonly<Record<string, unknown>> {
  const entries = Object.entries(settings).map(([name, { key, kind, presence, sample }]) => {
    const given = values[key] ?? (presence === "default" ? sample : undefined);
    if (given === undefined) {
      if (presence === "required") report(key, "is required");
      return [name, null];
    }
    const read = kind.read(given, directory);
    if (read.kind === "value") return [name, read.value];
    report(key, read.message);
    return [name, null];
  });
  return Object.fromEntries(entries);
}

function reportUnknown(
  settings: SettingsTable,
  values: Document,
  name: string,
  further: readonly string[],
  report: (error: string) => void,
): void {
  const known = [...Object.values(settings).map(({ key }) => key), ...further];
  for (const key of Object.keys(values)) {
    if (known.includes(key)) continue;
    const place = name === "" ? "at the top level" : name === "tail" ? "in [[tail]]" : `in [${name}]`;
    report(`unknown key "${key}" ${place}${adviceOn(key, known, name)}`);
  }
}

/** A key that is right in another table was most likely put into the wrong one. */
function adviceOn(key: string, known: readonly string[], name: string): string {
  const home = TABLE_NAMES.find((table) => Object.values(TABLES[table]).some((setting) => setting.key === key));
  if (home !== undefined && home !== name) return `; it belongs in [${home}]`;
  const nearest = nearestWord(key, known);
  return nearest === null ? "" : `, did you mean "${nearest}"?`;
}

function isTable(value: unknown): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}
