import { isSolvimonKind, SOLVIMON } from "../../shared/events/kind.ts";
import type { Kind, SentBody } from "./identity-model.ts";

/** A body of the identity model as a lenient request that asks for each event's fate: its path, and what `fetch` takes. */
export function identityRequest(kind: Kind, meter: string, { events, scope, key, producer, position }: SentBody) {
  const texts = events.map(({ text }) => text).join(",");
  const list = isSolvimonKind(kind) ? SOLVIMON[kind] : null;
  return {
    path: list === null ? `/meters/streaming/ingestion/${meter}` : `/v1${list.paths.list[0]}`,
    init: {
      method: "POST",
      body: list === null ? `[${texts}]` : `{"${list.listMember}":[${texts}]}`,
      headers: {
        "content-type": "application/json",
        prefer: "handling=lenient, return=representation",
        ...scope,
        ...(key === null ? {} : { "idempotency-key": key }),
        ...(producer === null ? {} : { "weir-producer": producer, "weir-sequence": String(position) }),
      },
    },
  };
}
