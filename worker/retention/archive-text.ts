/**
 * The archive's format. An object is gzip of several members, so that `zcat` reads all of it and one member can be read
 * alone; a member holds batches of one tenant, each a line of JSON. A batch's row names object, offset and length.
 */
import { z } from "zod";
import type { ArchivedBatch } from "../ledger/payload-archive.ts";

/** A line also says whose it is, so that an object is of use without the database. */
export interface ArchiveLine extends ArchivedBatch {
  readonly tenant: string;
  readonly stream: string;
  readonly producer: string | null;
  readonly first: number | null;
  readonly last: number | null;
  readonly received_at: number;
}

export interface MemberPlace {
  readonly object: string;
  readonly offset: number;
  readonly length: number;
}

/** Lines are put together until they are so long: small batches share a member, and are small together. */
export const MEMBER_UNITS = 65_536;

/** Runs of lines for one member each. */
export function membersOf<T extends { readonly text: string }>(lines: readonly T[]): T[][] {
  const members: T[][] = [];
  let units = MEMBER_UNITS;
  for (const line of lines) {
    if (units >= MEMBER_UNITS) {
      members.push([]);
      units = 0;
    }
    members.at(-1)?.push(line);
    units += line.text.length;
  }
  return members;
}

/** As a batch's row names it. */
export function placeText({ object, offset, length }: MemberPlace): string {
  return `${offset}+${length} ${object}`;
}

export function parsePlace(text: string): MemberPlace | null {
  const found = /^(\d+)\+(\d+) (.+)$/.exec(text);
  if (found === null) return null;
  const [, offset, length, object = ""] = found;
  return { object, offset: Number(offset), length: Number(length) };
}

/**
 * An object's name: whose, of which day, from which batch on; the last part is another one each time, so that a repeat
 * overwrites nothing that rows name already.
 */
export function objectName(tenant: string, firstBatch: number, receivedAt: number, unique: string): string {
  const day = new Date(receivedAt).toISOString().slice(0, 10).replaceAll("-", "/");
  return `payload/${encodeURIComponent(tenant)}/${day}/${firstBatch}-${unique}.ndjson.gz`;
}

const attemptSchema = z.object({
  call_key: z.string(),
  attempt: z.number(),
  at: z.number(),
  duration_ms: z.number(),
  status: z.number().nullable(),
  verdict: z.string(),
  message: z.string().nullable(),
  from: z.number(),
  to: z.number(),
});
const lineSchema = z.object({
  batch: z.number(),
  payload: z.string(),
  entries: z.string(),
  times: z.string().nullable(),
  attempts: z.array(attemptSchema),
});

/** @throws where the text is not what was written. */
export function parseLine(text: string): ArchivedBatch {
  return lineSchema.parse(JSON.parse(text));
}
