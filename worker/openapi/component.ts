/**
 * Parts of the document that have a name. A part is written where it belongs and used as the value it is; when the
 * document is made each is moved to `components` once, and a reference stands where it was.
 */
import type { JsonSchema, Members } from "./json-schema.ts";

export type Section = "schemas" | "parameters" | "headers" | "responses";

const PLACE = Symbol("place among the components");

interface Place {
  readonly section: Section;
  readonly name: string;
  readonly make: () => JsonSchema;
}

/** Names a part of the document. A copy of it with other members is a part of its own, without a name. */
export function component(section: Section, name: string, value: JsonSchema): JsonSchema {
  // Not enumerable, so that `{...part, description}` does not pass for the part itself.
  return Object.defineProperty({ ...value }, PLACE, { value: { section, name, make: () => value } satisfies Place });
}

/** A schema with a name. */
export function schema(name: string, value: JsonSchema): JsonSchema {
  return component("schemas", name, value);
}

/** A schema with a name that is costly to make: only the document makes it, and most instances never do. */
export function lateSchema(name: string, make: () => JsonSchema): JsonSchema {
  return Object.defineProperty({}, PLACE, { value: { section: "schemas", name, make } satisfies Place });
}

export type Components = Readonly<Record<Section, Members>>;

/**
 * Takes the named parts out of a document.
 * @returns the document with references in their place, and the parts by section and name.
 * @throws where two different parts have one name.
 */
export function takeComponents(document: unknown): { readonly document: unknown; readonly components: Components } {
  const components: Record<Section, Record<string, JsonSchema>> = {
    schemas: {},
    parameters: {},
    headers: {},
    responses: {},
  };
  const known = new Map<string, object>();

  const replaced = (value: unknown): unknown => {
    if (typeof value !== "object" || value === null) return value;
    const place: Place | undefined = Reflect.get(value, PLACE);
    return place === undefined ? membersOf(value) : referenceTo(place, value);
  };
  const membersOf = (value: object): unknown =>
    Array.isArray(value)
      ? value.map(replaced)
      : Object.fromEntries(Object.entries(value).map(([name, member]) => [name, replaced(member)]));
  const referenceTo = ({ section, name, make }: Place, value: object): JsonSchema => {
    const path = `${section}/${name}`;
    const first = known.get(path);
    if (first !== undefined && first !== value) throw new Error(`two parts of the document are called ${path}`);
    if (first === undefined) {
      known.set(path, value);
      components[section][name] = membersOf(make()) as JsonSchema;
    }
    return { $ref: `#/components/${path}` };
  };

  return { document: replaced(document), components };
}
