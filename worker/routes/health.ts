/** Is it up, can it do its work, and does what it accepts get through. No key needed: no tenant, no secret, no event is named. */
import { UPSTREAM_NAMES } from "../../shared/vendors/vendors.ts";
import type { WeirContext } from "../context.ts";
import { type DestinationStanding, mergedStanding, type Standing } from "../delivery/standing.ts";
import { DEFAULT_DESTINATION } from "../destinations/destination-requests.ts";
import { route } from "../http/route.ts";
import { logFailure } from "../log.ts";
import { answer } from "../openapi/answers.ts";
import { COUNT, choice, described, type JsonSchema, list, nullable, object, TEXT } from "../openapi/json-schema.ts";
import { STANDING, standingBody } from "./standing.ts";

function statusAnswer(description: string, status: string): JsonSchema {
  return answer(description, object({ status: { type: "string", const: status } }), { status });
}

const DESTINATION = object({
  vendor: choice(UPSTREAM_NAMES),
  destination: described(
    nullable(TEXT),
    "`default` is the account of the settings. Null: all others of the vendor together, for a name may be a tenant's.",
  ),
  ...STANDING,
});

const LEDGER = object({
  state: choice(["ok", "full"], "full: new events are answered 507 until retention has made room; delivery goes on."),
  bytes: described(COUNT, "In use; pages that retention freed are not counted, and take new rows first."),
  bytes_max: described(COUNT, "LEDGER_BYTES_MAX."),
});

const READINESS = object({
  status: choice(
    ["ok", "waiting", "full"],
    "waiting: events are accepted, and some do not reach their destination. full: see ledger.",
  ),
  database: { type: "string", const: "ok" },
  ledger: LEDGER,
  tokens: choice(["ok", "no_secret"], "no_secret: POST /oauth/token answers 503, since TOKEN_SECRET is not set."),
  destinations: list(DESTINATION),
});

const READY_EXAMPLE = {
  status: "waiting",
  database: "ok",
  ledger: { state: "ok", bytes: 1_203_404_800, bytes_max: 9_000_000_000 },
  tokens: "ok",
  destinations: [
    {
      ...{ vendor: "zuora", destination: "default", state: "waiting", since: "2026-11-01T10:05:04.012Z" },
      ...{ why: ["credentials refused (answered 401)"], lanes_waiting: 3 },
    },
    { vendor: "solvimon", destination: "default", state: "ok", since: null, why: [], lanes_waiting: 0 },
    { vendor: "solvimon", destination: null, state: "ok", since: null, why: [], lanes_waiting: 0 },
  ],
};

interface PublicStanding extends Standing {
  readonly vendor: string;
  readonly destination: string | null;
}

/** Named destinations are mostly one tenant's: anybody may know how they stand, nobody which they are. */
function unnamed(destinations: readonly DestinationStanding[]): PublicStanding[] {
  const named = destinations.filter(({ destination }) => destination !== DEFAULT_DESTINATION);
  const others = UPSTREAM_NAMES.flatMap((vendor) => {
    const own = named.filter((one) => one.vendor === vendor);
    return own.length === 0 ? [] : [{ vendor, destination: null, ...mergedStanding(own) }];
  });
  return [...destinations.filter(({ destination }) => destination === DEFAULT_DESTINATION), ...others];
}

/** Up to the next hundredth of the bound: who asks without a key learns how full it is, not what was sent just now. */
function coarse(bytes: number, bytesMax: number): number {
  const step = Math.max(1, Math.ceil(bytesMax / 100));
  return Math.ceil(bytes / step) * step;
}

/**
 * 503 only where the ledger cannot be read. One that is full still delivers, and makes room by itself. A destination
 * that does not answer is no reason to take this edge out of service: it accepts events all the same, and no other edge
 * would deliver them either.
 */
async function readiness(c: WeirContext): Promise<Response> {
  const { standing, clock, issuesTokens, ledgerSize } = c.get("services");
  try {
    const bytes = await ledgerSize.read();
    const isFull = bytes >= ledgerSize.bytesMax;
    const destinations = unnamed(await standing.destinations(clock.now()));
    const waits = destinations.some(({ state }) => state === "waiting" || state === "lanes_waiting");
    return c.json({
      status: isFull ? "full" : waits ? "waiting" : "ok",
      database: "ok",
      ledger: {
        state: isFull ? "full" : "ok",
        bytes: coarse(bytes, ledgerSize.bytesMax),
        bytes_max: ledgerSize.bytesMax,
      },
      tokens: issuesTokens ? "ok" : "no_secret",
      destinations: destinations.map(({ vendor, destination, ...rest }) => ({
        vendor,
        destination,
        ...standingBody(rest),
      })),
    });
  } catch (cause) {
    logFailure("the ledger cannot be read", cause);
    return c.json({ status: "unavailable", database: "unavailable", destinations: [] }, 503);
  }
}

export const healthRoutes = [
  route(
    {
      method: "get",
      path: "/healthz",
      permission: [],
      id: "getHealth",
      tag: "Service",
      summary: "Is it up",
      answers: { 200: statusAnswer("It is.", "ok") },
    },
    (c) => c.json({ status: "ok" }),
  ),
  route(
    {
      method: "get",
      path: "/readyz",
      permission: [],
      id: "getReadiness",
      tag: "Service",
      summary: "Can it do its work, and does what it accepts get through",
      answers: {
        200: answer("It accepts events; how delivery stands.", READINESS, READY_EXAMPLE),
        503: statusAnswer("The ledger cannot be read.", "unavailable"),
      },
    },
    readiness,
  ),
];
