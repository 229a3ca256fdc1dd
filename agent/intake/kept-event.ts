/** What is kept of a body's events while its request is answered: as little as its answer and the log need. */
import { ERRORS_LISTED_MAX, type ValidationError } from "../../shared/events/validation-error.ts";
import { CONTENT_HASH_BYTES, contentHash, ownIdOf, type SentIds, sentIdsText } from "../../shared/identity.ts";
import type { Dialect, Keep, Reason } from "../../shared/intake/dialect.ts";
import type { QuarantineReason } from "../buffer/tables/quarantine.ts";
import type { AppendInput, InvalidEvents } from "../buffer/transactions/append.ts";
import { ByteBlocks } from "./byte-blocks.ts";
import { Numbers } from "./numbers.ts";

/** From here on an event keeps but its first error: sixteen bytes of JSON may make two hundred of errors. */
const ERRORS_KEPT_MAX = 10_000;
/** Equal errors of different events are kept once; so many are looked for. */
const ERRORS_SHARED_MAX = 1_000;

/** The events of one body, in order. */
export interface KeptEvents<R extends Reason> {
  readonly count: number;
  /** How many are not valid. */
  readonly invalid: number;
  /** Whether each says when it happened, or is not valid, so that its repeat is no second event. */
  readonly areRepeatable: boolean;
  /** Own ids by index; of those that have one. */
  readonly ownIds: ReadonlyMap<number, string>;
  /** The first bytes of each one's content hash, laid end to end; empty where no key asks for them. */
  readonly hashes: Uint8Array;
  /** What is wrong with those that are not valid, by index, without it; of many, each one's first. */
  readonly errors: KeptErrors<R>;
}

/** Keeps what it is shown of a body's events. */
export class EventKeeper<R extends Reason> {
  private readonly offsets = new Numbers();
  private readonly ownIdField: string | null;
  private readonly dialect: Pick<Dialect<R>, "readOnly" | "carriesTime">;
  private readonly hashes: ByteBlocks | null;
  private readonly errors = new KeptErrors<R>();
  private ownIds: Map<number, string> | null = null;
  private areRepeatable = true;

  /** @param isKeyed whether the request's idempotency key asks for hashes of content. */
  constructor(ownIdField: string | null, dialect: Pick<Dialect<R>, "readOnly" | "carriesTime">, isKeyed: boolean) {
    this.ownIdField = ownIdField;
    this.dialect = dialect;
    this.hashes = isKeyed ? new ByteBlocks() : null;
  }

  readonly keep: Keep<void, R> = ({ from, to, fields, found }, index) => {
    this.offsets.push(from);
    this.offsets.push(to);
    const ownId = this.ownIdField === null ? null : ownIdOf(fields.get(this.ownIdField));
    if (ownId !== null) {
      this.ownIds ??= new Map();
      this.ownIds.set(index, ownId);
    }
    this.hashes?.add(contentHash(fields, this.dialect.readOnly).subarray(0, CONTENT_HASH_BYTES));
    if (found.length > 0) this.errors.add(index, found);
    else this.areRepeatable &&= this.dialect.carriesTime(fields);
  };

  /** Where each lies in the body: two offsets. */
  get spans(): Uint32Array {
    return this.offsets.all;
  }

  /** What was kept so far. */
  kept(): KeptEvents<R> {
    return {
      count: this.offsets.length / 2,
      invalid: this.errors.count,
      areRepeatable: this.areRepeatable,
      ownIds: this.ownIds ?? NO_IDS,
      hashes: this.hashes?.take() ?? NO_HASHES,
      errors: this.errors,
    };
  }
}

const NO_IDS: ReadonlyMap<number, string> = new Map();
const NO_HASHES = new Uint8Array(0);

/** What is wrong with which events: eight bytes an event, beside each list of errors once. */
export class KeptErrors<R extends Reason> {
  private readonly indexes = new Numbers();
  /** Which of the lists is whose. */
  private readonly which = new Numbers();
  private readonly lists: (readonly R[])[] = [];
  private shared: Map<string, number> | null = null;
  private kept = 0;

  get count(): number {
    return this.indexes.length;
  }

  /** Of one event, behind all before it. */
  add(index: number, errors: readonly R[]): void {
    const [first] = errors;
    if (first === undefined) return;
    this.indexes.push(index);
    const isWhole = errors.length > 1 && this.kept + errors.length <= ERRORS_KEPT_MAX;
    if (isWhole) this.kept += errors.length;
    this.which.push(isWhole ? this.lists.push(errors) - 1 : this.share(first));
  }

  private share(error: R): number {
    this.shared ??= new Map();
    const found = this.shared.get(error.message);
    if (found !== undefined) return found;
    const place = this.lists.push([error]) - 1;
    if (this.shared.size < ERRORS_SHARED_MAX) this.shared.set(error.message, place);
    return place;
  }

  /** Of one event; undefined where nothing is wrong with it. */
  get(index: number): readonly R[] | undefined {
    const at = this.placeOf(index);
    return this.indexes.all[at] === index ? this.lists[this.which.all[at] ?? 0] : undefined;
  }

  /** How many events before `index` something is wrong with. */
  private placeOf(index: number): number {
    const { all } = this.indexes;
    let [low, high] = [0, all.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((all[middle] ?? 0) < index) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** In order. */
  *[Symbol.iterator](): Generator<readonly [index: number, errors: readonly R[]]> {
    for (const [at, index] of this.indexes.all.entries()) yield [index, this.lists[this.which.all[at] ?? 0] ?? []];
  }

  /** As the log takes them, each list by its first error. */
  invalid(reasonOf: (error: R) => QuarantineReason): InvalidEvents {
    const reasons = this.lists.map(([error]) => {
      if (error === undefined) throw new RangeError("an event is not valid for no reason");
      return reasonOf(error);
    });
    return { indexes: this.indexes.all.slice(), which: this.which.all.slice(), reasons };
  }
}

/** As many errors as an answer lists, in order, each with its event's index. */
export function listedErrors<R extends Reason>({ errors }: KeptEvents<R>): R[] {
  const listed: R[] = [];
  for (const [index, found] of errors) {
    for (const error of found) listed.push({ ...error, index });
    if (listed.length >= ERRORS_LISTED_MAX) break;
  }
  return listed;
}

/** The events that go to quarantine, each by its first error. */
export function invalidOf<R extends Reason>(dialect: Dialect<R>, { errors }: KeptEvents<R>): InvalidEvents {
  return errors.invalid((error) => withoutIndex(reasonOf(dialect.listed(error, 0))));
}

/** The index is each event's own; it is added where the reason is written down. */
function withoutIndex({ index: _, ...reason }: QuarantineReason): QuarantineReason {
  return reason;
}

/** Why the agent itself holds an event back, in the words its sender got. */
export function reasonOf(error: ValidationError): QuarantineReason {
  return { status: 400, ...error };
}

/** A key is one for each set of ids: the same key for another entity brings other events. */
export function keyedBody<R extends Reason>(
  idempotencyKey: string,
  scope: SentIds,
  events: KeptEvents<R>,
): AppendInput["idempotency"] {
  const where = sentIdsText(scope);
  // No header holds a line feed: the two never read like a key alone.
  const key = where === "" ? idempotencyKey : `${where}\n${idempotencyKey}`;
  const ownIds = new Uint8Array(events.count);
  for (const index of events.ownIds.keys()) ownIds[index] = 1;
  return { key, hashes: events.hashes, ownIds };
}
