import type { Source } from "./source.ts";
import { SpanObject } from "./span.ts";
import type { JsonObject } from "./value.ts";

/**
 * An event as a scan found it. Nothing of it is made before it is asked for, and nothing is kept: a scan has one of these,
 * which becomes the next event.
 */
export class ScannedEvent {
  /** Its members, read one by one. */
  readonly fields: SpanObject;
  private readonly body: Source;
  /** Where it lies in the body's text, in UTF-16 units. */
  private textFrom: number;
  private textTo: number;

  constructor(body: Source, fields: SpanObject, textFrom: number, textTo: number) {
    this.body = body;
    this.fields = fields;
    this.textFrom = textFrom;
    this.textTo = textTo;
  }

  /** Becomes the event that lies there. */
  become(from: number, to: number, textFrom: number, textTo: number): void {
    this.fields.become(from, to);
    this.textFrom = textFrom;
    this.textTo = textTo;
  }

  /** Itself as it is now, for good. */
  kept(): ScannedEvent {
    const fields = new SpanObject(this.fields.bytes, this.from, this.to);
    return new ScannedEvent(this.body, fields, this.textFrom, this.textTo);
  }

  /** Where it lies in the body, in bytes. */
  get from(): number {
    return this.fields.from;
  }

  get to(): number {
    return this.fields.to;
  }

  /** Its source text, byte for byte what was sent. The first of a body decodes all of it. */
  get source(): string {
    return this.body.text.slice(this.textFrom, this.textTo);
  }

  /** Parsed whole, and anew each time. */
  get value(): JsonObject {
    return this.fields.parsed();
  }
}
