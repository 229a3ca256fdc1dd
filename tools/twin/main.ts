/** The twin as a command of its own: `node tools/twin/main.ts --port 8789`. */
import { Command, InvalidArgumentError } from "commander";
import { onClosedPipe } from "../processes/closed-pipe.ts";
import { portIfFree } from "../processes/free-port.ts";
import { createTwin } from "./twin.ts";
import { DEFAULT_ZUORA } from "./zuora.ts";

interface Flags {
  port: number;
  zuoraClientId?: string;
  zuoraClientSecret?: string;
  zuoraMaxBytes: number;
  zuoraMaxEvents: number;
  zuoraCallsPerMinute: number;
  solvimonApiKey?: string;
  ignoreIdempotencyKeys: boolean;
}

const command = new Command("npm run twin --")
  .description("A stand-in for Zuora Mediation and Solvimon on 127.0.0.1; its own routes are under /twin.")
  .option("--port <port>", "0 picks a free one", wholeNumber, 8789)
  .option("--zuora-client-id <id>", "for POST /oauth/token; without it any client is accepted")
  .option("--zuora-client-secret <secret>", "for POST /oauth/token; without it any secret is accepted")
  .option("--zuora-max-bytes <n>", "of a body after inflation", wholeNumber, DEFAULT_ZUORA.bytesMax)
  .option("--zuora-max-events <n>", "of one call", wholeNumber, DEFAULT_ZUORA.eventsMax)
  .option("--zuora-calls-per-minute <n>", "beyond it 429", wholeNumber, DEFAULT_ZUORA.callsPerMinute)
  .option("--solvimon-api-key <key>", "for X-API-KEY; without it any key is accepted")
  .option("--ignore-idempotency-keys", "take every repeat anew, as a vendor may that does not know them", false);

function wholeNumber(text: string): number {
  const value = Number(text);
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError("give a whole number");
  return value;
}

onClosedPipe();
const flags = command.parse().opts<Flags>();
const honoursIdempotencyKeys = !flags.ignoreIdempotencyKeys;

try {
  if ((await portIfFree(flags.port)) === null)
    throw new Error(`port ${flags.port} is taken; choose another with --port`);
  const twin = await createTwin({
    port: flags.port,
    zuora: {
      clientId: flags.zuoraClientId ?? null,
      clientSecret: flags.zuoraClientSecret ?? null,
      bytesMax: flags.zuoraMaxBytes,
      eventsMax: flags.zuoraMaxEvents,
      callsPerMinute: flags.zuoraCallsPerMinute,
      honoursIdempotencyKeys,
    },
    solvimon: { apiKey: flags.solvimonApiKey ?? null, honoursIdempotencyKeys },
  });
  // Nothing here is worth finishing: the twin's memory ends with it. The handlers stay, because npm passes on a
  // signal that the terminal has sent already.
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => void twin.close().then(() => process.exit(0)));
  }
  console.log(`twin ready on ${twin.url}`);
} catch (error) {
  console.error(`npm run twin: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
