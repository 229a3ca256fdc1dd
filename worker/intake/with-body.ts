/** A request's body, read within its bounds as there is room for it. */
import { type Refusal, refused } from "../../shared/intake/dialect.ts";
import { bodyTypeOf, type HeaderOf } from "../../shared/intake/request.ts";
import { type BodyForm, HEADER } from "../../shared/wire.ts";
import type { Admission, Room } from "./admission.ts";
import { type ReadOutcome, readBody } from "./read-body.ts";

export interface BodyRequest {
  readonly header: HeaderOf;
  readonly body: ReadableStream<Uint8Array> | null;
  readonly tenant: string;
}

export interface BodyBounds {
  readonly forms: readonly BodyForm[];
  /** After inflation. */
  readonly bytesMax: number;
}

/**
 * Hands the inflated body to `use` once there is room for it, and gives the room back when that is done. Refuses another
 * form or coding, too many bytes, a body that ends early, and one that finds no room.
 * @param tenant whose body it is.
 */
export async function withBody<T>(
  { header, body, tenant }: BodyRequest,
  { forms, bytesMax }: BodyBounds,
  admission: Admission,
  use: (bytes: Uint8Array, form: BodyForm) => Promise<T>,
): Promise<T | Refusal> {
  const type = bodyTypeOf(header, forms);
  if (type.kind === "refused") return type;
  const { coding, form } = type;
  const sent = { stream: body, coding, declared: header(HEADER.contentLength) };
  return withRoom(admission, tenant, async (room) => {
    const read = await readBody(sent, bytesMax, room);
    return read.kind === "bytes" ? use(read.bytes, form) : refusalOf(read.kind, bytesMax);
  });
}

/** Gives the room back however it ends. */
export async function withRoom<T>(admission: Admission, tenant: string, use: (room: Room) => Promise<T>): Promise<T> {
  const room = admission.open(tenant);
  try {
    return await use(room);
  } finally {
    room.leave();
  }
}

/** A body that was not read, in the words of an answer. */
export function refusalOf(kind: Exclude<ReadOutcome["kind"], "bytes">, bytesMax: number): Refusal {
  switch (kind) {
    case "too-large":
      return refused("too-large", `the body has more than ${bytesMax} bytes`);
    case "broken":
      return refused("broken-body", "the body ended early or is not valid gzip");
    case "busy":
      return refused("busy", "there is no room for the body, or it came too slowly while others wait; try again");
  }
}
