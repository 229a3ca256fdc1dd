/** The twin's own routes under `/twin`: what it has accepted, its failure script, and starting over. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { pipeline } from "node:stream/promises";
import { type AcceptedEvent, type AcceptedEvents, eventLine, exactEventLine } from "./accepted-events.ts";
import { type Answer, jsonAnswer } from "./answer.ts";
import { readCallBody } from "./body.ts";
import { type FailureScript, parseFailureScript } from "./failure-script.ts";
import type { RequestLog } from "./request-log.ts";

export interface Controlled {
  readonly events: AcceptedEvents;
  readonly failures: FailureScript;
  readonly log: RequestLog;
  /** Forgets everything but the tokens given out. */
  readonly reset: () => void;
}

const SCRIPT_BYTES_MAX = 4_000_000;
const LINES_AT_ONCE = 2_000;

export type ControlOutcome = { readonly kind: "answer"; readonly answer: Answer } | { readonly kind: "written" };

/** Answers a call to `/twin…`; the listing of events is written as it is read. */
export async function control(
  twin: Controlled,
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
): Promise<ControlOutcome> {
  switch (`${request.method} ${url.pathname}`) {
    case "GET /twin/events":
      await writeEvents(twin.events, response, url.searchParams);
      return { kind: "written" };
    case "GET /twin/counts":
      return answered(jsonAnswer(200, { requests: twin.log.received, ...twin.events.counts() }));
    case "GET /twin/requests":
      return answered(jsonAnswer(200, { items: twin.log.list() }));
    case "GET /twin/faults":
      return answered(jsonAnswer(200, { items: twin.failures.list() }));
    case "POST /twin/faults":
      return answered(await appendFailures(twin.failures, request));
    case "DELETE /twin/faults":
      twin.failures.clear(url.searchParams.get("contains"));
      return answered({ status: 204, headers: {}, body: null });
    case "DELETE /twin":
      twin.reset();
      return answered({ status: 204, headers: {}, body: null });
    default:
      return answered(jsonAnswer(404, { success: false, message: `${request.method} ${url.pathname} is not known` }));
  }
}

function answered(answer: Answer): ControlOutcome {
  return { kind: "answer", answer };
}

async function appendFailures(failures: FailureScript, request: IncomingMessage): Promise<Answer> {
  const body = await readCallBody(request, SCRIPT_BYTES_MAX);
  if (body.kind !== "body") return jsonAnswer(413, { success: false, message: "the fault script is too large" });
  const script = parseFailureScript(body.bytes.toString("utf8"));
  if (script.kind === "refused") {
    return jsonAnswer(400, { success: false, message: "the fault script is invalid", reasons: script.reasons });
  }
  failures.append(script.failures);
  return jsonAnswer(200, { items: failures.list() });
}

/** Rejects when the reader goes away half-way. */
async function writeEvents(events: AcceptedEvents, response: ServerResponse, query: URLSearchParams): Promise<void> {
  const line = query.get("exact") === "1" ? exactEventLine : eventLine;
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  await pipeline(chunksOf(events.list(query.get("stream")), line), response);
}

/** Many lines a chunk: one write for each would cost more than the lines. */
function* chunksOf(events: Iterable<AcceptedEvent>, line: (event: AcceptedEvent) => string): Generator<string> {
  let lines: string[] = [];
  for (const event of events) {
    lines.push(line(event));
    if (lines.length < LINES_AT_ONCE) continue;
    yield `${lines.join("\n")}\n`;
    lines = [];
  }
  if (lines.length > 0) yield `${lines.join("\n")}\n`;
}
