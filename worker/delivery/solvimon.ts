/**
 * Solvimon as an upstream: persist, charge and adjustment events one a call, meter data in lists of 50, which
 * it takes or refuses whole.
 */
import { parseStream } from "../../shared/events/kind.ts";
import { withTimestamp } from "../../shared/intake/solvimon-answer.ts";
import { SOLVIMON_PATHS, SOLVIMON_VERSION } from "../../shared/wire.ts";
import type { SolvimonSettings } from "../env.ts";
import type { UpstreamContext } from "../intake/scope.ts";
import type { Dialect } from "./dialect.ts";
import { exchange, type Fetch } from "./exchange.ts";

/** Meter data of one list call, by the vendor's documentation. */
const LIST_MAX = 50;
/** No bound on bytes is published; far above any single event. */
const BYTES_MAX = 8_000_000;

/** @param settings with a base URL. */
export function createSolvimon(settings: SolvimonSettings & { baseUrl: string }, fetch: Fetch): Dialect {
  return {
    name: "solvimon",
    takesSingly: true,
    limitsOf: (stream) => ({ bytesMax: BYTES_MAX, eventsMax: stream === "meter-data" ? LIST_MAX : 1 }),
    async send(call) {
      const kind = parseStream(call.stream)?.kind ?? "usage";
      if (kind === "usage") throw new Error("usage streams do not go to Solvimon");
      const events = call.events().map(({ source, receivedAt }) => withTimestamp(source, receivedAt));
      const isList = kind === "meter-data";
      const path = isList ? SOLVIMON_PATHS[kind].list[0] : SOLVIMON_PATHS[kind].single[0];
      const scope: UpstreamContext = call.context === "" ? {} : JSON.parse(call.context);
      const headers: Record<string, string> = {
        "x-api-key": settings.apiKey,
        "content-type": "application/json",
        "idempotency-key": call.callKey,
        ...(scope.platform === undefined ? {} : { "x-platform-id": scope.platform }),
      };
      const body = isList ? `{"meter_datas":[${events.join(",")}]}` : events.join("");
      const url = `${settings.baseUrl}/v${SOLVIMON_VERSION}${path}`;
      return { ...(await exchange(fetch, url, { method: "POST", headers, body }, call.timeoutMs)), sent: true };
    },
  };
}
