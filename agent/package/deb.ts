/**
 * The .deb: the executable, its configuration, unit and user. What maintainer scripts do stands in agent/package/debian.
 *
 * The buffer is a state of its own: an upgrade and a removal leave it alone, a purge takes it only where it is known that
 * nothing undelivered is in it.
 */
import { execFileSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { sampleText } from "../config/sample.ts";
import { manualPage } from "./manual.ts";
import { type Architecture, nodePackage } from "./node-binary.ts";
import type { Product } from "./product.ts";
import { tempDir } from "./temp-dir.ts";
import { debUnit } from "./unit.ts";

export interface DebParts {
  readonly architecture: Architecture;
  /** The executable's path. */
  readonly executable: string;
  /** The list of what is inside, as CycloneDX JSON. */
  readonly sbom: string;
  /** Licences of the packages in it. */
  readonly licenses: string;
  /** When this version was made, in seconds since 1970: the same parts make the same bytes. */
  readonly madeAtS: number;
}

export const DEB_CONFIG = "/etc/weir-agent/agent.toml";
export const DEB_BUFFER = "/var/lib/weir-agent/buffer";

/** The configuration file: the sample, with the buffer where the unit lets it be. */
export function debConfig(): string {
  const sample = sampleText();
  const text = sample.replace('path = "weir-buffer"', `path = "${DEB_BUFFER}"`);
  if (text === sample) throw new Error("the sample's buffer is not where it was");
  return text;
}

/** Builds it with dpkg-deb. @throws where there is none, or a part is missing. */
export function writeDeb(product: Product, parts: DebParts, out: string): void {
  const temp = tempDir("weir-deb");
  try {
    chmodSync(temp.path, 0o755);
    writeTree(product, parts, temp.path);
    writeControl(product, parts.architecture, temp.path);
    // gzip: every dpkg reads it, and xz saves a third for a minute and a half of CPU.
    execFileSync("dpkg-deb", ["--root-owner-group", "-Zgzip", "-z6", "--build", temp.path, out], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, SOURCE_DATE_EPOCH: String(parts.madeAtS) },
    });
  } finally {
    temp.remove();
  }
}

function writeTree(
  product: Product,
  { architecture, executable, sbom, licenses, madeAtS }: DebParts,
  root: string,
): void {
  const put = (path: string, content: string | Uint8Array) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
    chmodSync(join(root, path), 0o644);
  };
  const doc = "usr/share/doc/weir-agent";
  mkdirSync(join(root, "usr/bin"), { recursive: true });
  cpSync(executable, join(root, "usr/bin/weir-agent"));
  chmodSync(join(root, "usr/bin/weir-agent"), 0o755);
  put(DEB_CONFIG, debConfig());
  put("usr/lib/systemd/system/weir-agent.service", debUnit(product));
  put("usr/share/man/man1/weir-agent.1.gz", packed(manualPage(product)));
  put(`${doc}/copyright`, copyright(product));
  put(`${doc}/changelog.gz`, packed(changelog(product, madeAtS)));
  put(`${doc}/node.LICENSE.gz`, packed(readFileSync(join(nodePackage(product, architecture), "LICENSE"))));
  put(`${doc}/sbom.cdx.json.gz`, packed(sbom));
  put(`${doc}/packages.LICENSES.gz`, packed(licenses));
  put("usr/share/lintian/overrides/weir-agent", OVERRIDES.map((tag) => `weir-agent: ${tag} *\n`).join(""));
}

/**
 * Node comes with the names of its functions, which a crash report needs, with libraries of others, which its licence names,
 * and without a load address of its own choice. There is no address to write to.
 */
const OVERRIDES = [
  "unstripped-binary-or-object",
  "embedded-library",
  "hardening-no-pie",
  "bogus-mail-host",
  "bogus-mail-host-in-debian-changelog",
];

const packed = (content: string | Uint8Array) => gzipSync(content, { level: 9 });

function writeControl(product: Product, architecture: Architecture, root: string): void {
  mkdirSync(join(root, "DEBIAN"));
  const kilobytes = Math.ceil(sizeOf(root) / 1024);
  writeFileSync(join(root, "DEBIAN/control"), control(product, architecture, kilobytes));
  writeFileSync(join(root, "DEBIAN/conffiles"), `${DEB_CONFIG}\n`);
  for (const script of ["postinst", "prerm", "postrm"]) {
    cpSync(join(product.root, "agent/package/debian", script), join(root, "DEBIAN", script));
    chmodSync(join(root, "DEBIAN", script), 0o755);
  }
}

function sizeOf(folder: string): number {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

function control({ version }: Product, architecture: Architecture, kilobytes: number): string {
  return `Package: weir-agent
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${kilobytes}
Depends: adduser, libc6 (>= 2.28), libgcc-s1, libstdc++6 (>= 9)
Section: net
Priority: optional
Description: keeps usage events on disk and delivers each exactly once
 A daemon beside a service that meters usage. It takes usage and billing events
 over HTTP, says yes once they are on disk, and delivers them to a Weir edge,
 to Zuora or to Solvimon when it can. The network may be gone for days.
 .
 Node.js is inside; nothing else has to be installed.
`;
}

const MAINTAINER = "The Weir authors <weir@localhost>";

function changelog({ version }: Product, madeAtS: number): string {
  const date = new Date(madeAtS * 1000).toUTCString().replace("GMT", "+0000");
  return `weir-agent (${version}) stable; urgency=medium

  * Made from weir ${version}; what changed stands in its CHANGELOG.md.

 -- ${MAINTAINER}  ${date}
`;
}

function copyright({ root }: Product): string {
  const [, holder = "", text = ""] =
    /^MIT License\n\nCopyright \(c\) (.*)\n\n([\s\S]*)$/.exec(readFileSync(join(root, "LICENSE"), "utf8")) ?? [];
  if (holder === "") throw new Error("LICENSE is not as it was");
  const indented = text
    .trimEnd()
    .split("\n")
    .map((line) => ` ${line === "" ? "." : line}`);
  return readFileSync(join(root, "agent/package/debian/copyright"), "utf8")
    .replace("@HOLDER@", holder)
    .replace("@LICENSE@", indented.join("\n"));
}
