/** `/admin/producers`: whose a producer's name is. */
import { z } from "zod";
import { usageStream } from "../../shared/events/kind.ts";
import { validationError } from "../../shared/events/validation-error.ts";
import { coversProducer } from "../../shared/intake/producer-names.ts";
import { refuse, type WeirContext, writerOf } from "../context.ts";
import { checkedBy, jsonBody } from "../http/body.ts";
import { segment } from "../http/parameters.ts";
import { ADMIN, route } from "../http/route.ts";
import { answer } from "../openapi/answers.ts";
import { lateSchema } from "../openapi/component.ts";
import { list, object, TEXT } from "../openapi/json-schema.ts";
import { zodSchema } from "../openapi/zod-schema.ts";
import { STREAM_NAME } from "./filters.ts";

const BODY_BYTES_MAX = 16_384;

const ownerSchema = z.strictObject({
  api_key_id: z.string().min(1).max(128),
  stream: z.string().min(1).max(300).optional(),
});

const EXAMPLE = { api_key_id: "key_4fTz0Qb7Xn2LrWq9Ks1V" };

const OWNER = jsonBody({
  schema: lateSchema("ProducerOwner", () => zodSchema(ownerSchema)),
  example: EXAMPLE,
  bytesMax: () => BODY_BYTES_MAX,
  read: checkedBy(ownerSchema, "the owner is not valid"),
});

async function moveProducer(
  c: WeirContext,
  producer: string,
  { api_key_id, stream }: z.infer<typeof ownerSchema>,
): Promise<Response> {
  const maker = c.get("principal");
  if (maker.producers !== null && !coversProducer(maker.producers, producer))
    return refuse(c, 403, "the key has a list of producers, and this is not on it");
  const { keyStore, producers } = c.get("services");
  const key = await keyStore.find(c.get("tenant"), api_key_id);
  if (key === null || key.revokedAt !== null || !key.permissions.includes("METER_DATA.INGEST")) {
    const error = validationError("is no key of the tenant that sends events", { field: "api_key_id" });
    return refuse(c, 400, "the owner is not valid", [error]);
  }
  const streams = await producers.move(c.get("tenant"), producer, key.lineage, stream ?? null, writerOf(c));
  if (streams.length === 0) return refuse(c, 404, "nothing was sent under this name there");
  return c.json({ producer, api_key_id, streams: streams.sort() });
}

export const producerRoutes = [
  route(
    {
      method: "post",
      path: "/admin/producers/:producer/owner",
      permission: ADMIN,
      params: { producer: segment("A producer's name.", "plant-7") },
      body: OWNER,
      id: "moveProducer",
      tag: "Keys",
      summary: "Give a producer's name to another key, on one stream or on all where it was used",
      answers: {
        200: answer(
          "Whose it is now, with the keys it is rotated into.",
          object({ producer: TEXT, api_key_id: TEXT, streams: list(STREAM_NAME) }),
          {
            ...{ producer: "plant-7", ...EXAMPLE },
            streams: [usageStream("web-egress")],
          },
        ),
      },
    },
    (c, { path, body }) => moveProducer(c, path.producer, body),
  ),
];
