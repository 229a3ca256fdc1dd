/** Random valid events of each Solvimon kind, there and back: what a client sent is what is read and delivered. */

import { expect, it } from "vitest";
import type { Random } from "../../shared/clock.ts";
import { modelRuns } from "../support/model-runs.ts";
import { seeded } from "../support/seeded.ts";
import { setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

const EVENTS = modelRuns({ full: 1_000, short: 70 });
const LIST = 50;
/** Of each kind, posted one by one rather than in a list. */
const SINGLES = modelRuns({ full: 50, short: 20 });
const SEED = 20_261_121;
const PREFIX = { persist: "prda_", charge: "chda_", adjustment: "adda_", "meter-data": "mtda_" } as const;
type Stream = keyof typeof PREFIX;
const OPERATION: Record<Stream, string> = {
  persist: "persist-data",
  charge: "charge-data",
  adjustment: "adjustment-data",
  "meter-data": "meter-data",
};

/** A member of an object as text: its name and its value's source. */
type Member = readonly [name: string, source: string];

const pick = <T>(random: Random, choices: readonly [T, ...T[]]): T =>
  choices[Math.floor(random() * choices.length)] ?? choices[0];
const digits = (random: Random, count: number) =>
  Array.from({ length: count }, () => String(Math.floor(random() * 10))).join("");

const SPACES = ["", "", "", " ", "  ", "\t", "\n", "\r\n "] as const;
const CHARACTERS = [
  "a",
  "Z",
  "9",
  " ",
  "é",
  "€",
  "💧",
  "\\n",
  '\\"',
  "\\\\",
  "\\/",
  "\\u00e9",
  "\\ud83d\\udca7",
  "\u2028",
  "\u007f",
] as const;

/** A string's source text: raw and escaped characters of every length in UTF-8. */
function string(random: Random, longest = 12): string {
  return `"${Array.from({ length: Math.floor(random() * longest) }, () => pick(random, CHARACTERS)).join("")}"`;
}

function decimal(random: Random): string {
  const fraction = random() < 0.5 ? "" : `.${digits(random, 1 + Math.floor(random() * 25))}`;
  return `"${pick(random, ["", "", "-"])}${digits(random, 1 + Math.floor(random() * 25))}${fraction}"`;
}

/** A number's source text, of the kinds that a double would bend. */
function number(random: Random): string {
  return pick(random, [
    "1.00",
    "-0",
    "1e2",
    "1E+2",
    "0.1234567890123456789",
    "12345678901234567890",
    `${1 + Math.floor(random() * 9)}.${digits(random, 20)}`,
  ]);
}

/** A value of an unknown field, nested at most so deep. */
function anything(random: Random, depth: number): string {
  const most = depth > 0 ? 6 : 4;
  switch (Math.floor(random() * most)) {
    case 0:
      return string(random);
    case 1:
      return number(random);
    case 2:
      return pick(random, ["true", "false"]);
    case 3:
      return "null";
    case 4:
      return list(
        random,
        Array.from({ length: Math.floor(random() * 4) }, () => anything(random, depth - 1)),
      );
    default:
      return object(
        random,
        Array.from({ length: Math.floor(random() * 4) }, (_, i) => [`n${i} é`, anything(random, depth - 1)]),
      );
  }
}

function list(random: Random, items: readonly string[]): string {
  const space = () => pick(random, SPACES);
  return `[${items.map((item) => space() + item + space()).join(",")}${items.length === 0 ? space() : ""}]`;
}

/** An object's source text, its members in any order and oddly spaced. */
function object(random: Random, members: readonly Member[]): string {
  const space = () => pick(random, SPACES);
  const shuffled = members
    .map((member) => ({ member, at: random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ member: [name, source] }) => `${space()}${nameText(random, name)}${space()}:${space()}${source}${space()}`);
  return `{${shuffled.join(",")}${members.length === 0 ? space() : ""}}`;
}

/** A member's name, now and then with its first letter escaped. */
function nameText(random: Random, name: string): string {
  if (name === "" || random() > 0.05) return JSON.stringify(name);
  return `"\\u${name.charCodeAt(0).toString(16).padStart(4, "0")}${name.slice(1)}"`;
}

/** Keeps each member half of the time: for optional ones. */
const some = (random: Random, members: readonly Member[]): Member[] => members.filter(() => random() < 0.5);

const amount = (random: Random, currency: string) =>
  object(random, [
    ["quantity", decimal(random)],
    ["currency", JSON.stringify(currency)],
  ]);
const anyCurrency = (random: Random) => pick(random, ["EUR", "USD", "JPY"]);

function meterValue(random: Random, measures: readonly Member[]): string {
  return object(random, [
    ...some(random, [
      ["id", string(random)],
      ["reference", string(random)],
      ["odd", anything(random, 2)],
    ]),
    ...measures,
  ]);
}

const measures = (random: Random): [Member, Member, Member] => [
  ["number", decimal(random)],
  ["amount", amount(random, anyCurrency(random))],
  ["count", decimal(random)],
];

function selector(random: Random): string {
  const entry = (more: Member[]) => list(random, [object(random, [["field", string(random)], ...more])]);
  return object(
    random,
    some(random, [
      ["data", entry([["value", anything(random, 1)]])],
      ["rules", entry([["type", '"EQUALS"']])],
      [
        "filters",
        entry([
          ["type", string(random)],
          ["value", anything(random, 1)],
        ]),
      ],
      ["fallback", pick(random, ['"LATEST"', '"NONE"'])],
    ]),
  );
}

function period(random: Random): string {
  const start = 1 + Math.floor(random() * 14);
  const at = (day: number) =>
    `"2026-03-${String(day).padStart(2, "0")}T${pick(random, ["00:00:00Z", "05:06:07.1234567+02:00"])}"`;
  return object(random, [
    ["start_at", at(start)],
    ["end_at", at(start + 1 + Math.floor(random() * 14))],
    ...some(random, [["ratio", pick(random, [decimal(random), "null"])]]),
  ]);
}

const orNull = (random: Random, source: string) => (random() < 0.2 ? "null" : source);
const flag = (random: Random) => orNull(random, pick(random, ["true", "false"]));
const id = (random: Random) => `"id_${digits(random, 6)}"`;
const PRICING = ["pricing_id", "pricing_item_id", "pricing_item_config_id"] as const;

function required(random: Random, stream: Stream): Member[] {
  const pricing = PRICING.map((name): Member => [name, id(random)]);
  switch (stream) {
    case "persist":
      return [
        ...pricing,
        ["customer_id", orNull(random, id(random))],
        ["pricing_plan_subscription_id", orNull(random, id(random))],
      ];
    case "charge":
      return [...pricing, ["product_item_id", id(random)]];
    case "adjustment":
      return [
        ["product_item_id", id(random)],
        ["amount", amount(random, "EUR")],
      ];
    case "meter-data":
      return [];
  }
}

function optional(random: Random, stream: Stream): Member[] {
  const common: Member[] = [
    ["customer_reference", orNull(random, string(random))],
    ["pricing_plan_subscription_reference", orNull(random, string(random))],
    ["pricing_plan_subscription_selector", selector(random)],
    ["timestamp", orNull(random, '"2026-01-31T23:59:59.123456789+05:30"')],
    ["note", anything(random, 4)],
    ["", anything(random, 3)],
    ["__note", number(random)],
    ["ключ", anything(random, 2)],
  ];
  switch (stream) {
    case "persist":
      return [
        ...common,
        ["period", period(random)],
        ["persist_usage", orNull(random, decimal(random))],
        ["persist_included_volume", orNull(random, decimal(random))],
        ["persist_charged_volume", flag(random)],
        ["persist_rollover_volume", flag(random)],
        ["set_rollover_volume", flag(random)],
        ["included_volume", meterValue(random, some(random, measures(random)))],
      ];
    case "charge":
      return [
        ...common,
        ["customer_id", orNull(random, string(random))],
        ["description", orNull(random, '"a_Z-9 + \\t\\n"')],
        ["value", meterValue(random, [pick(random, measures(random))])],
        ["period", period(random)],
      ];
    case "adjustment":
      return [
        ...common,
        ["description", orNull(random, '"Goodwill 💧 \\u00e9 5%."')],
        ["fixed_amount", amount(random, "EUR")],
      ];
    case "meter-data":
      return [
        ...common,
        ["customer", orNull(random, object(random, [["id", anything(random, 2)]]))],
        ["meter_id", orNull(random, id(random))],
        [
          "meter_properties",
          orNull(
            random,
            list(random, [
              object(
                random,
                some(random, [
                  ["reference", string(random)],
                  ["value", orNull(random, string(random))],
                ]),
              ),
            ]),
          ),
        ],
        [
          "meter_values",
          list(
            random,
            Array.from({ length: Math.floor(random() * 4) }, () => meterValue(random, some(random, measures(random)))),
          ),
        ],
        ["cost_prediction", orNull(random, object(random, [["any", anything(random, 2)]]))],
        ["type", string(random)],
        ["deleted", anything(random, 1)],
      ];
  }
}

/** A valid event as a client might write it. Every one has a reference, by which it is found at the twin. */
function event(random: Random, stream: Stream, reference: string): string {
  const extra: Member[] = some(random, [
    ["object_type", anything(random, 1)],
    ["id", anything(random, 1)],
  ]);
  return object(random, [
    ...required(random, stream),
    ...some(random, optional(random, stream)),
    ...extra,
    ["reference", JSON.stringify(reference)],
  ]);
}

const READ_ONLY = new Set(["object_type", "id"]);
const READ_ONLY_METER_DATA = new Set([...READ_ONLY, "type", "created_at", "deleted"]);

/** An object's members by name, values by their text without white space outside strings: an oracle of its own. */
function membersOf(source: string): Map<string, string> {
  const members = new Map<string, string>();
  const compact = source.replace(/("(?:[^"\\]|\\.)*")|[ \t\r\n]+/g, "$1");
  let depth = 0;
  let from = 1;
  for (const { 0: token, index } of compact.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],]/g)) {
    if (token === "{" || token === "[") depth++;
    if (token === "}" || token === "]") depth--;
    if (!((token === "," && depth === 1) || depth === 0)) continue;
    const member = compact.slice(from, index);
    const name = /^"(?:[^"\\]|\\.)*"/.exec(member)?.[0];
    if (name !== undefined) members.set(JSON.parse(name), member.slice(name.length + 1));
    from = index + 1;
  }
  return members;
}

const post = (edge: TestEdge, path: string, body: string, headers: Record<string, string> = {}) =>
  edge.request(`/v1/ingest/${path}`, { method: "POST", body: new TextEncoder().encode(body), headers });

/** Posts every event and tells the id of each. */
async function postAll(edge: TestEdge, stream: Stream, sources: readonly string[]): Promise<string[]> {
  const ids: string[] = [];
  for (const source of sources.slice(0, SINGLES)) {
    const answer = await post(edge, OPERATION[stream], source);
    const text = await answer.text();
    expect([answer.status, text.slice(0, 200), source]).toEqual([201, expect.any(String), source]);
    ids.push(JSON.parse(text).id);
  }
  const member = `${OPERATION[stream].replace("-", "_")}s`;
  for (let from = SINGLES; from < sources.length; from += LIST) {
    const body = `{"${member}": [${sources.slice(from, from + LIST).join(" ,\n")}]}`;
    const answer = await post(edge, `${OPERATION[stream]}s`, body, { prefer: "return=representation" });
    const outcome = await answer.json<{ accepted: number; results: { id: string }[] }>();
    expect(outcome, body.slice(0, 100)).toMatchObject({ accepted: LIST });
    ids.push(...outcome.results.map((result) => result.id));
  }
  return ids;
}

/** The twin's source texts of a stream by their reference. */
async function atTwin(stream: Stream, marker: string): Promise<Map<string, string[]>> {
  const answer = await fetch(`${twinUrl()}/twin/events?exact=1&stream=${stream}`);
  const found = new Map<string, string[]>();
  for (const line of new TextDecoder().decode(await answer.arrayBuffer()).split("\n")) {
    if (!line.includes(marker)) continue;
    const { source } = JSON.parse(line);
    const { reference } = JSON.parse(source);
    found.set(reference, [...(found.get(reference) ?? []), source]);
  }
  return found;
}

it.each(Object.keys(PREFIX) as Stream[])(
  `${EVENTS} random %s events are read back field by field and delivered letter by letter`,
  async (stream) => {
    const edge = await setupEdge({ vars: { SOLVIMON_BASE_URL: twinUrl(), SOLVIMON_API_KEY: "twin-key" } });
    const random = seeded(SEED + stream.length);
    const references = Array.from({ length: EVENTS }, (_, n) => `${edge.tenant}-${n}`);
    const sources = references.map((reference) => event(random, stream, reference));
    const ids = await postAll(edge, stream, sources);
    expect(new Set(ids).size).toBe(EVENTS);
    for (let rounds = 0; rounds < 20 && (await edge.ledger())[0]?.pending !== 0; rounds++) {
      await edge.services.delivery.sweep();
    }
    expect((await edge.ledger())[0]).toMatchObject({ accepted: EVENTS, delivered: EVENTS, quarantined: 0 });
    const delivered = await atTwin(stream, edge.tenant);
    expect(delivered.size).toBe(EVENTS);
    for (const [n, source] of sources.entries()) {
      const texts = delivered.get(references[n] ?? "") ?? [];
      expect(texts, source).toHaveLength(1);
      const read = await (await edge.request(`/v1/events/${ids[n]}`)).text();
      const timestamp = membersOf(read).get("timestamp") ?? "";
      expect(texts[0], "as sent, but for a timestamp that was absent or null").toBe(filledIn(source, timestamp));
      expect(Object.fromEntries(membersOf(read)), source).toEqual({
        ...expectedResource(stream, ids[n] ?? "", source, timestamp),
        ...(stream === "meter-data" ? { type: '"INGEST"', created_at: RECEIVED, deleted: "false" } : {}),
      });
    }
  },
);

/** When an event was received, which no sender can say. */
const RECEIVED = expect.stringMatching(/^"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"$/);

/** The one edit an event gets, made here by text alone. */
function filledIn(source: string, timestamp: string): string {
  const given = membersOf(source).get("timestamp");
  if (given === undefined) return source.replace(/\}$/, `,"timestamp":${timestamp}}`);
  if (given !== "null") return source;
  const name = '(?:"timestamp"|"\\\\u0074imestamp")\\s*:\\s*)null';
  return source.replace(new RegExp(`(${name}`), (_, before: string) => before + timestamp);
}

function expectedResource(stream: Stream, eventId: string, source: string, timestamp: string): Record<string, string> {
  const readOnly = stream === "meter-data" ? READ_ONLY_METER_DATA : READ_ONLY;
  const own = [...membersOf(source)].filter(([name]) => !readOnly.has(name));
  const objectType = `"${OPERATION[stream].replace("-", "_").toUpperCase()}"`;
  expect(eventId.startsWith(PREFIX[stream])).toBe(true);
  return { ...Object.fromEntries(own), object_type: objectType, id: JSON.stringify(eventId), timestamp };
}
