/** One file of fetch calls; an edge's address stands in the generated code. */
export default {
  weir: {
    input: "./openapi.json",
    output: { target: "./generated/orval.ts", client: "fetch", baseUrl: process.env["WEIR_URL"] },
  },
};
