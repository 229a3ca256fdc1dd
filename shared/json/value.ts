/** A JSON document as it was read: objects keep their order, numbers their digits. */

/** A number by its source text, so that 0.1234567890123456789 stays just that. */
export class JsonNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export type JsonObject = Map<string, JsonValue>;
export type JsonValue = string | boolean | null | JsonNumber | JsonValue[] | JsonObject;
