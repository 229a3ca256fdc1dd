/**
 * What the twin has accepted. Lives in memory: events are kept by their exact source text, in order of arrival,
 * and are gone when the process ends.
 */

/** Whose events they are: the headers that a call carried for all its events. */
export interface CallOrigin {
  readonly entityIds: string | null;
  readonly orgIds: string | null;
  readonly platformId: string | null;
}

export interface AcceptedEvent {
  readonly stream: string;
  readonly source: string;
  readonly origin: CallOrigin;
}

export interface StreamCounts {
  readonly events: number;
  /** Different source texts within the stream. */
  readonly distinct: number;
}

export interface AcceptedEventsLimits {
  readonly eventsMax: number;
  /** Characters of all source texts together. */
  readonly charactersMax: number;
}

export const DEFAULT_ACCEPTED_LIMITS: AcceptedEventsLimits = { eventsMax: 5_000_000, charactersMax: 512_000_000 };

export class AcceptedEvents {
  readonly #limits: AcceptedEventsLimits;
  #events: AcceptedEvent[] = [];
  #characters = 0;
  readonly #byStream = new Map<string, { events: number; readonly sources: Set<string> }>();

  constructor(limits: AcceptedEventsLimits) {
    this.#limits = limits;
  }

  /** Whether these still fit; the caller refuses the call otherwise, so that memory stays bounded. */
  hasRoomFor(sources: readonly string[]): boolean {
    const characters = sources.reduce((sum, source) => sum + source.length, 0);
    return (
      this.#events.length + sources.length <= this.#limits.eventsMax &&
      this.#characters + characters <= this.#limits.charactersMax
    );
  }

  take(stream: string, sources: readonly string[], origin: CallOrigin): void {
    const counts = this.#byStream.get(stream) ?? { events: 0, sources: new Set<string>() };
    this.#byStream.set(stream, counts);
    for (const source of sources) {
      this.#events.push({ stream, source, origin });
      this.#characters += source.length;
      counts.events++;
      counts.sources.add(source);
    }
  }

  counts(): { events: number; distinct: number; by_stream: Record<string, StreamCounts> } {
    const streams = [...this.#byStream].map(([stream, { events, sources }]): [string, StreamCounts] => [
      stream,
      { events, distinct: sources.size },
    ]);
    return {
      events: this.#events.length,
      distinct: streams.reduce((sum, [, counts]) => sum + counts.distinct, 0),
      by_stream: Object.fromEntries(streams),
    };
  }

  /** The events of one stream, or of all, that were there when it was called. */
  *list(stream: string | null): Generator<AcceptedEvent> {
    const events = this.#events;
    const length = events.length;
    for (let index = 0; index < length; index++) {
      const event = events[index];
      if (event !== undefined && (stream === null || event.stream === stream)) yield event;
    }
  }

  clear(): void {
    // A new array, so that a listing under way ends with the events it began with.
    this.#events = [];
    this.#characters = 0;
    this.#byStream.clear();
  }
}

/**
 * An event as one line: line breaks between its tokens become spaces (inside strings raw ones cannot stand),
 * every other byte is kept.
 */
export function eventLine(event: AcceptedEvent): string {
  return /[\r\n]/.test(event.source) ? event.source.replaceAll(/[\r\n]/g, " ") : event.source;
}

/** An event with everything the twin knows of it, its source as a JSON string and so exact to the byte. */
export function exactEventLine({ stream, source, origin }: AcceptedEvent): string {
  const { entityIds, orgIds, platformId } = origin;
  return JSON.stringify({ stream, source, entity_ids: entityIds, org_ids: orgIds, platform_id: platformId });
}
