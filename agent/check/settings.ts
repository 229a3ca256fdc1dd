/** Settings that are well formed, and do not go together or will not do what was meant. Pure. */
import { DEFAULT_LIMITS } from "../../shared/wire.ts";
import { isLoopback } from "../config/combinations.ts";
import type { Config } from "../config/config.ts";
import type { Dialect } from "../upload/dialect.ts";
import { type Finding, failed, warned } from "./finding.ts";

/** Measured: below it the log's own share leaves no room for a single event of 1 KB. */
const BUFFER_BYTES_MIN = 256 * 1024;
/** Measured: below it a request of 4,000,000 bytes does not fit into an empty buffer. */
const BUFFER_BYTES_FOR_ANY_REQUEST = 9_000 * 1024;
/** A handshake over a slow line takes longer than this by itself. */
const TIMEOUT_MS_SHORT = 1_000;

export function checkSettings(config: Config): Finding[] {
  const { buffer, destination, upload } = config;
  const url = new URL(destination.url);
  const findings: Finding[] = [];
  if (buffer.bytesMax < BUFFER_BYTES_MIN) {
    findings.push(
      failed("configuration", `buffer.max_bytes: ${buffer.bytesMax} bytes hold no event; at least ${BUFFER_BYTES_MIN}`),
    );
  } else if (buffer.bytesMax < BUFFER_BYTES_FOR_ANY_REQUEST) {
    findings.push(
      warned(
        "configuration",
        `buffer.max_bytes: ${buffer.bytesMax} bytes refuse large requests even when empty; ` +
          `${BUFFER_BYTES_FOR_ANY_REQUEST} hold any`,
      ),
    );
  }
  if (destination.dialect === "edge" && upload.batchBytes > DEFAULT_LIMITS.bodyBytesMax) {
    const most = DEFAULT_LIMITS.bodyBytesMax;
    findings.push(
      warned("configuration", `upload.batch_bytes: ${upload.batchBytes} is more than an edge takes (${most})`),
    );
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    findings.push(
      warned("configuration", "destination.url: http sends the credentials and events in the clear; use https"),
    );
  }
  if (url.pathname !== "/") {
    findings.push(
      warned(
        "configuration",
        `destination.url: calls go below ${url.pathname}; leave the path out where that is wrong`,
      ),
    );
  }
  if (upload.timeoutMs < TIMEOUT_MS_SHORT && !isLoopback(url.hostname)) {
    findings.push(
      warned(
        "configuration",
        `upload.timeout_ms: ${upload.timeoutMs} ms bound a whole exchange, the connection included; give it seconds`,
      ),
    );
  }
  return findings;
}

/** Followed streams that the destination does not take. */
export function checkTailStreams(config: Config, dialect: Dialect): Finding[] {
  return config.tails.flatMap(({ path, stream }) => {
    const mode = dialect.deliveryMode(stream);
    return mode.kind === "none" ? [failed("configuration", `[[tail]] ${path}: ${mode.why}`)] : [];
  });
}
