/** Random valid events of each Solvimon kind, there and back: what a client sent is what is read and delivered. */
import { expect, it } from "vitest";
import { seeded } from "../support/seeded.ts";
import { setupEdge, type TestEdge, twinUrl } from "./support/edge.ts";

const EVENTS = 1_000;
const LIST = 50;
/** Of each kind, posted one by one rather than in a list. */
const SINGLES = 50;
const SEED = 20_261_121;
const PREFIX = { persist: "prda_", charge: "chda_", adjustment: "adda_", "meter-data": "mtda_" } as const;
type Stream = keyof typeof PREFIX;
const OPERATION: Record<Stream, string> = {
  persist: "persist-data",
  charge: "charge-data",
  adjustment: "adjustment-data",
  "meter-data": "meter-data",
};

type Chance = () => number;
/** A member of an object as text: its name and its value's source. */
type Member = readonly [name: string, source: string];

const pick = <T>(chance: Chance, choices: readonly [T, ...T[]]): T =>
  choices[Math.floor(chance() * choices.length)] ?? choices[0];
const digits = (chance: Chance, count: number) =>
  Array.from({ length: count }, () => String(Math.floor(chance() * 10))).join("");

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
function string(chance: Chance, longest = 12): string {
  return `"${Array.from({ length: Math.floor(chance() * longest) }, () => pick(chance, CHARACTERS)).join("")}"`;
}

function decimal(chance: Chance): string {
  const fraction = chance() < 0.5 ? "" : `.${digits(chance, 1 + Math.floor(chance() * 25))}`;
  return `"${pick(chance, ["", "", "-"])}${digits(chance, 1 + Math.floor(chance() * 25))}${fraction}"`;
}

/** A number's source text, of the kinds that a double would bend. */
function number(chance: Chance): string {
  return pick(chance, [
    "1.00",
    "-0",
    "1e2",
    "1E+2",
    "0.1234567890123456789",
    "12345678901234567890",
    `${1 + Math.floor(chance() * 9)}.${digits(chance, 20)}`,
  ]);
}

/** A value of an unknown field, nested at most so deep. */
function anything(chance: Chance, depth: number): string {
  const most = depth > 0 ? 6 : 4;
  switch (Math.floor(chance() * most)) {
    case 0:
      return string(chance);
    case 1:
      return number(chance);
    case 2:
      return pick(chance, ["true", "false"]);
    case 3:
      return "null";
    case 4:
      return list(
        chance,
        Array.from({ length: Math.floor(chance() * 4) }, () => anything(chance, depth - 1)),
      );
    default:
      return object(
        chance,
        Array.from({ length: Math.floor(chance() * 4) }, (_, i) => [`n${i} é`, anything(chance, depth - 1)]),
      );
  }
}

function list(chance: Chance, items: readonly string[]): string {
  const space = () => pick(chance, SPACES);
  return `[${items.map((item) => space() + item + space()).join(",")}${items.length === 0 ? space() : ""}]`;
}

/** An object's source text, its members in any order and oddly spaced. */
function object(chance: Chance, members: readonly Member[]): string {
  const space = () => pick(chance, SPACES);
  const shuffled = members
    .map((member) => ({ member, at: chance() }))
    .sort((a, b) => a.at - b.at)
    .map(({ member: [name, source] }) => `${space()}${nameText(chance, name)}${space()}:${space()}${source}${space()}`);
  return `{${shuffled.join(",")}${members.length === 0 ? space() : ""}}`;
}

/** A member's name, now and then with its first letter escaped. */
function nameText(chance: Chance, name: string): string {
  if (name === "" || chance() > 0.05) return JSON.stringify(name);
  return `"\\u${name.charCodeAt(0).toString(16).padStart(4, "0")}${name.slice(1)}"`;
}

/** Keeps each member half of the time: for optional ones. */
const some = (chance: Chance, members: readonly Member[]): Member[] => members.filter(() => chance() < 0.5);

const amount = (chance: Chance, currency: string) =>
  object(chance, [
    ["quantity", decimal(chance)],
    ["currency", JSON.stringify(currency)],
  ]);
const anyCurrency = (chance: Chance) => pick(chance, ["EUR", "USD", "JPY"]);

function meterValue(chance: Chance, measures: readonly Member[]): string {
  return object(chance, [
    ...some(chance, [
      ["id", string(chance)],
      ["reference", string(chance)],
      ["odd", anything(chance, 2)],
    ]),
    ...measures,
  ]);
}

const measures = (chance: Chance): [Member, Member, Member] => [
  ["number", decimal(chance)],
  ["amount", amount(chance, anyCurrency(chance))],
  ["count", decimal(chance)],
];

function selector(chance: Chance): string {
  const entry = (more: Member[]) => list(chance, [object(chance, [["field", string(chance)], ...more])]);
  return object(
    chance,
    some(chance, [
      ["data", entry([["value", anything(chance, 1)]])],
      ["rules", entry([["type", '"EQUALS"']])],
      [
        "filters",
        entry([
          ["type", string(chance)],
          ["value", anything(chance, 1)],
        ]),
      ],
      ["fallback", pick(chance, ['"LATEST"', '"NONE"'])],
    ]),
  );
}

function period(chance: Chance): string {
  const start = 1 + Math.floor(chance() * 14);
  const at = (day: number) =>
    `"2026-03-${String(day).padStart(2, "0")}T${pick(chance, ["00:00:00Z", "05:06:07.1234567+02:00"])}"`;
  return object(chance, [
    ["start_at", at(start)],
    ["end_at", at(start + 1 + Math.floor(chance() * 14))],
    ...some(chance, [["ratio", pick(chance, [decimal(chance), "null"])]]),
  ]);
}

const orNull = (chance: Chance, source: string) => (chance() < 0.2 ? "null" : source);
const flag = (chance: Chance) => orNull(chance, pick(chance, ["true", "false"]));
const id = (chance: Chance) => `"id_${digits(chance, 6)}"`;
const PRICING = ["pricing_id", "pricing_item_id", "pricing_item_config_id"] as const;

function required(chance: Chance, stream: Stream): Member[] {
  const pricing = PRICING.map((name): Member => [name, id(chance)]);
  switch (stream) {
    case "persist":
      return [
        ...pricing,
        ["customer_id", orNull(chance, id(chance))],
        ["pricing_plan_subscription_id", orNull(chance, id(chance))],
      ];
    case "charge":
      return [...pricing, ["product_item_id", id(chance)]];
    case "adjustment":
      return [
        ["product_item_id", id(chance)],
        ["amount", amount(chance, "EUR")],
      ];
    case "meter-data":
      return [];
  }
}

function optional(chance: Chance, stream: Stream): Member[] {
  const common: Member[] = [
    ["customer_reference", orNull(chance, string(chance))],
    ["pricing_plan_subscription_reference", orNull(chance, string(chance))],
    ["pricing_plan_subscription_selector", selector(chance)],
    ["timestamp", orNull(chance, '"2026-01-31T23:59:59.123456789+05:30"')],
    ["note", anything(chance, 4)],
    ["", anything(chance, 3)],
    ["__note", number(chance)],
    ["ключ", anything(chance, 2)],
  ];
  switch (stream) {
    case "persist":
      return [
        ...common,
        ["period", period(chance)],
        ["persist_usage", orNull(chance, decimal(chance))],
        ["persist_included_volume", orNull(chance, decimal(chance))],
        ["persist_charged_volume", flag(chance)],
        ["persist_rollover_volume", flag(chance)],
        ["set_rollover_volume", flag(chance)],
        ["included_volume", meterValue(chance, some(chance, measures(chance)))],
      ];
    case "charge":
      return [
        ...common,
        ["customer_id", orNull(chance, string(chance))],
        ["description", orNull(chance, '"a_Z-9 + \\t\\n"')],
        ["value", meterValue(chance, [pick(chance, measures(chance))])],
        ["period", period(chance)],
      ];
    case "adjustment":
      return [
        ...common,
        ["description", orNull(chance, '"Goodwill 💧 \\u00e9 5%."')],
        ["fixed_amount", amount(chance, "EUR")],
      ];
    case "meter-data":
      return [
        ...common,
        ["customer", orNull(chance, object(chance, [["id", anything(chance, 2)]]))],
        ["meter_id", orNull(chance, id(chance))],
        [
          "meter_properties",
          orNull(
            chance,
            list(chance, [
              object(
                chance,
                some(chance, [
                  ["reference", string(chance)],
                  ["value", orNull(chance, string(chance))],
                ]),
              ),
            ]),
          ),
        ],
        [
          "meter_values",
          list(
            chance,
            Array.from({ length: Math.floor(chance() * 4) }, () => meterValue(chance, some(chance, measures(chance)))),
          ),
        ],
        ["cost_prediction", orNull(chance, object(chance, [["any", anything(chance, 2)]]))],
        ["type", string(chance)],
        ["deleted", anything(chance, 1)],
      ];
  }
}

/** A valid event as a client might write it. Every one has a reference, by which it is found at the twin. */
function event(chance: Chance, stream: Stream, reference: string): string {
  const extra: Member[] = some(chance, [
    ["object_type", anything(chance, 1)],
    ["id", anything(chance, 1)],
  ]);
  return object(chance, [
    ...required(chance, stream),
    ...some(chance, optional(chance, stream)),
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
    const chance = seeded(SEED + stream.length);
    const references = Array.from({ length: EVENTS }, (_, n) => `${edge.tenant}-${n}`);
    const sources = references.map((reference) => event(chance, stream, reference));
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
      expect(Object.fromEntries(membersOf(read)), source).toEqual(
        expectedResource(stream, ids[n] ?? "", source, timestamp),
      );
    }
  },
);

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
