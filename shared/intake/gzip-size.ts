/** A header, an empty block, a checksum and a size. */
const GZIP_BYTES_MIN = 18;

/**
 * The size after inflation that gzip's trailer tells, modulo 2^32 (RFC 1952, section 2.3.1); null for what is too short to
 * have one. Of several members the last tells of its own size alone.
 */
export function gzipSizeTold(zipped: Uint8Array): number | null {
  if (zipped.length < GZIP_BYTES_MIN) return null;
  return new DataView(zipped.buffer, zipped.byteOffset).getUint32(zipped.byteLength - 4, true);
}
