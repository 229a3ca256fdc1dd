/**
 * Which events are the same, written plainly a second time: names are lists of words, and what is known stands in maps.
 * Shares nothing with the product but the words of its answers.
 */

export const KINDS = ["usage", "persist", "charge", "adjustment", "meter-data"] as const;
export type Kind = (typeof KINDS)[number];

/** What an event has to be known by. */
export const NAMED_BY = ["own id", "key", "position", "content", "none"] as const;
export type NamedBy = (typeof NAMED_BY)[number];

/** Headers that say where a request's events go; in the order of the names, as the client spelt them. */
export const SCOPES: readonly Readonly<Record<string, string>>[] = [
  {},
  { "zuora-entity-ids": "e1" },
  { "zuora-org-ids": "e1" },
  { "x-platform-id": "p1" },
  { "zuora-entity-ids": "e2" },
  { "zuora-entity-ids": " e1 , e2" },
  { "x-platform-id": "p2", "zuora-entity-ids": "e1" },
];

export interface SentEvent {
  readonly text: string;
  /** Of the number or text that is its own id; null for none. */
  readonly ownId: string | null;
  /** False: it happens when it arrives. */
  readonly hasTime: boolean;
}

export interface SentBody {
  readonly events: readonly SentEvent[];
  readonly scope: Readonly<Record<string, string>>;
  readonly key: string | null;
  readonly producer: string | null;
  /** Of the first event. */
  readonly position: number;
}

export type Fate = "accepted" | "duplicate" | "conflict";

export interface Judged {
  readonly fate: Fate;
  /** The name of the event that it is; one no other has for a new one. */
  readonly name: string;
}

export interface IdentityModel {
  /** What becomes of each event of a lenient request. */
  take(body: SentBody): Judged[];
  /** Names of all that was accepted, with their texts. */
  readonly accepted: ReadonlyMap<string, string>;
}

/** @param comparesContent false where the stream does not. */
export function createIdentityModel(comparesContent = true): IdentityModel {
  /** Name → text. */
  const known = new Map<string, string>();
  /** Producer and position → text and where it went. */
  const taken = new Map<string, string>();
  let news = 0;
  return {
    accepted: known,
    take({ events, scope, key, producer, position }) {
      const where = whereOf(scope);
      const equals = new Map<string, number>();
      return events.map((event, index) => {
        const at = producer === null ? null : `${producer} ${position + index}`;
        const placed = JSON.stringify([event.text, where]);
        const [by, name] = nameOf(event, index);
        const before = by === "position" ? taken.get(name) : known.get(name);
        const same = by === "position" ? before === placed : before === event.text;
        const fate: Fate = before === undefined ? "accepted" : same ? "duplicate" : "conflict";
        if (fate === "accepted") known.set(name, event.text);
        if (fate !== "conflict" && at !== null && !taken.has(at)) taken.set(at, placed);
        return { fate, name };

        function nameOf({ text, ownId, hasTime }: SentEvent, i: number): [by: string, name: string] {
          if (ownId !== null) return ["own id", JSON.stringify(["own id", where, ownId])];
          if (key !== null) return ["key", JSON.stringify(["key", where, key, i])];
          if (at !== null) return ["position", at];
          if (!hasTime || !comparesContent) return ["new", JSON.stringify(["new", ++news])];
          const number = (equals.get(text) ?? 0) + 1;
          equals.set(text, number);
          return ["content", JSON.stringify(["content", where, text, number])];
        }
      });
    },
  };
}

function whereOf(scope: Readonly<Record<string, string>>): string {
  const words = Object.entries(scope).map(([name, ids]) => [name, ids.split(",").map((id) => id.trim())]);
  return words.length === 0 ? "" : JSON.stringify(words.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}

/** An event of a kind with a quantity that tells it from others; its own id and time where they are wanted. */
export function sentEvent(kind: Kind, by: NamedBy, number: number): SentEvent {
  const hasTime = by !== "none" || kind === "usage";
  const ownId = by === "own id" ? `reference-${number}` : null;
  const more = [
    ...(ownId === null ? [] : [`"${kind === "usage" ? "Id" : "reference"}":"${ownId}"`]),
    ...(hasTime && kind !== "usage" ? ['"timestamp":"2026-01-02T03:04:05Z"'] : []),
  ];
  return { text: `{${[FIELDS[kind](number), ...more].join(",")}}`, ownId, hasTime };
}

const PRICED = '"pricing_id":"pric_1","pricing_item_id":"prii_1","pricing_item_config_id":"pric_c1"';

const FIELDS: Readonly<Record<Kind, (n: number) => string>> = {
  usage: (n) => `"CustomerId":"c","UsageIdentifier":"u","UsageDate":"2026-01-02T03:04:05Z","Quantity":${n}`,
  persist: (n) => `"customer_id":null,"pricing_plan_subscription_id":null,${PRICED},"persist_usage":"${n}"`,
  charge: (n) => `"product_item_id":"pri_1",${PRICED},"value":{"number":"${n}"}`,
  adjustment: (n) => `"product_item_id":"pri_1","amount":{"quantity":"${n}","currency":"EUR"}`,
  "meter-data": (n) => `"customer_id":"c","meter_id":"m","meter_values":[{"reference":"v","number":"${n}"}]`,
};

/** Two events alike, one other: a body, the body again, its events cut otherwise, and one that holds two of each. */
export function bodiesOf(kind: Kind, by: NamedBy, scope: Readonly<Record<string, string>>, mark: number): SentBody[] {
  const a = sentEvent(kind, by, mark + 1);
  const b = sentEvent(kind, by, mark + 2);
  const first = [a, a, b];
  const body = (events: readonly SentEvent[], position = 1): SentBody => ({
    events,
    scope,
    key: by === "key" ? `key-${mark}` : null,
    producer: by === "position" ? `producer-${mark}` : null,
    position,
  });
  const single = first.map((event, i) => body([event], 1 + i));
  const other = { ...b, ownId: a.ownId };
  return [
    body(first),
    body(first),
    ...single,
    body([a, b], 2),
    body([b, a, a, b, b], 1),
    body([...first, a, b], 1),
    // Under an own id what it names has changed; else it is one of the events above.
    body(
      [by === "own id" ? { ...other, text: b.text.replace(`reference-${mark + 2}`, `reference-${mark + 1}`) } : b],
      1,
    ),
  ];
}
