/** What prints into a pipe that its reader closed ends without a word; those that start others: closed-pipe.proof.test.ts. */
import { expect, test } from "vitest";
import { CLOSED_PIPE_EXIT_CODE } from "../../tools/processes/closed-pipe.ts";
import { runIntoClosedPipe } from "../support/closed-pipe.ts";

test.each([
  ["npm run openapi", "tools/openapi/main.ts", [], 10],
  ["npm run twin", "tools/twin/main.ts", ["--port", "0"], 0],
  ["npm run torture", "test/torture/main.ts", ["--kills", "1"], 0],
] as const)("%s ends quietly when the reader of its output goes away", async (_, script, args, after) => {
  expect(await runIntoClosedPipe(script, args, after)).toEqual({
    code: CLOSED_PIPE_EXIT_CODE,
    signal: null,
    stderr: "",
  });
});

test("a command of the agent whose reader goes away ends quietly too", async () => {
  expect(await runIntoClosedPipe("agent/main.ts", ["--help"], 0)).toEqual({ code: 0, signal: null, stderr: "" });
});
