/** A script of failures: each call takes the first one that matches it and is not used up. */
import { validateHeaderName, validateHeaderValue } from "node:http";
import { z } from "zod";

const FAILURES_MAX = 10_000;
const DELAY_MS_MAX = 600_000;

const failureSchema = z
  .strictObject({
    /** How the request's path begins; without it every ingest call matches, and no other. */
    path: z.string().startsWith("/").optional(),
    /** Only calls whose inflated body holds this text. */
    contains: z.string().min(1).optional(),
    /** How many calls it strikes. */
    times: z.int().min(1).max(1_000_000_000),
    /** Answered instead of the twin's own; nothing is accepted. */
    status: z.int().min(200).max(599).optional(),
    /** Laid over the answer's own headers; null leaves one out. */
    headers: z.record(z.string(), z.union([z.string(), z.number().transform(String), z.null()])).optional(),
    /** Waits before anything else happens; alone, the call then goes on as usual. */
    delay_ms: z.number().min(0).max(DELAY_MS_MAX).optional(),
    /** Cuts the connection: before accepting the events, or after, without an answer. Outranks `status`. */
    drop: z.enum(["before", "after"]).optional(),
  })
  .superRefine((failure, context) => {
    const { status, headers, delay_ms, drop } = failure;
    if (status === undefined && headers === undefined && delay_ms === undefined && drop === undefined) {
      context.addIssue({ code: "custom", message: "does nothing: give status, headers, delay_ms or drop" });
    }
    for (const [name, value] of Object.entries(headers ?? {})) {
      if (!isHeader(name, value ?? "")) {
        context.addIssue({ code: "custom", path: ["headers", name], message: "is no HTTP header" });
      }
    }
  });

const scriptSchema = z.array(failureSchema).max(FAILURES_MAX);

export type InjectedFailure = z.infer<typeof failureSchema>;

export type ScriptOutcome =
  | { readonly kind: "failures"; readonly failures: InjectedFailure[] }
  | { readonly kind: "refused"; readonly reasons: readonly { readonly field: string; readonly message: string }[] };

/** Reads a failure script's JSON; a refusal names each failure's place as a dotted path from its index. */
export function parseFailureScript(text: string): ScriptOutcome {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const message = error instanceof Error ? error.message : "is not JSON";
    return { kind: "refused", reasons: [{ field: "", message }] };
  }
  const parsed = scriptSchema.safeParse(value);
  if (parsed.success) return { kind: "failures", failures: parsed.data };
  const reasons = parsed.error.issues.map(({ path, message }) => ({ field: path.join("."), message }));
  return { kind: "refused", reasons };
}

function isHeader(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}

export interface ScriptedCall {
  readonly path: string;
  readonly isIngest: boolean;
  /** The inflated body; null where it could not be read. */
  readonly body: Buffer | null;
}

export class FailureScript {
  readonly #pending: { readonly failure: InjectedFailure; remaining: number }[] = [];

  append(failures: readonly InjectedFailure[]): void {
    for (const failure of failures) this.#pending.push({ failure, remaining: failure.times });
  }

  /** The failure that strikes this call, counted down; null where none does. */
  take(call: ScriptedCall): InjectedFailure | null {
    const at = this.#pending.findIndex(({ failure }) => isStruck(call, failure));
    const entry = this.#pending[at];
    if (entry === undefined) return null;
    entry.remaining--;
    if (entry.remaining === 0) this.#pending.splice(at, 1);
    return entry.failure;
  }

  /** What is still to come, each with the calls it has left. */
  list(): (InjectedFailure & { remaining: number })[] {
    return this.#pending.map(({ failure, remaining }) => ({ ...failure, remaining }));
  }

  /** Takes failures back: those with the `contains` given, or all. */
  clear(contains: string | null = null): void {
    const kept = contains === null ? [] : this.#pending.filter(({ failure }) => failure.contains !== contains);
    this.#pending.splice(0, this.#pending.length, ...kept);
  }
}

function isStruck(call: ScriptedCall, failure: InjectedFailure): boolean {
  const pathMatches = failure.path === undefined ? call.isIngest : call.path.startsWith(failure.path);
  if (!pathMatches || failure.contains === undefined) return pathMatches;
  return call.body?.includes(failure.contains) ?? false;
}
