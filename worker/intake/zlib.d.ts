/** That workerd has zlib as well; the types of Node, which say the rest, do not belong into a Worker. */
declare module "node:zlib" {
  /** @throws RangeError of code ERR_BUFFER_TOO_LARGE beyond maxOutputLength; an Error for what is not gzip. */
  export function gunzipSync(
    bytes: Uint8Array,
    options: { readonly maxOutputLength: number; readonly chunkSize: number; readonly info: true },
  ): unknown;
  export function gzipSync(bytes: Uint8Array): Uint8Array;
}
