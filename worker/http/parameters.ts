/** Query and path parameters: described once, and read by the same description. */
import { isDateTime } from "../../shared/events/date-time.ts";
import { type ValidationError, validationError } from "../../shared/events/validation-error.ts";
import type { SolvimonCode } from "../../shared/intake/solvimon-answer.ts";
import { choice, type JsonSchema, TEXT, TIME } from "../openapi/json-schema.ts";

export type ReadOutcome<T> =
  | { readonly kind: "value"; readonly value: T }
  /** Refused with 400; the code is Solvimon's, where BAD_REQUEST says too little. */
  | { readonly kind: "refused"; readonly message: string; readonly code?: SolvimonCode };

export interface Parameter<T> {
  readonly schema: JsonSchema;
  readonly description: string;
  readonly example?: unknown;
  readonly required?: boolean;
  /** @param text as it was sent, decoded; undefined where it is absent. */
  read(text: string | undefined): ReadOutcome<T>;
}

/** Parameters by their names on the wire. */
export type Parameters = Readonly<Record<string, Parameter<unknown>>>;
export type Values<P extends Parameters> = {
  readonly [Name in keyof P]: P[Name] extends Parameter<infer T> ? T : never;
};

export const value = <T>(of: T): ReadOutcome<T> => ({ kind: "value", value: of });
export const refused = (message: string): ReadOutcome<never> => ({ kind: "refused", message });

/** Any text; null where it is absent. */
export function text(description: string, example?: unknown): Parameter<string | null> {
  return { schema: TEXT, description, example, read: (given) => value(given ?? null) };
}

/** One of several words; `absent` is what its absence means. */
export function word<W extends string, A extends W | null>(
  name: string,
  words: readonly W[],
  absent: A,
  description: string,
  example: W,
): Parameter<W | A> {
  return {
    schema: { ...choice(words), ...(absent === null ? {} : { default: absent }) },
    description,
    example,
    read(given) {
      if (given === undefined) return value(absent);
      const known = words.find((one) => one === given);
      return known === undefined ? refused(`${name} is one of ${words.join(", ")}`) : value(known);
    },
  };
}

/** A whole number within bounds; `absent` is what its absence means. */
export function whole(
  bounds: { readonly min: number; readonly max: number; readonly absent: number },
  description: string,
  example: unknown,
  refusal: string,
): Parameter<number> {
  const { min, max, absent } = bounds;
  return {
    schema: { type: "integer", minimum: min, maximum: max, default: absent },
    description,
    example,
    read(given) {
      const number = given === undefined ? absent : wholeNumber(given);
      return number === null || number < min || number > max ? refused(refusal) : value(number);
    },
  };
}

/** A time in milliseconds since 1970; null where it is absent. */
export function time(name: string, description: string, example: string): Parameter<number | null> {
  return {
    schema: TIME,
    description,
    example,
    read(given) {
      if (given === undefined) return value(null);
      return isDateTime(given) ? value(Date.parse(given)) : refused(`${name} is a date-time with offset (RFC 3339)`);
    },
  };
}

/** A part of a path, which is always there. */
export function segment(description: string, example: string): Parameter<string> {
  return { schema: TEXT, description, example, read: (given) => value(given ?? "") };
}

/** Null for a text that is not a whole number a double holds exactly. */
export function wholeNumber(text: string): number | null {
  const number = Number(text);
  return /^\d{1,16}$/.test(text) && number <= Number.MAX_SAFE_INTEGER ? number : null;
}

/** A parameter as the document has it. */
export function describeParameter(
  place: "query" | "path",
  name: string,
  { schema, description, example, required }: Parameter<unknown>,
): JsonSchema {
  return {
    name,
    in: place,
    required: place === "path" || required === true,
    schema,
    description,
    ...(example === undefined ? {} : { example }),
  };
}

export type AllRead<P extends Parameters> =
  | { readonly kind: "values"; readonly values: Values<P> }
  | { readonly kind: "refused"; readonly errors: readonly ValidationError[]; readonly code?: SolvimonCode };

/** Reads every parameter of a request; all that are wrong are named. */
export function readParameters<P extends Parameters>(
  parameters: P,
  textOf: (name: string) => string | undefined,
): AllRead<P> {
  const values: Record<string, unknown> = {};
  const errors: ValidationError[] = [];
  let code: SolvimonCode | undefined;
  for (const [name, parameter] of Object.entries(parameters)) {
    const outcome = parameter.read(textOf(name));
    if (outcome.kind === "value") values[name] = outcome.value;
    else {
      errors.push(validationError(outcome.message, { field: name }));
      code ??= outcome.code;
    }
  }
  // Each name's value came from the parameter of that name.
  if (errors.length === 0) return { kind: "values", values: values as Values<P> };
  return { kind: "refused", errors, ...(code === undefined ? {} : { code }) };
}
