/** Whether the destination answers, takes the credentials, knows the streams, and has the time we have. */
import { z } from "zod";
import { parseStream } from "../../shared/events/kind.ts";
import { readRefusal } from "../../shared/vendors/answer-body.ts";
import type { Config } from "../config/config.ts";
import type { Clock } from "../runtime/clock.ts";
import type { Dialect } from "../upload/dialect.ts";
import type { ExchangeResult } from "../upload/transport.ts";
import { type Finding, failed, sound, warned } from "./finding.ts";

type Answer = ExchangeResult & { readonly kind: "answer" };

/** Certificates and dates of events suffer beyond it; below it lies what a slow answer makes. */
const CLOCK_DIFFERENCE_MS = 5 * 60_000;

export async function checkDestination(config: Config, dialect: Dialect, clock: Clock): Promise<Finding[]> {
  const { url } = config.destination;
  const result = await dialect.greet(new AbortController().signal);
  if (result.kind !== "answer") {
    const why = result.kind === "no-response" ? result.message : "aborted";
    return [
      failed("destination", `${url}: ${why}`),
      failed("credentials", "not known: the destination gave no answer"),
    ];
  }
  return [
    reached(url, dialect, result),
    credentials(config, dialect, result),
    ...checkClock(result, clock),
    ...checkMeters(config, dialect, result),
  ];
}

function reached(url: string, dialect: Dialect, answer: Answer): Finding {
  const { status } = answer;
  if (dialect.isLetIn(answer) || status === 401 || status === 403) return sound("destination", `${url} answers`);
  return failed(
    "destination",
    `${url} answered ${status}, which ${dialect.vendor.title} would not; look at destination.url`,
  );
}

function credentials(config: Config, dialect: Dialect, answer: Answer): Finding {
  const { status, body } = answer;
  if (dialect.isLetIn(answer)) return sound("credentials", "taken");
  const source = sourceOf(config.destination);
  const said = body === null ? "" : readRefusal(status, body).message;
  const words =
    said === "" || said.includes(`answered ${status}`) ? `answered ${status}` : `answered ${status}: ${said}`;
  if (status === 401) return failed("credentials", `${source} is not known there (${words})`);
  if (status !== 403) return failed("credentials", `not known: ${words}`);
  const { permission } = dialect.vendor;
  const needed = permission === null ? "" : `; it needs ${permission}`;
  return failed("credentials", `${source} may not send events (${words})${needed}`);
}

/** Where the credentials come from, never what they are. */
function sourceOf({ apiKey, client }: Config["destination"]): string {
  if (client !== null) return `the client of destination.client_id with the secret in ${client.secretFile}`;
  if (apiKey.from === "env") return `the key in the environment variable ${apiKey.name}`;
  return apiKey.from === "file" ? `the key in ${apiKey.path}` : "the key";
}

function checkClock({ dateMs }: Answer, clock: Clock): Finding[] {
  const aheadMs = dateMs === null ? 0 : clock.now() - dateMs;
  if (Math.abs(aheadMs) < CLOCK_DIFFERENCE_MS) return [];
  const way = aheadMs > 0 ? "ahead of" : "behind";
  const seconds = Math.round(Math.abs(aheadMs) / 1000);
  return [
    warned("destination", `this machine's clock is ${seconds} s ${way} the destination's; events are dated by it`),
  ];
}

const metersSchema = z.looseObject({ streams: z.array(z.looseObject({ meter_global_id: z.string() })) });

/** Followed usage streams whose meter the edge does not have: their events would wait there until it does. */
function checkMeters({ tails }: Config, dialect: Dialect, { status, body }: Answer): Finding[] {
  if (dialect.schemaSource === null || status !== 200 || body === null) return [];
  const document = metersSchema.safeParse(parseJson(body));
  if (!document.success) return [failed("destination", "answers /schemas with what is no list of meters")];
  const meters = new Set(document.data.streams.map((stream) => stream.meter_global_id));
  return tails.flatMap(({ path, stream }) => {
    const parsed = parseStream(stream);
    if (parsed?.kind !== "usage" || meters.has(parsed.meterGlobalId)) return [];
    const meter = parsed.meterGlobalId;
    return [failed("configuration", `[[tail]] ${path}: the edge has no meter "${meter}"; mend it, or add it there`)];
  });
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return null;
  }
}
