/** A request's body, read within its bounds and let in by turns. */
import { type Refusal, refused } from "../../shared/intake/dialect.ts";
import { bodyTypeOf, type HeaderOf } from "../../shared/intake/request.ts";
import type { BodyForm } from "../../shared/wire.ts";
import type { Admission } from "./admission.ts";
import { readBody } from "./read-body.ts";

export interface BodyRequest {
  readonly header: HeaderOf;
  readonly body: ReadableStream<Uint8Array> | null;
}

export interface BodyBounds {
  readonly forms: readonly BodyForm[];
  /** After inflation. */
  readonly bytesMax: number;
}

/**
 * Hands the inflated body to `use` once there is room for it, and gives the room back when that is done. Refuses another
 * form or coding, too many bytes, a body that ends early, and every body while too many wait.
 */
export async function withBody<T>(
  { header, body }: BodyRequest,
  { forms, bytesMax }: BodyBounds,
  admission: Admission,
  use: (bytes: Uint8Array, form: BodyForm) => Promise<T>,
): Promise<T | Refusal> {
  const type = bodyTypeOf(header, forms);
  if (type.kind === "refused") return type;
  const read = await readBody(body, type.coding, bytesMax);
  if (read.kind === "too-large") return refused("too-large", `the body has more than ${bytesMax} bytes`);
  if (read.kind === "broken") return refused("broken-body", "the body ended early or is not valid gzip");
  const release = await admission.enter(read.bytes.length);
  if (release === null) return refused("busy", "too many large bodies at once; try again");
  try {
    return await use(read.bytes, type.form);
  } finally {
    release();
  }
}
