import type { Visit } from "../json/bodies.ts";
import type { ScannedEvent } from "../json/scanned-event.ts";
import type { SpanObject } from "../json/span.ts";
import type { JsonObject } from "../json/value.ts";
import type { Check, CheckedEvent, Keep } from "./dialect.ts";

/**
 * Takes a scan's events, each with what is wrong with it; its texts and values are still made only when they are asked for.
 * As a scan's event, a checked one is only good until `keep` returns.
 */
export function checkEach<T, R extends object>(check: Check<R>, keep: Keep<T, R>): Visit<T> {
  let checked: CheckedScan<R> | null = null;
  return (event, index) => {
    // A scan has but one event, which becomes the next.
    checked ??= new CheckedScan(event);
    checked.become(index, check(event.fields));
    return keep(checked, index);
  };
}

// A class, since an object literal with getters costs more than the scan of an event.
class CheckedScan<R extends object> implements CheckedEvent<R> {
  private readonly event: ScannedEvent;
  private index = 0;
  private wrong: readonly R[] = [];

  constructor(event: ScannedEvent) {
    this.event = event;
  }

  become(index: number, found: readonly R[]): void {
    this.index = index;
    this.wrong = found;
  }

  get found(): readonly R[] {
    return this.wrong;
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
    return this.wrong.map((error) => ({ ...error, index: this.index }));
  }
}
