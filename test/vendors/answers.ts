/**
 * What a vendor may answer, and what that means for the one event that was sent. Both senders are held to it: the
 * edge's delivery in workerd and the agent's uploader, each over its own HTTP client to a real server.
 */

/** Where redirects lead. */
export const ELSEWHERE = { location: "/elsewhere" } as const;

export type Recipient = "zuora" | "solvimon" | "edge";

/** What a server does with a call. */
export interface ScriptedAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  /** "success": as the recipient documents it. */
  readonly body: string | Uint8Array | "success";
  /** The connection ends in the middle of the body, which was announced longer. */
  readonly isCut?: boolean;
  /** The body ends with the connection, unannounced: nothing tells whether it is whole. */
  readonly isUnannounced?: boolean;
}

/** "cut": the connection ends before an answer. */
export type Reply = ScriptedAnswer | "cut";

export type Meaning =
  | { readonly kind: "delivered" }
  | { readonly kind: "quarantined" }
  /** `seconds`: at least so long; 0 for a backoff alone. */
  | { readonly kind: "retry"; readonly seconds: number }
  | { readonly kind: "wait"; readonly seconds: number }
  | { readonly kind: "pause"; readonly holds: "credentials" | "lane" };

export interface AnswerRow {
  readonly name: string;
  readonly recipients: readonly Recipient[];
  /** To the ingest calls, the last one to all further ones. */
  readonly replies: readonly Reply[];
  /** To the token calls, likewise; a good token where nothing is said. */
  readonly tokens?: readonly Reply[];
  readonly meaning: Meaning;
}

const DELIVERED: Meaning = { kind: "delivered" };
const QUARANTINED: Meaning = { kind: "quarantined" };
const RETRY: Meaning = { kind: "retry", seconds: 0 };
const LANE: Meaning = { kind: "pause", holds: "lane" };
const CREDENTIALS: Meaning = { kind: "pause", holds: "credentials" };
const wait = (seconds: number): Meaning => ({ kind: "wait", seconds });
const retryIn = (seconds: number): Meaning => ({ kind: "retry", seconds });

const ALL: readonly Recipient[] = ["zuora", "solvimon", "edge"];
const VENDORS: readonly Recipient[] = ["zuora", "solvimon"];

const ERROR = '{"success":false,"message":"m","reasons":[{"code":70000000,"message":"bad","field":"Quantity"}]}';
const HTML = "<!doctype html><html><body>It works!</body></html>";
const HTML_TYPE = { "content-type": "text/html" };
const DATE = "Wed, 21 Oct 2015 07:28:00 GMT";

type Headers = ScriptedAnswer["headers"];

function answer(status: number, body: ScriptedAnswer["body"] = ERROR, headers: Headers = {}): ScriptedAnswer {
  return { status, headers, body };
}

function row(name: string, meaning: Meaning, replies: readonly Reply[] | Reply, recipients = ALL): AnswerRow {
  return {
    name,
    meaning,
    recipients,
    replies: typeof replies === "object" && "length" in replies ? replies : [replies],
  };
}

/** Of gzip, the first half. */
const HALF_GZIP = Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xab, 0x56, 0x2a, 0x2e]);

const SUCCESSES: readonly AnswerRow[] = [
  row("200 as documented", DELIVERED, answer(200, "success")),
  row("201 as documented", DELIVERED, answer(201, "success")),
  row("202 with a whole object", DELIVERED, answer(202, "success")),
  row("200 that calls its JSON text", DELIVERED, answer(200, "success", { "content-type": "text/plain" })),
  row("200 without a content type", DELIVERED, answer(200, "success", {})),
  row("200 whose object says nothing", DELIVERED, answer(200, "{}"), VENDORS),
  row("200 behind a byte order mark", DELIVERED, answer(200, '\ufeff{"success":true}'), VENDORS),
  row("200 with white space around its object", DELIVERED, answer(200, '\r\n {"success":true}\n'), VENDORS),
  row("200 whose whole object ends with the connection", DELIVERED, {
    ...answer(200, "success", { connection: "close" }),
    isUnannounced: true,
  }),
  row("200 with a Retry-After", DELIVERED, answer(200, "success", { "retry-after": "30" })),
  row(
    "201 that sends the event back with success:false in it",
    DELIVERED,
    answer(201, '{"data":[{"success":false}]}'),
    VENDORS,
  ),
  row(
    "200 with success:false deeper down",
    DELIVERED,
    answer(200, '{"success":true,"event":{"success": false}}'),
    VENDORS,
  ),
  row(
    "200 with success:false in a text",
    DELIVERED,
    answer(200, '{"success":true,"message":"\\"success\\":false"}'),
    VENDORS,
  ),
  row("200 with success:false, which Solvimon does not document", DELIVERED, answer(200, '{"success":false}'), [
    "solvimon",
  ]),
  row("200 that takes itself back", RETRY, answer(200, '{"success":false,"message":"no"}'), ["zuora"]),
  row("200 that takes itself back, in escapes", RETRY, answer(200, '{"succes\\u0073" : false}'), ["zuora"]),
  row("200 whose success is no truth value", DELIVERED, answer(200, '{"success":"false"}'), ["zuora"]),
  row(
    "200 whose answer is larger than 64 KB",
    DELIVERED,
    answer(200, `{"success":true,"data":"${"x".repeat(100_000)}"}`),
    VENDORS,
  ),
  row("200 whose counts add up", DELIVERED, answer(200, '{"duplicates":1}'), ["edge"]),
  row("200 whose counts do not add up", RETRY, answer(200, '{"success":true,"accepted":2}'), ["edge"]),
  row("200 without counts", RETRY, answer(200, '{"success":true}'), ["edge"]),
  row("200 that counts a conflict", QUARANTINED, answer(200, '{"conflicts":1}'), ["edge"]),
];

const NO_ANSWERS: readonly AnswerRow[] = [
  row("200 with a page", RETRY, answer(200, HTML, HTML_TYPE)),
  row("201 with a page that says it is JSON", RETRY, answer(201, HTML)),
  row("200 without a body", RETRY, answer(200, "")),
  row("204", RETRY, answer(204, "")),
  row("200 with white space alone", RETRY, answer(200, " \r\n")),
  row("200 with a list", RETRY, answer(200, "[]")),
  row("200 with a list of objects", RETRY, answer(200, '[{"success":true}]')),
  row("200 with null", RETRY, answer(200, "null")),
  row("200 with true", RETRY, answer(200, "true")),
  row("200 with a number", RETRY, answer(200, "1")),
  row("200 with a text", RETRY, answer(200, '"ok"')),
  row("200 with OK", RETRY, answer(200, "OK")),
  row("200 with two objects", RETRY, answer(200, '{"success":true}{"success":true}')),
  row("200 with something behind its object", RETRY, answer(200, '{"success":true} <!-- proxy -->')),
  row("200 whose JSON ends early, as announced", RETRY, answer(200, '{"success":true,"accepted":1')),
  row("200 whose JSON ends early with the connection", RETRY, {
    ...answer(200, '{"success":true,"accepted":1', { connection: "close" }),
    isUnannounced: true,
  }),
  row("200 cut in the middle of its body", RETRY, { ...answer(200, "success"), isCut: true }),
  row("400 cut in the middle of its body", RETRY, { ...answer(400), isCut: true }),
  row("200 whose gzip ends early", RETRY, answer(200, HALF_GZIP, { "content-encoding": "gzip" })),
  row("200 whose gzip is none", RETRY, answer(200, '{"success":true}', { "content-encoding": "gzip" })),
  row("a connection cut before an answer", RETRY, "cut"),
  row("a cut connection, then 200", DELIVERED, ["cut", answer(200, "success")]),
  row("a page, then 200", DELIVERED, [answer(200, HTML, HTML_TYPE), answer(200, "success")]),
  // Followed, it would be taken for delivered: what is there answers all with success.
  ...[301, 302, 303, 307, 308].map((status) => row(`a redirect, ${status}`, RETRY, answer(status, "", ELSEWHERE))),
];

const REFUSALS: readonly AnswerRow[] = [
  ...[400, 409, 413, 422].map((status) => row(`${status} for a single event`, QUARANTINED, answer(status))),
  row("400 with a page", QUARANTINED, answer(400, HTML, HTML_TYPE)),
  row("400 without a body", QUARANTINED, answer(400, "")),
  row("409 after an attempt without an answer", DELIVERED, ["cut", answer(409)], VENDORS),
  row("409 after a 200 that proves nothing", DELIVERED, [answer(200, HTML, HTML_TYPE), answer(409)], VENDORS),
  row("409 after a 503", QUARANTINED, [answer(503), answer(409)]),
  row("409 after a lost answer, where positions tell repeats", QUARANTINED, ["cut", answer(409)], ["edge"]),
  ...[402, 403, 404, 405, 406, 410, 411, 414, 415, 421, 426, 431, 451].map((status) =>
    row(`${status}`, LANE, answer(status)),
  ),
  row("401", CREDENTIALS, answer(401)),
];

const TROUBLE: readonly AnswerRow[] = [
  ...[408, 425, 429, 500, 502, 503, 504, 520, 599].map((status) => row(`${status}`, RETRY, answer(status))),
  ...(
    [
      [429, wait],
      [503, retryIn],
    ] as const
  ).flatMap(([status, later]) => [
    row(`${status} with seconds`, later(30), answer(status, ERROR, { "retry-after": "30" })),
    row(`${status} with parts of a second`, later(2), answer(status, ERROR, { "retry-after": "2.0" })),
    row(
      `${status} with a date, by the server's own clock`,
      later(30),
      answer(status, ERROR, { date: DATE, "retry-after": "Wed, 21 Oct 2015 07:28:30 GMT" }),
    ),
    row(
      `${status} with a date in the oldest form`,
      later(90),
      answer(status, ERROR, { date: DATE, "retry-after": "Wed Oct 21 07:29:30 2015" }),
    ),
    row(
      `${status} with a date that has passed`,
      later(0),
      answer(status, ERROR, { date: DATE, "retry-after": "Tue, 20 Oct 2015 07:28:00 GMT" }),
    ),
    row(
      `${status} with a date of which the server's own is unknown`,
      later(0),
      answer(status, ERROR, { "retry-after": DATE }),
    ),
    row(`${status} with years`, later(86_400), answer(status, ERROR, { "retry-after": "99999999999" })),
    row(
      `${status} with a date in years`,
      later(86_400),
      answer(status, ERROR, { "retry-after": "Fri, 31 Dec 2199 23:59:59 GMT" }),
    ),
    row(`${status} with a word`, RETRY, answer(status, ERROR, { "retry-after": "soon" })),
    row(`${status} with less than nothing`, RETRY, answer(status, ERROR, { "retry-after": "-1" })),
    row(`${status} with an empty Retry-After`, RETRY, answer(status, ERROR, { "retry-after": "" })),
    row(
      `${status} with two Retry-After, the longer one`,
      later(30),
      answer(status, ERROR, { "retry-after": ["3", "30"] }),
    ),
  ]),
  row("500 with a Retry-After, which only 429 and 503 may ask for", RETRY, answer(500, ERROR, { "retry-after": "30" })),
  row("413 with a Retry-After", QUARANTINED, answer(413, ERROR, { "retry-after": "30" })),
];

const ZUORA: readonly Recipient[] = ["zuora"];
const SUCCESS: readonly Reply[] = [answer(200, "success")];

function token(name: string, meaning: Meaning, tokens: Reply | readonly Reply[], replies = SUCCESS): AnswerRow {
  const each = typeof tokens === "object" && "length" in tokens ? tokens : [tokens];
  return { name: `token call: ${name}`, recipients: ZUORA, meaning, replies, tokens: each };
}

const granted = (members: string) => answer(200, `{"access_token":"t",${members}}`);
const GRANTED = granted('"token_type":"bearer","expires_in":3600');

const TOKENS: readonly AnswerRow[] = [
  ...[400, 401, 402, 403, 404, 405, 407, 409, 410, 413, 415, 418, 422, 431, 451].map((status) =>
    token(`${status}`, CREDENTIALS, answer(status)),
  ),
  ...[408, 425, 429, 500, 502, 503, 504].map((status) => token(`${status}`, RETRY, answer(status))),
  ...[201, 202, 204, 301, 302].map((status) => token(`${status}`, RETRY, answer(status, status === 204 ? "" : "{}"))),
  ...[302, 307, 308].map((status) => token(`a redirect, ${status}`, RETRY, answer(status, "", ELSEWHERE))),
  token("429 with seconds", wait(30), answer(429, ERROR, { "retry-after": "30" })),
  token("503 with seconds", retryIn(30), answer(503, ERROR, { "retry-after": "30" })),
  token("401 with a Retry-After", CREDENTIALS, answer(401, ERROR, { "retry-after": "30" })),
  token("no answer", RETRY, "cut"),
  token("no answer, then a token", DELIVERED, ["cut", GRANTED]),
  token("a page", RETRY, answer(200, HTML, HTML_TYPE)),
  token("an empty body", RETRY, answer(200, "")),
  token("JSON that ends early", RETRY, answer(200, '{"access_token":"t"')),
  token("a list", RETRY, answer(200, '[{"access_token":"t"}]')),
  token("an object without a token", RETRY, answer(200, '{"token_type":"bearer"}')),
  token("a token that is no text", RETRY, answer(200, '{"access_token":1}')),
  token("an empty token", RETRY, answer(200, '{"access_token":""}')),
  ...Object.entries({
    "a line break": "a\\r\\nx-api-key: b",
    "a line feed": "a\\nb",
    "a zero byte": "a\\u0000b",
    "a letter beyond ASCII": "\u00e9",
    "a white space": "a b",
  }).flatMap(([what, value]) => [
    token(`a token with ${what}`, RETRY, answer(200, `{"access_token":"${value}","expires_in":3600}`)),
    token(`a token with ${what}, then a good one`, DELIVERED, [
      answer(200, `{"access_token":"${value}","expires_in":3600}`),
      GRANTED,
    ]),
  ]),
  token("a token longer than any header", RETRY, answer(200, `{"access_token":"${"t".repeat(70_000)}"}`)),
  token("a token and no word of its life", DELIVERED, answer(200, '{"access_token":"t"}')),
  ...["3600", '"3600"', "0", "-1", "1e300", "1e999", '"NaN"', '"soon"', "null", "true", "[]", "{}"].map((life) =>
    token(`a token for ${life} seconds`, DELIVERED, granted(`"expires_in":${life}`)),
  ),
  token("a token refused once, then another", DELIVERED, GRANTED, [answer(401), answer(200, "success")]),
  token("every token refused", CREDENTIALS, GRANTED, [answer(401)]),
  token("a token refused, then no other", RETRY, [GRANTED, answer(500)], [answer(401)]),
];

export const ANSWERS: readonly AnswerRow[] = [...SUCCESSES, ...NO_ANSWERS, ...REFUSALS, ...TROUBLE, ...TOKENS];

/** The rows of one recipient, each with its place in the table. */
export function rowsFor(recipient: Recipient): (AnswerRow & { readonly at: number })[] {
  return ANSWERS.flatMap((item, at) => (item.recipients.includes(recipient) ? [{ ...item, at }] : []));
}
