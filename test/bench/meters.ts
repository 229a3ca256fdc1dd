/** The streams that the benchmarks use: one whose events have no own id, one whose events have. */
export const METERS = { plain: "bench", ids: "bench-ids" } as const;
