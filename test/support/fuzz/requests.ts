/** Requests from an OpenAPI document: each begins as the document's own example, then hostile values take some places. */
import fc from "fast-check";
import {
  type Coded,
  HOSTILE_METHODS,
  hostileBody,
  hostileCoding,
  hostileJson,
  hostileText,
  STRANGE_HEADERS,
} from "./hostile-values.ts";

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly example?: unknown;
}
interface Media {
  readonly example?: unknown;
  readonly examples?: Readonly<Record<string, { readonly value: unknown }>>;
}
interface OperationObject {
  readonly parameters?: readonly (Parameter | { readonly $ref: string })[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<Record<string, unknown>>;
}
export interface OpenApi {
  readonly paths: Readonly<Record<string, Readonly<Record<string, OperationObject>>>>;
  readonly components: { readonly parameters: Readonly<Record<string, Parameter>> };
}

export interface Operation {
  readonly method: string;
  /** As the document writes it, parameters in braces. */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly bodies: readonly { readonly type: string; readonly value: unknown }[];
  /** Statuses by the document. */
  readonly statuses: ReadonlySet<string>;
}

export function operationsOf({ paths, components }: OpenApi): Operation[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, responses }]) => ({
      method: method.toUpperCase(),
      path,
      parameters: parameters.map((parameter) =>
        "$ref" in parameter ? resolved(components.parameters, parameter.$ref) : parameter,
      ),
      bodies: Object.entries(requestBody?.content ?? {}).flatMap(([type, { example, examples = {} }]) =>
        [example, ...Object.values(examples).map(({ value }) => value)]
          .filter((value) => value !== undefined)
          .map((value) => ({ type, value })),
      ),
      statuses: new Set(Object.keys(responses)),
    })),
  );
}

function resolved(parameters: Readonly<Record<string, Parameter>>, reference: string): Parameter {
  const found = parameters[reference.split("/").at(-1) ?? ""];
  if (found === undefined) throw new Error(`${reference} is not in the document`);
  return found;
}

export interface FuzzRequest<Caller> {
  readonly caller: Caller;
  readonly operation: Operation;
  readonly method: string;
  /** Path and query as they stand in the request line. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Values that name something which is there, by the place that takes them. */
export type Known = (operation: Operation, parameter: string) => readonly string[];

/** @param known asked anew for each caller, since not everybody may name everything in earnest. */
export function requestsOf<Caller>(
  operations: readonly Operation[],
  callers: readonly (readonly [caller: Caller, weight: number, known: Known])[],
): fc.Arbitrary<FuzzRequest<Caller>> {
  const byCaller = callers.map(([caller, weight, known]) => ({
    weight,
    arbitrary: fc.constantFrom(...operations).chain((operation) => requestOf(operation, caller, known)),
  }));
  return fc.oneof(...byCaller);
}

/** How likely a place is hostile, of ten. */
const HOSTILE_OF_TEN = 2;

function requestOf<Caller>(operation: Operation, caller: Caller, known: Known): fc.Arbitrary<FuzzRequest<Caller>> {
  const values = operation.parameters.map((parameter) => placeOf(operation, parameter, known));
  return fc
    .record({
      values: fc.tuple(...values),
      method: fc.oneof(
        { weight: 19, arbitrary: fc.constant(operation.method) },
        { weight: 1, arbitrary: fc.constantFrom(...HOSTILE_METHODS) },
      ),
      body: bodyOf(operation),
      strange: fc.oneof({ weight: 6, arbitrary: fc.constant(null) }, fc.constantFrom(...STRANGE_HEADERS)),
      more: fc.oneof(
        { weight: 12, arbitrary: fc.constant("") },
        hostileText.map((text) => `${encoded(text)}=${encoded(text)}`),
      ),
    })
    .map(({ values: found, method, body, strange, more }) => ({
      caller,
      operation,
      method,
      target: targetOf(operation, found, more),
      headers: headersOf(operation, found, body, strange),
      body: body.bytes,
    }));
}

interface Value {
  /** Null: left out. */
  readonly text: string | null;
  readonly isRaw: boolean;
}

function placeOf(operation: Operation, { name, in: place, example }: Parameter, known: Known): fc.Arbitrary<Value> {
  const names = known(operation, name);
  const documented = example === undefined ? [] : [String(example)];
  const earnest = [...names, ...documented];
  const options = [
    { weight: HOSTILE_OF_TEN, arbitrary: hostileText.map((text) => ({ text, isRaw: text.length % 2 === 1 })) },
    ...(earnest.length === 0
      ? []
      : [{ weight: 8, arbitrary: fc.constantFrom(...earnest).map((text) => ({ text, isRaw: false })) }]),
    ...(place === "path" ? [] : [{ weight: 16, arbitrary: fc.constant({ text: null, isRaw: false }) }]),
  ];
  return fc.oneof(...options);
}

function targetOf({ path, parameters }: Operation, values: readonly Value[], more: string): string {
  let target = path;
  const query: string[] = more === "" ? [] : [more];
  for (const [at, { name, in: place }] of parameters.entries()) {
    const { text, isRaw } = values[at] ?? { text: null, isRaw: false };
    if (text === null || place === "header") continue;
    const written = isRaw ? asRequestLine(text) : encoded(text);
    if (place === "path") target = target.replace(`{${name}}`, () => written);
    else query.push(`${name}=${written}`);
  }
  return query.length === 0 ? target : `${target}?${query.join("&")}`;
}

/** Percent-encoded; a lone surrogate as the bytes it would have. */
function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

/** As it is, but for what cannot stand in a request line. */
function asRequestLine(text: string): string {
  return text.toWellFormed().replaceAll(/[^\u0021-\u007e]/gu, (character) => encodeURIComponent(character));
}

function headersOf(
  { parameters }: Operation,
  values: readonly Value[],
  { type, coding }: Body,
  strange: readonly [string, string] | null,
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [at, { name, in: place }] of parameters.entries()) {
    const text = values[at]?.text ?? null;
    if (place === "header" && text !== null) headers[name.toLowerCase()] = asHeader(text);
  }
  if (type !== null) headers["content-type"] = type;
  if (coding !== null) headers["content-encoding"] = coding;
  if (strange !== null) headers[strange[0]] = strange[1];
  return headers;
}

/** As bytes in a header's place: no line ends, no other control characters, at most 4,000 of them. */
function asHeader(text: string): string {
  const bytes = Buffer.from(text, "utf8").toString("latin1");
  return bytes.replaceAll(/[^\t\u0020-\u007e\u0080-\u00ff]/g, "").slice(0, 4_000);
}

interface Body extends Coded {
  readonly type: string | null;
}

function bodyOf({ bodies }: Operation): fc.Arbitrary<Body> {
  if (bodies.length === 0) {
    return fc.oneof(
      { weight: 19, arbitrary: fc.constant({ type: null, coding: null, bytes: Buffer.alloc(0) }) },
      { weight: 1, arbitrary: hostileBody.map((bytes) => ({ type: "application/json", coding: null, bytes })) },
    );
  }
  return fc
    .tuple(fc.constantFrom(...bodies), hostileCoding)
    .chain(([{ type, value }, code]) =>
      fc
        .oneof(
          { weight: 8, arbitrary: changed(value, type).map((text) => Buffer.from(text)) },
          { weight: 1, arbitrary: hostileBody },
        )
        .map((bytes) => ({ type, ...code(bytes) })),
    );
}

/** The document's example, with up to three of its values in JSON replaced, left out or added to. */
function changed(example: unknown, type: string): fc.Arbitrary<string> {
  if (typeof example !== "string") {
    return fc.array(edit, { maxLength: 3 }).map((edits) => edits.reduce(applied, JSON.stringify(example)));
  }
  const separator = type.endsWith("urlencoded") ? "&" : "\n";
  return fc
    .array(fc.tuple(fc.nat(), hostileText), { maxLength: 2 })
    .map((edits) =>
      edits
        .reduce((parts, [at, text]) => parts.with(at % parts.length, text.toWellFormed()), example.split(separator))
        .join(separator),
    );
}

interface Edit {
  readonly at: number;
  readonly what: "value" | "name" | "leave out" | "add";
  readonly text: string;
}

const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.nat(10_000),
  what: fc.constantFrom("value", "value", "value", "name", "leave out", "add"),
  text: hostileJson,
});

/** Names and scalars of a JSON text as they stand in it, or an opening bracket. */
const TOKEN = /"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*|true|false|null|[{[]/g;

/** On the text itself, so that what comes out need not be JSON, nor be what JSON.parse makes of it. */
function applied(text: string, { at, what, text: value }: Edit): string {
  const tokens = [...text.matchAll(TOKEN)].filter(([token, colon]) => {
    if (what === "add") return token === "{" || token === "[";
    if (what === "name") return colon !== undefined;
    return colon === undefined && token !== "{" && token !== "[";
  });
  const found = tokens[at % Math.max(1, tokens.length)];
  if (found === undefined) return text;
  const before = text.slice(0, found.index);
  const after = text.slice(found.index + found[0].length);
  if (what === "leave out") return `${before}null${after}`;
  if (what === "value") return before + value + after;
  if (what === "name") return `${before}${JSON.stringify(value.slice(0, 50))}:${after}`;
  return found[0] === "{"
    ? `${before}{${JSON.stringify(value.slice(0, 20))}:${value},${after}`
    : `${before}[${value},${after}`;
}
