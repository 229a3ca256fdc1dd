/** What a reader tries first prints what the document says; the other documents are in examples.proof.test.ts. */
import { test } from "vitest";
import { everything, runExamples } from "./run-examples.ts";

test("the README's examples print what stands below them", () => runExamples("README.md", everything));

test("so do those of docs/http.md", () => runExamples("docs/http.md", everything));
