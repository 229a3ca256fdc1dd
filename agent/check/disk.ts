/** Whether the buffer's directory can be written, has room for what the buffer may hold, and is private. */
import { closeSync, fsyncSync, rmSync, statfsSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeDirectory, openMade } from "../buffer/disk/directory.ts";
import { whyUnfit } from "../buffer/disk/fitness.ts";
import type { Config } from "../config/config.ts";
import { bytesIn } from "../operator/status.ts";
import { fileErrorText } from "../runtime/file-error.ts";
import { type Finding, failed, sound, warned } from "./finding.ts";

/** What statfs calls NFS and SMB: their locks and syncs do not keep what a log needs. */
const NETWORK_FILE_SYSTEMS = new Map([
  [0x6969, "NFS"],
  [0x517b, "SMB"],
  [0xfe534d42, "SMB"],
  [0xff534d42, "SMB"],
]);

export async function checkDisk({ buffer }: Config): Promise<Finding[]> {
  const { directory, bytesMax } = buffer;
  try {
    const why = whyUnfit(directory);
    if (why !== null) return [failed("disk", `buffer.path: ${directory} cannot be used: ${why}`)];
    makeDirectory(directory);
    tryWriting(directory);
    return [sound("disk", `${directory} can be written`), ...(await doubtsAbout(directory, bytesMax))];
  } catch (error) {
    return [failed("disk", `buffer.path: ${directory} cannot be used: ${fileErrorText(error)}`)];
  }
}

function tryWriting(directory: string): void {
  const path = join(directory, `.check-${process.pid}`);
  const file = openMade(path, "wx");
  try {
    writeSync(file, "check");
    fsyncSync(file);
  } finally {
    closeSync(file);
    rmSync(path);
  }
}

async function doubtsAbout(directory: string, bytesMax: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { bavail, bsize, type } = statfsSync(directory);
  const free = bavail * bsize;
  const held = await bytesIn(directory);
  if (free + held < bytesMax) {
    findings.push(
      warned(
        "disk",
        `${directory}: ${free} bytes are free and ${held} used, buffer.max_bytes is ${bytesMax}: the disk will be ` +
          "full first; make room or lower it",
      ),
    );
  }
  if (held > bytesMax) {
    findings.push(
      warned(
        "disk",
        `${directory}: ${held} bytes are used, more than buffer.max_bytes (${bytesMax}): nothing is taken`,
      ),
    );
  }
  const mode = statSync(directory).mode & 0o777;
  if ((mode & 0o077) !== 0) {
    findings.push(warned("disk", `${directory}: open to other users (mode ${mode.toString(8)}); chmod 700 it`));
  }
  const network = NETWORK_FILE_SYSTEMS.get(type);
  if (network !== undefined) {
    findings.push(warned("disk", `${directory}: is on ${network}; use a local disk, or a power cut may cost events`));
  }
  return findings;
}
