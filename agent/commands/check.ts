import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { makeDirectory } from "../buffer/directory.ts";
import { listSetAside } from "../buffer/set-aside.ts";
import { type Config, readConfig } from "../config.ts";
import { openBuffer } from "../core.ts";
import { openDialect } from "../destination.ts";
import { messageOf } from "../fault.ts";
import { readSecretFile } from "../secrets.ts";
import type { Dialect } from "../upload/dialect.ts";
import type { ExchangeResult } from "../upload/transport.ts";
import { reachBuffer } from "./access.ts";
import { type ExitCode, printLine, type Terminal } from "./terminal.ts";

export interface CheckOptions {
  readonly config: string;
  readonly json: boolean;
}

interface Finding {
  readonly check: "configuration" | "disk" | "buffer" | "destination" | "credentials";
  readonly ok: boolean;
  readonly message: string;
}

/** Looks at all an agent needs, and says each thing that is not as it should be. */
export async function check(options: CheckOptions, terminal: Terminal): Promise<ExitCode> {
  const findings = await findingsOf(options, terminal);
  if (options.json) printLine(terminal, JSON.stringify(findings));
  else {
    for (const { check: name, ok, message } of findings) {
      printLine(terminal, `${ok ? "ok    " : "FAILED"} ${name}: ${message}`);
    }
  }
  return findings.every((finding) => finding.ok) ? 0 : 1;
}

async function findingsOf(options: CheckOptions, terminal: Terminal): Promise<Finding[]> {
  let config: Config;
  let dialect: Dialect;
  try {
    config = readConfig(options.config);
    if (config.listen.tokenFile !== null) readSecretFile(config.listen.tokenFile, "listen.token_file");
    dialect = openDialect(config, terminal.env, terminal.clock);
  } catch (error) {
    return [{ check: "configuration", ok: false, message: messageOf(error) }];
  }
  return [
    { check: "configuration", ok: true, message: config.file },
    checkDisk(config.buffer.directory),
    await checkBuffer(config, terminal),
    ...(await checkDestination(config, dialect)),
  ];
}

function checkDisk(directory: string): Finding {
  const path = join(directory, `.check-${process.pid}`);
  try {
    makeDirectory(directory);
    const file = openSync(path, "w", 0o600);
    try {
      writeSync(file, "check");
      fsyncSync(file);
    } finally {
      closeSync(file);
      rmSync(path);
    }
    return { check: "disk", ok: true, message: `${directory} can be written` };
  } catch (error) {
    return { check: "disk", ok: false, message: messageOf(error) };
  }
}

async function checkBuffer(config: Config, terminal: Terminal): Promise<Finding> {
  try {
    const access = await reachBuffer(config.buffer.directory, () => openBuffer(config), terminal);
    const holder = access.kind === "running" ? access.client : access.own;
    const faults = await holder.verify();
    await holder.close();
    const aside = listSetAside(config.buffer.directory).map(
      (path) => `a damaged log was set aside in ${path}: look at it, then move it away`,
    );
    const findings = [...faults, ...aside];
    return {
      check: "buffer",
      ok: findings.length === 0,
      message: findings.length === 0 ? "sound" : findings.join("; "),
    };
  } catch (error) {
    return { check: "buffer", ok: false, message: messageOf(error) };
  }
}

async function checkDestination({ destination }: Config, dialect: Dialect): Promise<Finding[]> {
  try {
    return judge(destination.url, dialect, await dialect.greet(new AbortController().signal));
  } finally {
    await dialect.close();
  }
}

function judge(url: string, dialect: Dialect, result: ExchangeResult): Finding[] {
  if (result.kind !== "answer") {
    const why = result.kind === "silence" ? result.message : "aborted";
    return [
      { check: "destination", ok: false, message: `${url}: ${why}` },
      { check: "credentials", ok: false, message: "not known: the destination gave no answer" },
    ];
  }
  const { status } = result;
  const valid = dialect.isLetIn(status);
  const wellKnown = valid || status === 401 || status === 403;
  const kind = dialect.name === "edge" ? "an edge" : `${dialect.name}'s side`;
  const reached = wellKnown ? "answers" : `answered ${status}, which ${kind} would not`;
  return [
    { check: "destination", ok: wellKnown, message: `${url} ${reached}` },
    { check: "credentials", ok: valid, message: valid ? "taken" : `answered ${status}` },
  ];
}
