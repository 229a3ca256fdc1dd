/**
 * How the agent's process is started: the words of `npm run agent` in package.json, the one place where they stand. The
 * package, the executable, its units and its container are made with them.
 */
export interface StartSettings {
  /** `NAME=value` each: glibc reads them before the program's first line. */
  readonly environment: readonly string[];
  /** Of Node and V8. */
  readonly flags: readonly string[];
}

/**
 * Takes them from the text of package.json.
 *
 * A drain of millions of events, and hostile bodies, stay below 150 MB with these; glibc alone would keep what large
 * bodies took for the next ones of their size. The cache of compiled code is the checkout's own and left out.
 */
export function readStartSettings(packageJson: string): StartSettings {
  const { scripts } = JSON.parse(packageJson) as { scripts: Record<string, string> };
  const [, settings = "", flags = ""] = /^(.*?)exec node (.*)agent\/main\.ts$/.exec(scripts["agent"] ?? "") ?? [];
  const environment = words(settings).filter((setting) => !setting.startsWith("NODE_COMPILE_CACHE="));
  if (environment.length === 0)
    throw new Error("package.json's script `agent` is not `NAME=value … exec node … main.ts`");
  return { environment, flags: words(flags) };
}

function words(text: string): string[] {
  return text.split(" ").filter((word) => word !== "");
}
