/** The manual page, made from what the commands say of themselves. */
import { Writable } from "node:stream";
import type { Command } from "commander";
import { pino } from "pino";
import { createProgram } from "../commands/program.ts";
import { systemClock } from "../runtime/clock.ts";
import type { Product } from "./product.ts";

/** @returns roff, for section 1. */
export function manualPage({ version }: Product): string {
  const program = commands();
  const described = leavesOf(program).flatMap(({ path, command }) => [
    ".TP",
    `.B ${escaped(`${path} ${command.usage()}`.replace(" [options]", "").trim())}`,
    escaped(command.description()),
    ...command.options
      .filter(({ long }) => long !== "--config")
      .flatMap(({ flags, description }) => [".br", `${escaped(flags)}: ${escaped(description)}`]),
  ]);
  return `${[
    `.TH WEIR-AGENT 1 "" "weir-agent ${version}"`,
    ".SH NAME",
    "weir-agent \\- keeps usage events on disk and delivers each exactly once",
    ".SH SYNOPSIS",
    ".B weir-agent",
    "COMMAND [\\-\\-config FILE]",
    ".SH DESCRIPTION",
    escaped(program.description()),
    ".SH COMMANDS",
    ...described,
    ".SH FILES",
    ".TP",
    ".I /etc/weir-agent/agent.toml",
    "the service's configuration, every setting explained",
    ".TP",
    ".I /etc/weir-agent/environment",
    "its environment, NAME=value a line, for keys; readable by root only",
    ".TP",
    ".I /var/lib/weir-agent/buffer",
    "events that are not delivered yet",
    ".SH EXIT STATUS",
    "0: done. 1: it failed. 2: wrong usage or configuration.",
  ].join("\n")}\n`;
}

/** Dashes as they are typed; a line may not begin with a request. */
function escaped(text: string): string {
  return text
    .replace(/\\/g, "\\e")
    .replace(/-/g, "\\-")
    .replace(/^([.'])/gm, "\\&$1");
}

/** The command line's grammar, with nobody to run it. */
function commands(): Command {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const { stdin, env } = process;
  const streams = { stdin, stdout: nowhere, stderr: nowhere };
  const logger = pino({ level: "silent" });
  return createProgram(
    { ...streams, env, clock: systemClock, random: Math.random, logger, suppressedLines: () => 0 },
    () => undefined,
  );
}

function leavesOf(command: Command, path = ""): { readonly path: string; readonly command: Command }[] {
  return command.commands.flatMap((child) => {
    const name = `${path} ${child.name()}`.trim();
    return child.commands.length > 0 ? leavesOf(child, name) : [{ path: name, command: child }];
  });
}
