/** Debian's collectd with a recipe of docs/forwarders.md, fed by its unix socket. */
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { until } from "../../../tools/processes/until.ts";
import { type Command, type Program, startProgram } from "./program.ts";

export const COLLECTD: Command = { command: "collectd", args: ["-h"] };

export interface Collectd extends Program {
  /** Submits one value for each number below `count`: `gauge-N` of host `c`, its value N. */
  submit(count: number): Promise<void>;
  /** Sends what its plugins have gathered. */
  flush(): Promise<void>;
}

/**
 * @param config the recipe.
 * @param folder for its files, its log `collectd.log` among them.
 */
export async function startCollectd(config: string, folder: string): Promise<Collectd> {
  mkdirSync(folder, { recursive: true });
  const socket = join(folder, "collectd.sock");
  const file = join(folder, "collectd.conf");
  const basics = [
    'Hostname "c"',
    `BaseDir "${folder}"`,
    `PIDFile "${folder}/collectd.pid"`,
    "LoadPlugin logfile",
    `<Plugin logfile>\n  LogLevel warning\n  File "${folder}/collectd.log"\n</Plugin>`,
    "LoadPlugin unixsock",
    `<Plugin unixsock>\n  SocketFile "${socket}"\n  DeleteSocket true\n</Plugin>`,
  ];
  writeFileSync(file, `${basics.join("\n")}\n${config}\n`);
  const program = startProgram({ command: "collectd", args: ["-f", "-C", file] }, folder);
  await until(() => talk(socket, ["LISTVAL"]).then(() => true), { what: "collectd to listen" });
  return {
    ...program,
    submit: (count) =>
      talk(
        socket,
        Array.from({ length: count }, (_, n) => putval(n)),
      ),
    flush: () => talk(socket, ["FLUSH"]),
  };
}

// One name a value: values of one name are dropped by collectd where its threads take a later one first.
const putval = (n: number) => `PUTVAL c/usage/gauge-${n} interval=10 1763719200:${n}`;

/** Sends commands in a row, and waits until each was answered. */
async function talk(path: string, commands: readonly string[]): Promise<void> {
  const socket = connect(path);
  await once(socket, "connect");
  let answers = 0;
  let refused: string | null = null;
  const done = new Promise<void>((resolve, reject) => {
    let rest = "";
    let linesOfAnswer = 0;
    socket.on("error", reject);
    socket.on("close", () => reject(new Error("collectd closed its socket")));
    socket.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (linesOfAnswer > 0) linesOfAnswer--;
        else {
          answers++;
          // Each answer begins with a line "COUNT words", and COUNT lines follow; below 0 it is an error.
          linesOfAnswer = Math.max(0, Number.parseInt(line, 10));
          if (Number.parseInt(line, 10) < 0) refused = line;
        }
      }
      if (answers === commands.length && linesOfAnswer === 0) resolve();
    });
  });
  for (let from = 0; from < commands.length; from += 1000) {
    if (!socket.write(`${commands.slice(from, from + 1000).join("\n")}\n`)) await once(socket, "drain");
  }
  await done;
  socket.destroy();
  if (refused !== null) throw new Error(`collectd: ${refused}`);
}
