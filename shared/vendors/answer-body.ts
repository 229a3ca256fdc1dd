/** Reads response bodies as what they claim to be. Pure. */
import { z } from "zod";
import type { Reading, RejectionReason } from "./vendor.ts";

/** A response body that is one whole JSON object; null for anything else, a proxy's page and a cut text among it. */
export function readObject(body: string | null): Readonly<Record<string, unknown>> | null {
  if (body === null) return null;
  try {
    // Some transports take a byte order mark off, some leave it on.
    const parsed: unknown = JSON.parse(body.replace(/^\ufeff/, ""));
    return typeof parsed === "object" && parsed !== null && !Array.isArray(parsed) ? { ...parsed } : null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** A 2xx of a vendor that names no events: all of them, or, where its body proves nothing, none. */
export function accountedFor(isProven: boolean): Reading {
  return { accounted: isProven ? "all" : "none", conflicts: [] };
}

export const reasonSchema = z.looseObject({
  code: z.union([z.number(), z.string()]).optional(),
  message: z.string().optional(),
  field: z.string().nullish(),
});

const refusalSchema = z.looseObject({
  message: z.string().optional(),
  reasons: z.array(reasonSchema).optional(),
});

/** Characters kept of a response that is no error of the vendor's. */
const TEXT_KEPT = 500;

/** Why a single event was rejected, in the response's own text. */
export function readRefusal(status: number, body: string | null): RejectionReason {
  const fallback = `the destination answered ${status}`;
  const parsed = refusalSchema.safeParse(readObject(body));
  if (!parsed.success) return { status, message: body?.trim().slice(0, TEXT_KEPT) || fallback };
  const { message, reasons } = parsed.data;
  return reasonOf(status, reasons?.[0], message ?? fallback);
}

const CODE_KEPT = 100;

function cut(code: number | string): number | string {
  return typeof code === "string" ? code.slice(0, CODE_KEPT) : code;
}

/** One listed reason as it is kept with an event, cut to a bound. */
export function reasonOf(
  status: number,
  reason: z.infer<typeof reasonSchema> | undefined,
  fallback: string,
): RejectionReason {
  return {
    status,
    ...(reason?.code === undefined ? {} : { code: cut(reason.code) }),
    message: (reason?.message ?? fallback).slice(0, TEXT_KEPT),
    ...(typeof reason?.field === "string" ? { field: reason.field.slice(0, TEXT_KEPT) } : {}),
  };
}
