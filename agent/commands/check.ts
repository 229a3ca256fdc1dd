import { listSetAside } from "../buffer/disk/set-aside.ts";
import { checkDestination } from "../check/destination.ts";
import { checkDisk } from "../check/disk.ts";
import { type Finding, failed, misconfigured, sound, warned } from "../check/finding.ts";
import { checkListeners } from "../check/listeners.ts";
import { checkSecretFiles } from "../check/secrets.ts";
import { checkSettings, checkTailStreams } from "../check/settings.ts";
import { checkTailFiles } from "../check/tails.ts";
import { type Config, readConfig } from "../config/config.ts";
import { openBuffer } from "../core.ts";
import { laneText, type StatusDocument } from "../operator/status.ts";
import { AgentError, messageOf } from "../runtime/agent-error.ts";
import { openDialect } from "../upload/destination.ts";
import type { Dialect } from "../upload/dialect.ts";
import { reachBuffer } from "./access.ts";
import { type ExitCode, printJson, printLines, type Terminal } from "./terminal.ts";

export interface CheckOptions {
  readonly config: string;
  readonly json: boolean;
}

/** Looks at all an agent needs, and says each thing that is not as it should be. */
export async function check(options: CheckOptions, terminal: Terminal): Promise<ExitCode> {
  const findings = await findingsOf(options, terminal);
  if (options.json) printJson(terminal, JSON.stringify(findings));
  else {
    for (const finding of findings) {
      const word = finding.ok ? (finding.warning === true ? "WARNING" : "ok     ") : "FAILED ";
      printLines(terminal, `${word} ${finding.check}: ${finding.message}`);
    }
  }
  return findings.every((finding) => finding.ok) ? 0 : 1;
}

async function findingsOf(options: CheckOptions, terminal: Terminal): Promise<Finding[]> {
  let config: Config;
  try {
    config = readConfig(options.config, terminal.env);
  } catch (error) {
    return [misconfigured(messageOf(error))];
  }
  const disk = await checkDisk(config);
  const buffer = await checkBuffer(config, terminal, disk);
  const destination = await checkThere(config, terminal);
  const found = [
    ...checkSettings(config),
    ...checkSecretFiles(config),
    ...(await checkTailFiles(config)),
    ...(await checkListeners(config, buffer.producer)),
    ...disk,
    buffer.finding,
    ...destination,
    ...buffer.waiting,
  ];
  // A secret that is missing is found by its file and by its use.
  const all = [...new Map(found.map((finding) => [`${finding.check} ${finding.message}`, finding])).values()];
  const isSound = all.every((finding) => finding.ok || finding.check !== "configuration");
  return isSound ? [sound("configuration", config.file), ...all] : all;
}

/** The buffer's own state, and the name of the agent that runs on it. */
async function checkBuffer(
  config: Config,
  terminal: Terminal,
  disk: readonly Finding[],
): Promise<{ readonly finding: Finding; readonly producer: string | null; readonly waiting: readonly Finding[] }> {
  const { directory } = config.buffer;
  try {
    const access = await reachBuffer(directory, () => openBuffer(config, terminal.logger), terminal);
    const holder = access.kind === "running" ? access.client : access.own;
    const status = access.kind === "running" ? await access.client.status() : null;
    const producer = status?.producer ?? null;
    const damage = await holder.verify();
    await holder.close();
    const aside = listSetAside(directory).map(
      (path) => `a damaged log was set aside in ${path}: look at it, then move it away`,
    );
    const wrong = [...damage, ...aside];
    return {
      finding: wrong.length === 0 ? sound("buffer", "sound") : failed("buffer", wrong.join("; ")),
      producer,
      waiting: waitingLanes(status),
    };
  } catch (error) {
    // Why not has been said of the disk.
    const isSaid = error instanceof AgentError && error.code === "BUFFER_UNSAFE" && disk.some(({ ok }) => !ok);
    const message = isSaid ? "not opened: its directory cannot be used" : messageOf(error);
    return { finding: failed("buffer", message), producer: null, waiting: [] };
  }
}

/** What a running agent keeps back, since it is refused there, while all else goes through. */
function waitingLanes(status: StatusDocument | null): Finding[] {
  return (status?.streams ?? []).flatMap(({ stream, waiting = [] }) =>
    waiting.map((lane) =>
      warned(
        "destination",
        `events of ${laneText(stream, lane)} wait, ${lane.last_error}; mend what is refused, or take them out with \`weir-agent quarantine withdraw\``,
      ),
    ),
  );
}

async function checkThere(config: Config, { env, clock }: Terminal): Promise<Finding[]> {
  let dialect: Dialect;
  try {
    dialect = openDialect(config, env, clock);
  } catch (error) {
    // What is wrong with it has been said; that the destination was not asked is what is left to say.
    return [
      failed("configuration", messageOf(error)),
      failed("credentials", "not known: the destination was not asked"),
    ];
  }
  try {
    return [...checkTailStreams(config, dialect), ...(await checkDestination(config, dialect, clock))];
  } finally {
    await dialect.close();
  }
}
