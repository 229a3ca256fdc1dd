/** The kinds of value that a setting takes: each reads one out of TOML, or says in plain words what it must be. */
import { isAbsolute, resolve } from "node:path";
import { parseSize } from "./size.ts";

export type ReadValue<T> =
  | { readonly kind: "value"; readonly value: T }
  /** To follow the setting's name: "must be …". */
  | { readonly kind: "wrong"; readonly message: string };

export interface ValueKind<T> {
  /** @param directory where relative paths start. */
  read(value: unknown, directory: string): ReadValue<T>;
}

const right = <T>(value: T): ReadValue<T> => ({ kind: "value", value });
const wrong = (message: string): ReadValue<never> => ({ kind: "wrong", message });

/** What somebody wrote, as far as it helps to see it. */
function shown(value: unknown): string {
  if (typeof value === "object" && value !== null) return Array.isArray(value) ? "a list" : "a table";
  return typeof value === "string" ? JSON.stringify(value) : String(value);
}

/** @param pattern what the whole of it must match, with the words for that. */
export function text(pattern?: { readonly like: RegExp; readonly words: string }): ValueKind<string> {
  return {
    read(value) {
      if (typeof value !== "string") return wrong(`must be a text in quotes, not ${shown(value)}`);
      if (value === "") return wrong("must not be empty");
      if (pattern !== undefined && !pattern.like.test(value)) return wrong(`must be ${pattern.words}`);
      return right(value);
    },
  };
}

/** An absolute path, or one that starts at the configuration file's directory. */
export function path(): ValueKind<string> {
  return {
    read(value, directory) {
      const read = text().read(value, directory);
      if (read.kind === "wrong" || isAbsolute(read.value)) return read;
      return right(resolve(directory, read.value));
    },
  };
}

/** A number that came as text, as one from the environment does, is as good as one without quotes. */
function numberIn(value: unknown): number | null {
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : null;
}

const counted = (value: number) => value.toLocaleString("en-US");

/** A whole number between two others, both included. */
export function integer(min: number, max: number): ValueKind<number> {
  return {
    read(value) {
      const number = numberIn(value);
      if (number !== null && Number.isInteger(number) && number >= min && number <= max) return right(number);
      return wrong(`must be a whole number from ${counted(min)} to ${counted(max)}, not ${shown(value)}`);
    },
  };
}

/** A number above 0. */
export function positive(max: number): ValueKind<number> {
  return {
    read(value) {
      const number = numberIn(value);
      if (number !== null && number > 0 && number <= max) return right(number);
      return wrong(`must be a number above 0 and at most ${counted(max)}, not ${shown(value)}`);
    },
  };
}

/** A list of texts. */
export function texts(): ValueKind<readonly string[]> {
  return {
    read(value) {
      if (!Array.isArray(value)) return wrong(`must be a list of texts, not ${shown(value)}`);
      const bad = value.find((item) => typeof item !== "string" || item === "");
      return bad === undefined ? right(value) : wrong(`must be a list of texts, not one with ${shown(bad)}`);
    },
  };
}

/** Bytes, as a number or as people write them. */
export function size(max = Number.MAX_SAFE_INTEGER): ValueKind<number> {
  return {
    read(value) {
      const bytes = typeof value === "number" ? value : typeof value === "string" ? parseSize(value) : null;
      if (bytes !== null && bytes > max) return wrong(`must be at most ${counted(max)} bytes, not ${shown(value)}`);
      if (bytes !== null && Number.isSafeInteger(bytes) && bytes > 0) return right(bytes);
      return wrong(`must be a size such as "2 GiB", "1 MB" or a number of bytes, not ${shown(value)}`);
    },
  };
}

export function oneOf<const T extends string>(...choices: readonly T[]): ValueKind<T> {
  return {
    read(value) {
      const choice = choices.find((known) => known === value);
      if (choice !== undefined) return right(choice);
      const quoted = choices.map((known) => `"${known}"`);
      return wrong(`must be ${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}, not ${shown(value)}`);
    },
  };
}

/** A base URL. What stands in it is logged and shown, so that no message repeats a wrong one: it may hold a password. */
export function baseUrl(): ValueKind<string> {
  return {
    read(value) {
      const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : null;
      if (url === null || !/^https?:$/.test(url.protocol)) return wrong("must be an http or https URL");
      if (url.username !== "" || url.password !== "")
        return wrong("must not hold a user or password; see api_key_file");
      if (url.search !== "" || url.hash !== "")
        return wrong("must not have a query or fragment: paths are put behind it");
      return right(value as string);
    },
  };
}
