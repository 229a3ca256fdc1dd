import type { ScannedEvent } from "../json/scanned-event.ts";
import type { SpanObject } from "../json/span.ts";
import type { JsonObject } from "../json/value.ts";
import type { Check, CheckedEvent } from "./dialect.ts";

/** A scanned event with what is wrong with it; its texts and values are still made only when they are asked for. */
export function checkedEvent<R extends object>(event: ScannedEvent, index: number, check: Check<R>): CheckedEvent<R> {
  return new CheckedScan(event, index, check(event.fields));
}

// A class, since an object literal with getters costs more than the scan of an event.
class CheckedScan<R extends object> implements CheckedEvent<R> {
  readonly found: readonly R[];
  private readonly event: ScannedEvent;
  private readonly index: number;

  constructor(event: ScannedEvent, index: number, found: readonly R[]) {
    this.event = event;
    this.index = index;
    this.found = found;
  }

  get fields(): SpanObject {
    return this.event.fields;
  }

  get from(): number {
    return this.event.from;
  }

  get to(): number {
    return this.event.to;
  }

  get source(): string {
    return this.event.source;
  }

  get value(): JsonObject {
    return this.event.value;
  }

  get errors(): R[] {
    return this.found.map((error) => ({ ...error, index: this.index }));
  }
}
