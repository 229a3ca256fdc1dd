import { expect, test } from "vitest";
import { spanText, statusScreen } from "../../agent/commands/status-screen.ts";
import type { StatusDocument } from "../../agent/operator/status.ts";

const ledger = (accepted: number, pending: number, quarantined: number) => ({
  accepted,
  delivered: accepted - pending - quarantined,
  pending,
  quarantined,
  discarded: 0,
});

const STATUS: StatusDocument = {
  producer: "plant-7.OYmgbNvO",
  running: true,
  ledger: ledger(66_250, 47_111, 682),
  buffer: { bytes: 11_534_336, max_bytes: 67_108_864, oldest_s: 3725, hours_left: 0.1 },
  destination: { state: "unreachable", last_error: "network: other side closed", next_attempt_s: 0.9 },
  streams: [
    { stream: "usage/web-egress", first_sequence: 1, last_sequence: 250, ledger: ledger(250, 11, 2) },
    { stream: "persist", first_sequence: 1, last_sequence: 66_000, ledger: ledger(66_000, 47_100, 680) },
  ],
  delivery: null,
};

test("the screen shows ledger, ages, the way to a full buffer and the streams that wait most, in columns", () => {
  expect(statusScreen(STATUS, { accepted: 3400.2, delivered: 0 }, false)).toBe(
    [
      "weir-agent plant-7.OYmgbNvO ",
      "",
      "  accepted             66,250  3,400/s",
      "  delivered            18,457  0/s",
      "  pending              47,111  oldest 1 h 2 min",
      "  quarantined             682",
      "  discarded                 0",
      "",
      "  buffer       █████░░░░░░░░░░░░░░░░░░░░░░░░░ 11.0 MiB of 64.0 MiB, full in 6 min at this rate",
      "  destination  unreachable: network: other side closed, next attempt in 0.9 s",
      "",
      "  stream                accepted     delivered       pending   quarantined",
      "  persist                 66,000        18,220        47,100           680",
      "  usage/web-egress           250           237            11             2",
      "",
    ].join("\n"),
  );
});

test("beyond fifteen streams the others are counted", () => {
  const [stream] = STATUS.streams;
  if (stream === undefined) throw new Error("no stream");
  const streams = Array.from({ length: 18 }, (_, i) => ({ ...stream, stream: `usage/m${i}` }));
  const lines = statusScreen({ ...STATUS, streams }, null, false)
    .trimEnd()
    .split("\n");
  expect(lines.at(-1)).toBe("  and 3 more");
  expect(lines.filter((line) => line.startsWith("  usage/"))).toHaveLength(15);
});

test("colours only where they are wanted", () => {
  expect(statusScreen(STATUS, null, true)).toContain("\u001b[33munreachable");
  expect(statusScreen(STATUS, null, false)).not.toContain("\u001b");
});

test.each([
  [0.44, "0.4 s"],
  [59, "59 s"],
  [60, "1 min"],
  [3599, "1 h"],
  [12_000, "3 h 20 min"],
  [190_800, "2 d 5 h"],
  [864_000, "10 d"],
])("%d seconds read %s", (seconds, text) => {
  expect(spanText(seconds)).toBe(text);
});

test.each([120, 80, 40])(
  "no line is wider than a terminal of %d columns, and nothing that matters is lost",
  (columns) => {
    const long =
      "network: the proxy proxy.example.com:3128 (environment variable HTTPS_PROXY) is not there: nothing listens";
    const destination = { ...STATUS.destination, last_error: long };
    const screen = statusScreen({ ...STATUS, destination }, { accepted: 3400, delivered: 0 }, false, columns);
    for (const line of screen.split("\n")) expect([line, line.length <= columns]).toEqual([line, true]);
    const words = screen.replace(/\s+/g, " ");
    for (const text of [
      long,
      "next attempt in 0.9 s",
      "66,250 3,400/s",
      "full in 6 min at this rate",
      "oldest 1 h 2 min",
    ])
      expect(words).toContain(text);
    expect(words).toContain("47,100");
    expect(screen.includes("█")).toBe(columns > 40);
    const colored = statusScreen({ ...STATUS, destination }, null, true, columns);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour begins with one
    expect(colored.replace(/\u001b\[\d+m/g, "")).toBe(statusScreen({ ...STATUS, destination }, null, false, columns));
  },
);

test("what the edge has and cannot pass on is in red, with its stream, since when and why", () => {
  const stream = {
    stream: "usage/web-egress",
    pending: 3_100_000,
    state: "waiting",
    since: "2026-11-01T10:05:04.012Z",
  };
  const waiting = [{ ...stream, why: ["credentials refused (answered 401)"] }];
  const screen = statusScreen({ ...STATUS, delivery: { asked_s: 3, pending: 3_100_001, waiting } }, null, false);
  expect(screen).toContain(
    "  at the edge  waiting, 3,100,001 not with the vendor; usage/web-egress since 2026-11-01T10:05:04.012Z: " +
      "credentials refused (answered 401)\n",
  );
  const well = statusScreen({ ...STATUS, delivery: { asked_s: 3, pending: 12, waiting: [] } }, null, false);
  expect(well).toContain("  at the edge  ok, 12 on their way to the vendor\n");
});
