/**
 * The destination as it should be: takes each position once, refuses what is too large or marked, unless the
 * history has it treat a call otherwise: answers of trouble, or none at all.
 */
import { CONFLICT_CODE } from "../../../shared/events/validation-error.ts";
import { kindOf } from "./event-text.ts";

export interface EdgeCall {
  readonly stream: string;
  readonly producer: string;
  readonly first: number;
  readonly texts: readonly string[];
}

/** What a call meets instead of, or after, being taken. */
export type Treatment =
  | { readonly kind: "as-due" }
  /** An answer of trouble; nothing is taken. */
  | { readonly kind: "status"; readonly status: number; readonly retryAfterS: number | null }
  /** No answer: before the call was taken, or after. */
  | { readonly kind: "no-response"; readonly reason: "network" | "timeout"; readonly taken: boolean }
  /** A success that does not account for the events sent. */
  | { readonly kind: "false-success"; readonly body: string; readonly taken: boolean };

export interface EdgeAnswer {
  readonly status: number;
  readonly retryAfterS: number | null;
  readonly body: string;
}

export interface EdgeModel {
  /** Texts by `STREAM PRODUCER POSITION`. */
  readonly taken: Map<string, string>;
  /** Positions that came again with other content; an agent that is right never causes one. */
  readonly disagreements: string[];
  /** Null is no response. */
  answer(call: EdgeCall, treatment: Treatment): EdgeAnswer | null;
  /** From here on refuses nothing any more but what is too large. */
  relent(): void;
  /** Forgets every `nth` position it has, as a database restored from yesterday would. */
  lose(nth: number): void;
}

const EVENTS_MAX = 4;
const BYTES_MAX = 200;

export function createEdgeModel(): EdgeModel {
  const taken = new Map<string, string>();
  const disagreements: string[] = [];
  let strict = true;

  const take = ({ stream, producer, first, texts }: EdgeCall): EdgeAnswer => {
    const counts = { accepted: 0, duplicates: 0, conflicts: 0, quarantined: 0 };
    const results = texts.map((text, index) => {
      const key = `${stream} ${producer} ${first + index}`;
      const before = taken.get(key);
      if (before === undefined && strict && kindOf(text) === "conflict") {
        counts.conflicts++;
        return { index, id: key, status: "conflict", reasons: [CONFLICT] };
      }
      if (before !== undefined && before !== text) disagreements.push(key);
      taken.set(key, text);
      // What it quarantines is its own from then on, as much as what it accepts.
      const status = before !== undefined ? "duplicates" : kindOf(text) === "invalid" ? "quarantined" : "accepted";
      counts[status]++;
      return { index, id: key, status };
    });
    return { status: 200, retryAfterS: null, body: JSON.stringify({ success: true, ...counts, results }) };
  };

  const judge = (call: EdgeCall): EdgeAnswer => {
    const bytes = call.texts.reduce((sum, text) => sum + text.length, 0);
    if (call.texts.length > EVENTS_MAX || bytes > BYTES_MAX) return refusal(413, "too large");
    const marked = call.texts.map(kindOf).find((kind) => strict && kind.startsWith("refused-"));
    return marked === undefined ? take(call) : refusal(Number(marked.slice("refused-".length)), marked);
  };

  return {
    taken,
    disagreements,
    answer(call, treatment) {
      switch (treatment.kind) {
        case "as-due":
          return judge(call);
        case "status":
          return { ...refusal(treatment.status, "trouble"), retryAfterS: treatment.retryAfterS };
        case "no-response":
          if (treatment.taken) judge(call);
          return null;
        case "false-success":
          if (treatment.taken) judge(call);
          return { status: 200, retryAfterS: null, body: treatment.body };
      }
    },
    relent() {
      strict = false;
    },
    lose(nth) {
      for (const [index, key] of [...taken.keys()].entries()) if (index % nth === 0) taken.delete(key);
    },
  };
}

const CONFLICT = { code: CONFLICT_CODE, message: "taken with other content" };

function refusal(status: number, message: string): EdgeAnswer {
  return { status, retryAfterS: null, body: JSON.stringify({ success: false, message, reasons: [] }) };
}
