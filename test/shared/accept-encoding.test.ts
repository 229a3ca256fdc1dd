import { describe, expect, test } from "vitest";
import { acceptsGzip } from "../../shared/accept-encoding.ts";

describe("Accept-Encoding (RFC 9110, section 12.5.3)", () => {
  test.each<[header: string | null, accepted: boolean]>([
    [null, false],
    ["", false],
    ["gzip", true],
    ["GZIP", true],
    ["x-gzip", true],
    ["X-GZip;q=0.3", true],
    ["gzip;q=1.000", true],
    ["gzip; q=0.001", true],
    ["gzip ; q = 0.5", true],
    ["br, gzip", true],
    ["br,deflate", false],
    ["identity", false],
    ["*", true],
    ["br, *;q=0.1", true],
    ["*;q=0", false],
    ["gzip;q=0", false],
    ["gzip;q=0.", false],
    ["gzip;q=0.000", false],
    ["gzip; q=0", false],
    ["gzip;q=0, *", false],
    ["*, gzip;q=0", false],
    ["x-gzip;q=0, *;q=1", false],
    ["*;q=0, gzip", true],
    ["*;q=0, x-gzip;q=0.2", true],
    ["gzip;q=0.5, identity;q=1", false],
    ["identity;q=0.5, gzip;q=0.5", true],
    ["gzip, identity;q=0", true],
    ["*;q=0.5, identity", false],
    ["gzipped", false],
    ["gzip;q=0, gzip", false],
    ["gzip;q=high", true],
    ["gzip;level=9;q=0", false],
    [", ,gzip,", true],
  ])("%j asks for gzip: %s", (header, accepted) => {
    expect(acceptsGzip(header)).toBe(accepted);
  });
});
