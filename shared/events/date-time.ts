/** RFC 3339 timestamps with an offset, checked to be real dates; no clock and no `Date` quirks involved. */

/**
 * Whether a text is an RFC 3339 date-time: full date, time and offset; the 30th of February is none. A leap
 * second is one only where UTC reads 23:59:60 (RFC 3339, section 5.7).
 */
export function isDateTime(text: string): boolean {
  // Read character by character: it runs for every event, and an expression takes longer than the scan of one.
  const isSet =
    isAt(text, 4, "-") && isAt(text, 7, "-") && isAt(text, 10, "T", "t") && isAt(text, 13, ":") && isAt(text, 16, ":");
  if (!isSet) return false;
  const year = 100 * digits(text, 0) + digits(text, 2);
  const month = digits(text, 5);
  const day = digits(text, 8);
  const hour = digits(text, 11);
  const minute = digits(text, 14);
  const second = digits(text, 17);
  const offset = offsetMinutes(text, endOfFraction(text, 19));
  if (!(year >= 0 && month >= 1 && month <= 12 && day >= 1 && day <= daysInMonth(year, month))) return false;
  if (!(hour <= 23 && minute <= 59 && second <= 60 && !Number.isNaN(offset))) return false;
  if (second < 60) return true;
  return (hour * 60 + minute - offset + 2 * 1440) % 1440 === 1439;
}

/** Where in `"2026-11-21T10:05:03Z"` what stands that is no digit. */
const USUAL_FORM = '"0000-00-00T00:00:00Z"';

/**
 * Whether bytes are a JSON string of a date-time as most are written, in UTC and without a fraction, up to the 28th of a
 * month. Of others it says nothing.
 */
export function isUsualDateTime(bytes: Uint8Array, from: number, to: number): boolean {
  if (to - from !== USUAL_FORM.length) return false;
  for (let at = 0; at < USUAL_FORM.length; at++) {
    const code = bytes[from + at] ?? 0;
    const wanted = USUAL_FORM.charCodeAt(at);
    if (wanted === 0x30 ? code < 0x30 || code > 0x39 : code !== wanted) return false;
  }
  const two = (at: number) => 10 * (bytes[from + at] ?? 0) + (bytes[from + at + 1] ?? 0) - 11 * 0x30;
  const [month, day] = [two(6), two(9)];
  return month >= 1 && month <= 12 && day >= 1 && day <= 28 && two(12) <= 23 && two(15) <= 59 && two(18) <= 59;
}

function isAt(text: string, at: number, one: string, other = one): boolean {
  const character = text[at];
  return character === one || character === other;
}

/** Two digits as a number; NaN where they are none. */
function digits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - 0x30;
  const ones = text.charCodeAt(at + 1) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : Number.NaN;
}

function endOfFraction(text: string, from: number): number {
  if (text[from] !== ".") return from;
  let at = from + 1;
  while (text.charCodeAt(at) >= 0x30 && text.charCodeAt(at) <= 0x39) at++;
  return at > from + 1 ? at : Number.NaN;
}

/** The offset from UTC that ends a date-time; NaN where none does. */
function offsetMinutes(text: string, at: number): number {
  if (isAt(text, at, "Z", "z")) return text.length === at + 1 ? 0 : Number.NaN;
  if (!isAt(text, at, "+", "-") || text.length !== at + 6 || text[at + 3] !== ":") return Number.NaN;
  const [hours, minutes] = [digits(text, at + 1), digits(text, at + 4)];
  if (!(hours <= 23 && minutes <= 59)) return Number.NaN;
  return (text[at] === "-" ? -1 : 1) * (60 * hours + minutes);
}

export function daysInMonth(year: number, month: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}
