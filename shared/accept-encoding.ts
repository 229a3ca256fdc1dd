/**
 * Whether an Accept-Encoding header asks for gzip (RFC 9110, section 12.5.3): a coding that is named goes by its own
 * weight, whatever `*` says; weight 0 refuses it; `x-gzip` is gzip (section 8.4.1.3); identity wins where it weighs more.
 * Without a header nothing was asked for.
 */
export function acceptsGzip(header: string | null | undefined): boolean {
  const weights = weightsOf(header ?? "");
  const gzip = weights.get("gzip") ?? weights.get("*") ?? 0;
  return gzip > 0 && gzip >= (weights.get("identity") ?? 0);
}

/** Each coding's weight, by its lower-case name; of one that is named twice the first stands. */
function weightsOf(header: string): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const part of header.toLowerCase().split(",")) {
    const [name = "", ...parameters] = part.split(";").map((piece) => piece.trim());
    const coding = name === "x-gzip" ? "gzip" : name;
    if (coding !== "" && !weights.has(coding)) weights.set(coding, weightOf(parameters));
  }
  return weights;
}

/** From 0 to 1; 1 where none is given, or none that can be read. */
function weightOf(parameters: readonly string[]): number {
  for (const parameter of parameters) {
    const [, weight] = /^q\s*=\s*(0(?:\.\d*)?|1(?:\.0*)?)$/.exec(parameter) ?? [];
    if (weight !== undefined) return Number(weight);
  }
  return 1;
}
