/**
 * A real agent is recorded under strace; then the power is cut at a hundred places of its life. Whatever of its
 * unsynced writes is left, the buffer opens with all that was acknowledged before.
 */
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { createRandom } from "../../shared/random-json.ts";
import { copyProduct, ROOT, replaceOnce } from "../../support/product-copy.ts";
import { tempDir } from "../../support/temp-dir.ts";
import { cutPower } from "./disk.ts";
import { chooseCuts, type Cut } from "./places.ts";
import { record, whyNotRecorded } from "./recorder.ts";
import { type Recording, readRecording } from "./recording.ts";
import { type CutFault, faultsAfter, positionsOf } from "./reopened.ts";

const SEED = 20_261_121;

const recording = tempDir("weir-recording");
await record(recording.path, process.argv[2] ?? ROOT);
