/** Certificates, as the agent's own process verifies them: which it trusts is settled when Node starts. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { Finding } from "../../agent/check/finding.ts";
import { cli } from "./support/cli.ts";
import { openDestination } from "./support/destination.ts";
import { openProxy } from "./support/proxy.ts";
import { EVENT } from "./support/setup.ts";

const fixture = (name: string) => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

/** A destination with a certificate of its own, and an agent's command line in an environment. */
async function setup(certificate: "loopback" | "elsewhere", env: Readonly<Record<string, string>> = {}) {
  const read = (part: string) => readFileSync(fixture(`${certificate}.${part}.pem`), "utf8");
  const destination = await openDestination({ key: read("key"), cert: read("cert") });
  destination.schemas = { streams: [{ meter_global_id: "m" }] };
  const agent = cli(destination.url, { NODE_TLS_REJECT_UNAUTHORIZED: "0", NODE_NO_WARNINGS: "1", ...env });
  onTestFinished(async () => {
    await agent[Symbol.asyncDispose]();
    await destination.close();
  });
  const reached = async () => {
    const { code, stdout } = await agent.command(["check", "--json"]);
    const findings = JSON.parse(stdout) as Finding[];
    return { code, finding: findings.find(({ check }) => check === "destination") };
  };
  return { agent, destination, reached };
}

const TRUSTED = { NODE_EXTRA_CA_CERTS: fixture("loopback.cert.pem") };

test("an untrusted certificate is refused, whatever NODE_TLS_REJECT_UNAUTHORIZED says, with what to do", async () => {
  const { agent, destination, reached } = await setup("loopback");
  expect(await reached()).toEqual({
    code: 1,
    finding: {
      ...{ check: "destination", ok: false },
      message: expect.stringMatching(/certificate is not trusted.*NODE_EXTRA_CA_CERTS/),
    },
  });
  await agent.command(["send", "--stream", "usage/m"], EVENT);
  const drained = await agent.command(["drain", "--timeout", "0.5"]);
  expect(drained.code).toBe(1);
  // Its log tells the outage, and why.
  expect(drained.stderr).toContain("the certificate is not trusted");
  expect(destination.calls.length).toBe(0);
});

test("a certificate of an authority named in NODE_EXTRA_CA_CERTS is accepted, over HTTP/1.1", async () => {
  const { agent, destination, reached } = await setup("loopback", TRUSTED);
  expect(await reached()).toMatchObject({ code: 0, finding: { ok: true } });
  await agent.command(["send", "--stream", "usage/m"], EVENT);
  expect(await agent.command(["drain"])).toMatchObject({ code: 0 });
  expect(destination.taken.size).toBe(1);
});

test("a trusted certificate of another host is refused, and the message says so", async () => {
  const { destination, reached } = await setup("elsewhere", { NODE_EXTRA_CA_CERTS: fixture("elsewhere.cert.pem") });
  const { code, finding } = await reached();
  expect(code).toBe(1);
  expect(finding?.message).toMatch(/belongs to another host.*127\.0\.0\.1/);
  expect(destination.calls.length).toBe(0);
});

test("HTTPS_PROXY is asked for a tunnel, within which the certificate is verified as ever", async () => {
  const proxy = await openProxy("agent:a-password");
  onTestFinished(() => proxy.close());
  const env = { HTTPS_PROXY: `http://agent:a-password@127.0.0.1:${proxy.port}` };
  const untrusted = await setup("loopback", env);
  expect((await untrusted.reached()).finding?.message).toContain("the certificate is not trusted");
  const { agent, destination, reached } = await setup("loopback", { ...env, ...TRUSTED });
  expect(await reached()).toMatchObject({ code: 0 });
  await agent.command(["send", "--stream", "usage/m"], EVENT);
  expect(await agent.command(["drain"])).toMatchObject({ code: 0, stderr: expect.not.stringContaining("a-password") });
  expect(destination.taken.size).toBe(1);
  expect(new Set(proxy.asked)).toContain(`CONNECT ${new URL(destination.url).host}`);
  expect(destination.calls.every(({ headers }) => headers["proxy-authorization"] === undefined)).toBe(true);
});
