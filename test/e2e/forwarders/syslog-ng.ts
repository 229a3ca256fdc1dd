/** Debian's syslog-ng with the recipe of docs/forwarders.md. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Command, type Program, startProgram } from "./program.ts";
import { recipe } from "./recipes.ts";

export const SYSLOG_NG: Command = { command: "syslog-ng", args: ["--module-registry"] };

export interface FileForwarderOptions {
  /** Where it sends to. */
  readonly url: string;
  readonly meter: string;
  /** The file it reads. */
  readonly file: string;
  /** For its own files. */
  readonly folder: string;
}

/** Reads the file and goes on until it is stopped. */
export function startSyslogNg({ url, meter, file, folder }: FileForwarderOptions): Program {
  const config = join(folder, "syslog-ng.conf");
  const words = { "http://127.0.0.1:8788": url, METER: meter, "/var/log/app/usage.ndjson": file };
  writeFileSync(config, `${recipe("syslog-ng", words)}\n`);
  const files = ["-f", config, "-R", "syslog-ng.persist", "-p", "syslog-ng.pid", "-c", "syslog-ng.ctl"];
  return startProgram({ command: "syslog-ng", args: ["-F", "--no-caps", ...files] }, folder);
}
