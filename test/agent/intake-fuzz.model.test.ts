/**
 * Every route of a real agent, on its port and its unix socket, with hostile values in every place and bodies framed in
 * every wrong way: each answer is one the documents name and holds no credential, the memory stays bounded, and
 * afterwards ledger and destination have exactly what the answers said was taken.
 */
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import type { StatusDocument } from "../../agent/operator/status.ts";
import { SOLVIMON, SOLVIMON_KINDS } from "../../shared/events/kind.ts";
import { scanJson, scanLines } from "../../shared/json/bodies.ts";
import { scanMembers } from "../../shared/json/document.ts";
import { lastWords } from "../../tools/processes/node-process.ts";
import { tempDir } from "../../tools/processes/temp-dir.ts";
import { until } from "../../tools/processes/until.ts";
import { type Answer, send, wrongWith } from "../support/fuzz/answers.ts";
import { answersIn, type RawAnswer, rawRequestOf, sendRaw } from "../support/fuzz/framings.ts";
import type { FuzzRequest } from "../support/fuzz/requests.ts";
import { modelRuns } from "../support/model-runs.ts";
import { cli } from "./support/cli.ts";
import { openDestination } from "./support/destination.ts";
import { agentRequests, type Caller } from "./support/fuzz-requests.ts";
import { AGENT_FLAGS } from "./support/npm-agent.ts";
import { EVENT } from "./support/setup.ts";

const REQUESTS = modelRuns({ full: 20_000, short: 400 });
/** Of so many one is written onto its connection by hand. */
const RAW_EVERY = 5;
const AT_ONCE = 6;
/** Drawn together; few enough that their bodies are no memory to speak of. */
const DRAWN_AT_ONCE = 100;
const SEED = Number(process.env["FUZZ_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
/** What docs/agent.md says of hostile bodies. */
const RSS_MB_MAX = 350;
const LIMITS = { eventsMax: 200_000, eventBytesMax: 1_000_000 };

async function setupFuzz() {
  const canary = (name: string) => `${name}-${crypto.randomUUID()}`;
  const secrets = { token: canary("token"), apiKey: canary("key"), wrong: canary("wrong") };
  const directory = tempDir("weir-fuzz");
  const destination = await openDestination();
  destination.schemas = {
    streams: [
      ...[{ meter_global_id: "m" }, { meter_global_id: "m2", deduplicate_by_content: false }],
      ...[{ meter_global_id: "__proto__" }, { meter_global_id: "with id", event_id_field: "UsageIdentifier" }],
    ],
  };
  // Refused, cut off and gone while the answer is on its way: what is sent again must not count twice.
  destination.reply = ({ path }, index) => {
    if (path.startsWith("/v1/events/calculate")) return { status: 201, body: {} };
    if (index % 7 === 3) return { status: 503 };
    return index % 11 === 5 ? "take-and-cut" : undefined;
  };
  const agent = cli(destination.url, { WEIR_API_KEY: secrets.apiKey });
  const socket = join(directory.path, "agent.sock");
  const tokenFile = join(directory.path, "token");
  writeFileSync(tokenFile, secrets.token, { mode: 0o600 });
  writeFileSync(
    agent.configFile,
    `[listen]\nport = 0\nsocket = "${socket}"\ntoken_file = "${tokenFile}"\n[destination]\nurl = "${destination.url}"\n` +
      `api_key_env = "WEIR_API_KEY"\n[upload]\nlinger_ms = 0\nbackoff_base_ms = 1\nbackoff_max_ms = 20\n`,
  );
  onTestFinished(async () => {
    await agent[Symbol.asyncDispose]();
    await destination.close();
    directory.remove();
  });
  const child = agent.run({ nodeFlags: AGENT_FLAGS });
  const url = await child.ready;
  const credentials: Record<Caller, Readonly<Record<string, string>>> = {
    nobody: {},
    "wrong token": { "x-api-key": secrets.wrong },
    key: { "x-api-key": secrets.token },
    bearer: { authorization: `Bearer ${secrets.token}` },
    socket: {},
  };
  const requests = agentRequests(["m", "m2", "__proto__", "with id"]);
  const where = (caller: Caller) => (caller === "socket" ? `unix:${socket}` : url);
  const status = async () =>
    (await (await fetch(`${url}/status`, { headers: { "x-api-key": secrets.token } })).json()) as StatusDocument;
  return { child, url, where, socket, secrets, destination, credentials, requests, status };
}

/** Memory in MB: now and the most it ever was. */
function memoryMb(pid: number) {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const [now, peak] = ["VmRSS", "VmHWM"].map((name) => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(text)?.[1]));
  return { now: ((now ?? 0) * 1.024) / 1000, peak: ((peak ?? 0) * 1.024) / 1000 };
}

/** What a 2xx says was taken anew; nothing of it, where the answer is no ingest's. */
function takenBy({ status, headers, text }: RawAnswer): { readonly accepted: number; readonly quarantined: number } {
  if (status === 201 && headers.get("idempotent-replayed") !== "true" && text.includes('"object_type"')) {
    return { accepted: 1, quarantined: 0 };
  }
  const counts =
    status === 200 ? /"accepted":(\d+),"duplicates":\d+,"conflicts":\d+,"quarantined":(\d+)/.exec(text) : null;
  return { accepted: Number(counts?.[1] ?? 0), quarantined: Number(counts?.[2] ?? 0) };
}

/** A body's events by their source text, read apart from the routes. */
function eventsIn({ target, headers, body }: FuzzRequest<Caller>): string[] {
  const text = headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
  const path = target.split("?", 1)[0] ?? "";
  const kind = SOLVIMON_KINDS.find((one) => SOLVIMON[one].paths.list.some((list) => path === `/v1${list}`));
  const members = kind === undefined ? null : scanMembers(text, 2);
  const list =
    members?.kind === "members" && kind !== undefined ? members.members.get(SOLVIMON[kind].listMember) : null;
  const isLines = /^application\/(x-ndjson|jsonl|x-jsonl)/i.test(headers["content-type"] ?? "");
  const scanned = isLines ? scanLines(text, LIMITS) : scanJson(list?.source ?? text, LIMITS);
  return scanned.kind === "events" ? scanned.events.map(({ source }) => source) : [];
}

const shown = (text: string) => JSON.stringify(text.length > 500 ? `${text.slice(0, 500)}… (${text.length})` : text);

function described({ caller, method, target, headers, body }: FuzzRequest<Caller>, framing: string): string {
  return `${caller}, ${framing}: ${method} ${shown(target)} ${shown(JSON.stringify(headers))} ${shown(body.toString("latin1"))}`;
}

test(`${REQUESTS} hostile requests to every route of the agent: no failure, no credential told, each event counted once`, {
  timeout: 1_200_000,
}, async () => {
  const fuzz = await setupFuzz();
  const { child, secrets } = fuzz;
  const agent = new Agent({ keepAlive: true, maxSockets: AT_ONCE });
  onTestFinished(() => agent.destroy());
  await until(async () => (await ask(fuzz.url, secrets.token, "nowhere")) === 404, { what: "the schemas" });

  const findings = new Map<string, string>();
  const statuses = new Map<string, number>();
  const taken = { accepted: 0, quarantined: 0 };
  const owed: string[] = [];
  const note = (request: FuzzRequest<Caller>, framing: string, answer: Answer) => {
    const status = answer.kind === "answer" ? String(answer.status) : answer.kind;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    // A grant is what somebody who knows the token is given.
    const isGrant = request.target.startsWith("/oauth/token") && status === "200";
    const never = [secrets.apiKey, secrets.wrong, ...(isGrant ? [] : [secrets.token])];
    for (const wrong of wrongWith(request, answer, { never, notToThisCaller: [] })) {
      const said = answer.kind === "answer" ? answer.text.slice(0, 300) : "";
      const { operation, method } = request;
      findings.set(
        `${wrong}: ${method} ${operation.path}`,
        `${described(request, framing)}\n    answered ${status} ${said}`,
      );
    }
    if (answer.kind !== "answer") return;
    const headers = new Map(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
    const { accepted, quarantined } = takenBy({ status: answer.status, headers, text: answer.text });
    taken.accepted += accepted + quarantined;
    taken.quarantined += quarantined;
    const events = accepted > 0 && framing === "whole" ? eventsIn(request) : [];
    if (events.length === accepted) owed.push(...events);
  };
  const ask1 = async (request: FuzzRequest<Caller>) =>
    note(request, "whole", await send(fuzz.where(request.caller), request, fuzz.credentials[request.caller], agent));
  const raws = rawRequestOf(fuzz.requests, (caller) => fuzz.credentials[caller]);
  const course: string[] = [];
  for (let from = 0; from < REQUESTS; from += DRAWN_AT_ONCE) {
    if (from % (REQUESTS / 4) === 0) course.push(memoryMb(child.pid).now.toFixed(0));
    const count = Math.min(DRAWN_AT_ONCE, REQUESTS - from);
    const rawCount = Math.floor(count / RAW_EVERY);
    const work = [
      ...fc
        .sample(fuzz.requests, { numRuns: count - rawCount, seed: SEED + from })
        .map((request) => () => ask1(request)),
      ...fc.sample(raws, { numRuns: rawCount, seed: SEED + from }).map((raw) => async () => {
        const { request, framing } = raw;
        const heard = await sendRaw(fuzz.where(request.caller), raw);
        const answers = heard === null ? null : answersIn(heard);
        if (answers === null) {
          const why =
            heard === null
              ? "the connection was never closed"
              : `what came is no HTTP: ${shown(heard.toString("latin1"))}`;
          note(request, framing, { kind: "none", why });
        }
        for (const { status, headers, text } of answers ?? []) {
          note(request, framing, { kind: "answer", status, headers: Object.fromEntries(headers), text });
        }
      }),
    ][Symbol.iterator]();
    const client = async () => {
      for (const one of work) await one();
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));
    if (!child.isRunning()) throw new Error(`FUZZ_SEED=${SEED}: the agent ended: ${lastWords(child)}`);
  }

  const counts = [...statuses].sort(([a], [b]) => a.localeCompare(b)).map(([status, count]) => `${status}: ${count}`);
  const { now, peak } = memoryMb(child.pid);
  const memory = `agent ${course.join(", ")} MB at each quarter, ${peak.toFixed(0)} at most, ${now.toFixed(0)} after`;
  const sum = `${taken.accepted} events taken, ${taken.quarantined} of them quarantined, ${owed.length} compared`;
  console.log(`seed ${SEED}; ${memory}; ${sum}; answers ${counts.join(", ")}`);
  const listed = [...findings].map(([what, where]) => `${what}\n    ${where}`);
  expect(listed, `FUZZ_SEED=${SEED}\n${listed.join("\n")}`).toEqual([]);

  expect(await ask(fuzz.url, secrets.token, "m")).toBe(200);
  const { ledger, streams } = await until(
    async () => {
      const status = await fuzz.status();
      return status.ledger.pending === 0 ? status : null;
    },
    { what: "the buffer to drain", timeoutMs: 120_000 },
  );
  expect(ledger).toMatchObject({ accepted: taken.accepted + 1, quarantined: taken.quarantined, discarded: 0 });
  expect(ledger.delivered + ledger.quarantined).toBe(ledger.accepted);
  expect(fuzz.destination.taken.size).toBe(ledger.delivered);
  expect(fuzz.destination.disagreements).toEqual([]);
  for (const { stream, first_sequence, last_sequence, ledger: of } of streams) {
    expect([stream, (last_sequence ?? 0) - (first_sequence ?? 1) + 1]).toEqual([stream, of.accepted]);
  }
  expect(missingFrom(fuzz.destination.taken.values(), owed)).toEqual([]);
  const log = child.stderr();
  for (const secret of Object.values(secrets)) expect(log).not.toContain(secret);
  expect(
    log
      .split("\n")
      .filter((line) => line !== "" && !isLogLine(line))
      .map((line) => line.slice(0, 300)),
  ).toEqual([]);
  expect(statSync(fuzz.socket).mode & 0o777).toBe(0o660);
  expect(peak, memory).toBeLessThan(RSS_MB_MAX);
});

/** The status of a post of one event. */
async function ask(url: string, token: string, meter: string): Promise<number> {
  const headers = { "content-type": "application/json", "x-api-key": token };
  const body = EVENT.replace("c1", crypto.randomUUID());
  return (await fetch(`${url}/usage/bulk/${meter}`, { method: "POST", headers, body })).status;
}

/** What of a list is not there, each as often as it is owed. */
function missingFrom(there: Iterable<string>, owed: readonly string[]): string[] {
  const left = new Map<string, number>();
  for (const one of there) left.set(one, (left.get(one) ?? 0) + 1);
  return owed.filter((one) => {
    const count = left.get(one) ?? 0;
    left.set(one, count - 1);
    return count <= 0;
  });
}

/** Whether a line is one of the log's, with nothing in it that a terminal would act on. */
function isLogLine(line: string): boolean {
  try {
    return typeof JSON.parse(line) === "object" && ![...line].some((character) => character < " ");
  } catch {
    return false;
  }
}
