/** A request's body, read within its bounds and let in by turns: what every door that takes one does first. */
import { bodyCodingOf, bodyFormOf } from "../../shared/intake/headers.ts";
import { type BodyForm, HEADER } from "../../shared/wire.ts";
import { refuse, type WeirContext } from "../context.ts";
import { readBody } from "../intake/read-body.ts";

export interface BodyBounds {
  readonly forms: readonly BodyForm[];
  /** After inflation. */
  readonly bytesMax: number;
}

const MEDIA_TYPES: Readonly<Record<BodyForm, string>> = { json: "application/json", ndjson: "application/x-ndjson" };

/**
 * Hands the inflated body to `take` once there is room for it, and gives the room back when it is done. Refuses with
 * 415 another form or coding, 413 too many bytes, 400 a body that ends early, 503 while too many wait.
 */
export async function withBody(
  c: WeirContext,
  { forms, bytesMax }: BodyBounds,
  take: (bytes: Uint8Array, form: BodyForm) => Promise<Response>,
): Promise<Response> {
  const form = bodyFormOf(c.req.header(HEADER.contentType));
  if (form === null || !forms.includes(form)) {
    return refuse(c, 415, `send ${forms.map((name) => MEDIA_TYPES[name]).join(" or ")}`);
  }
  const coding = bodyCodingOf(c.req.header(HEADER.contentEncoding));
  if (coding === null) return refuse(c, 415, "send Content-Encoding gzip, or none");
  const read = await readBody(c.req.raw.body, coding, bytesMax);
  if (read.kind === "too-large") return refuse(c, 413, `the body has more than ${bytesMax} bytes`);
  if (read.kind === "broken") return refuse(c, 400, "the body ended early or is not valid gzip");
  const release = await c.get("services").admission.enter(read.bytes.length);
  if (release === null) {
    c.header("Retry-After", "1");
    return refuse(c, 503, "too many large bodies at once; try again");
  }
  try {
    return await take(read.bytes, form);
  } finally {
    release();
  }
}
