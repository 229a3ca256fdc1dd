/** The archive in an R2 bucket: written by retention, read where an event of a batch that left the ledger is shown. */
import { gzipSync } from "node:zlib";
import { gunzip } from "../intake/gunzip.ts";
import type { ArchivedBatch, ArchivePlace, PayloadArchive } from "../ledger/payload-archive.ts";
import { logFailure } from "../log.ts";
import { type ArchiveLine, membersOf, objectName, parseLine, parsePlace, placeText } from "./archive-text.ts";

export interface Archive extends PayloadArchive {
  /**
   * Writes the batches of one tenant as one object. It is whole in the bucket when this returns.
   * @returns by batch what its row is to say. @throws where the bucket fails: nothing may leave the database then.
   */
  write(tenant: string, lines: readonly ArchiveLine[]): Promise<ReadonlyMap<number, string>>;
}

/** Members that one reading takes, and their bytes after inflation: a page shows the others without their text. */
const MEMBERS_MAX = 48;
const MEMBER_BYTES_MAX = 8_000_000;
const READ_BYTES_MAX = 12_000_000;

export function createArchive(bucket: R2Bucket): Archive {
  return {
    async write(tenant, lines) {
      const [first] = lines;
      if (first === undefined) return new Map();
      const object = objectName(tenant, first.batch, first.received_at, crypto.randomUUID().slice(0, 8));
      const { bytes, places } = packed(object, lines);
      await bucket.put(object, bytes, { httpMetadata: { contentType: "application/gzip" } });
      return places;
    },
    read: (places) => readBatches(bucket, places),
  };
}

function packed(object: string, lines: readonly ArchiveLine[]) {
  const encoder = new TextEncoder();
  const members: Uint8Array[] = [];
  const places = new Map<number, string>();
  let offset = 0;
  for (const member of membersOf(lines.map((line) => ({ batch: line.batch, text: `${JSON.stringify(line)}\n` })))) {
    const zipped = gzipSync(encoder.encode(member.map(({ text }) => text).join("")));
    for (const { batch } of member) places.set(batch, placeText({ object, offset, length: zipped.length }));
    members.push(zipped);
    offset += zipped.length;
  }
  const bytes = new Uint8Array(offset);
  let at = 0;
  for (const member of members) {
    bytes.set(member, at);
    at += member.length;
  }
  return { bytes, places };
}

async function readBatches(
  bucket: R2Bucket,
  places: readonly ArchivePlace[],
): Promise<ReadonlyMap<number, ArchivedBatch>> {
  const found = new Map<number, ArchivedBatch>();
  const byMember = [...Map.groupBy(places, ({ archive }) => archive)].slice(0, MEMBERS_MAX);
  let bytes = 0;
  for (const [archive, wanted] of byMember) {
    if (bytes >= READ_BYTES_MAX) break;
    try {
      const text = await readMember(bucket, archive);
      bytes += text.length;
      const batches = new Set(wanted.map(({ batch }) => batch));
      for (const line of text.split("\n")) {
        const archived = line === "" ? null : parseLine(line);
        if (archived !== null && batches.has(archived.batch)) found.set(archived.batch, archived);
      }
    } catch (cause) {
      logFailure("archived payload could not be read; its events are shown without it", cause);
    }
  }
  return found;
}

/** @throws where it is not there, or not what was written. */
async function readMember(bucket: R2Bucket, archive: string): Promise<string> {
  const place = parsePlace(archive);
  if (place === null) throw new Error("a batch names no place in the archive");
  const { object, offset, length } = place;
  const body = await bucket.get(object, { range: { offset, length } });
  if (body === null) throw new Error(`the archive has no ${object}`);
  const inflated = gunzip(new Uint8Array(await body.arrayBuffer()), MEMBER_BYTES_MAX);
  if (inflated.kind !== "bytes") throw new Error(`${object} is not as it was written`);
  return new TextDecoder().decode(inflated.bytes);
}
