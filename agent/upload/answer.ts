/** Reads what the destination said about a shipment. Pure. */
import { z } from "zod";
import type { QuarantineReason } from "../buffer/transactions/operations.ts";

const faultSchema = z.looseObject({
  code: z.union([z.number(), z.string()]).optional(),
  message: z.string().optional(),
  field: z.string().nullish(),
});

const count = z.int().nonnegative().optional();

const answerSchema = z.looseObject({
  accepted: count,
  duplicates: count,
  conflicts: count,
  quarantined: count,
  results: z
    .array(
      z.looseObject({ index: z.int().nonnegative(), status: z.string(), reasons: z.array(faultSchema).optional() }),
    )
    .optional(),
});

const refusalSchema = z.looseObject({
  message: z.string().optional(),
  reasons: z.array(faultSchema).optional(),
});

export interface Conflict {
  readonly index: number;
  readonly reason: QuarantineReason;
}

export type Acknowledgement =
  /** The counts add up; every event but the conflicts is the edge's now. */
  | { readonly kind: "accounted"; readonly conflicts: readonly Conflict[] }
  /** The counts add up, but which events conflict was not said. */
  | { readonly kind: "unnamed-conflicts" }
  /** No JSON, or counts that do not add up: whatever it was, it is no proof. */
  | { readonly kind: "unaccounted" };

/**
 * Reads a 2xx. Absent counts are 0; the four must add up to the events sent, or nothing is believed.
 */
export function readAcknowledgement(status: number, body: string | null, sent: number): Acknowledgement {
  const parsed = answerSchema.safeParse(parseJson(body));
  if (!parsed.success) return { kind: "unaccounted" };
  const { accepted = 0, duplicates = 0, conflicts = 0, quarantined = 0, results = [] } = parsed.data;
  if (accepted + duplicates + conflicts + quarantined !== sent) return { kind: "unaccounted" };
  if (conflicts === 0) return { kind: "accounted", conflicts: [] };
  const named = results.filter((result) => result.status === "conflict" && result.index < sent);
  const indexes = new Set(named.map((result) => result.index));
  if (indexes.size !== conflicts || named.length !== conflicts) {
    const alone = { index: 0, reason: { status, message: "the destination has other content under this identity" } };
    return sent === 1 ? { kind: "accounted", conflicts: [alone] } : { kind: "unnamed-conflicts" };
  }
  return {
    kind: "accounted",
    conflicts: named.map(({ index, reasons }) => ({ index, reason: reasonOf(status, reasons?.[0], "conflict") })),
  };
}

/** The destination's own words for refusing a single event. */
export function readRefusal(status: number, body: string | null): QuarantineReason {
  const parsed = refusalSchema.safeParse(parseJson(body));
  if (!parsed.success) return { status, message: shortened(body) ?? `the destination answered ${status}` };
  const { message, reasons } = parsed.data;
  return reasonOf(status, reasons?.[0], message ?? `the destination answered ${status}`);
}

function reasonOf(status: number, fault: z.infer<typeof faultSchema> | undefined, fallback: string): QuarantineReason {
  return {
    status,
    ...(fault?.code === undefined ? {} : { code: fault.code }),
    message: fault?.message ?? fallback,
    ...(typeof fault?.field === "string" ? { field: fault.field } : {}),
  };
}

function shortened(body: string | null): string | null {
  const text = body?.trim().slice(0, 500);
  return text === undefined || text === "" ? null : text;
}

function parseJson(body: string | null): unknown {
  if (body === null) return null;
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
