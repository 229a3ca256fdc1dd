import { describe, expect, test } from "vitest";
import {
  KINDS,
  kindOf,
  parseStream,
  SOLVIMON_KINDS,
  UnknownStreamError,
  usageStream,
} from "../../shared/events/kind.ts";

describe("a stream's name", () => {
  test("gives its kind, and a usage stream its meter", () => {
    expect(parseStream("usage/web egress")).toEqual({ kind: "usage", meterGlobalId: "web egress" });
    for (const kind of SOLVIMON_KINDS) expect(parseStream(kind)).toEqual({ kind });
    expect([kindOf(usageStream("m")), ...SOLVIMON_KINDS.map(kindOf)]).toEqual(KINDS);
  });

  test.each(["", "usage", "usage/", "Persist", "persist/x", "toString", "__proto__", "meter_data"])(
    "that is none is never filed as usage: %j",
    (stream) => {
      expect(parseStream(stream)).toBe(null);
      expect(() => kindOf(stream)).toThrow(UnknownStreamError);
      expect(() => kindOf(stream)).toThrow(expect.objectContaining({ code: "UNKNOWN_STREAM" }));
    },
  );
});
