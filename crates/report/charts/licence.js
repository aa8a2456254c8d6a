// Writes the licences of every package in the bundle beside it: the page carries them, as they ask for. Packages whose
// licences differ in nothing but the copyright line share one text.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const { metafile } = await build({
  entryPoints: ["plot.js"], bundle: true, metafile: true, write: false, format: "iife", treeShaking: true,
});
const folders = new Set(
  Object.values(metafile.outputs)
    .flatMap((output) => Object.entries(output.inputs))
    .filter(([, { bytesInOutput }]) => bytesInOutput > 0)
    .map(([path]) => path.match(/^node_modules\/((?:@[^/]+\/)?[^/]+)\//)?.[1])
    .filter(Boolean),
);
const texts = new Map();
for (const name of [...folders].sort()) {
  const folder = `node_modules/${name}`;
  const { version } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
  const file = readdirSync(folder).find((file) => /^licen[cs]e/i.test(file));
  if (!file) throw new Error(`${name} carries no licence`);
  const lines = readFileSync(`${folder}/${file}`, "utf8").trim().split("\n").map((line) => line.trimEnd());
  const copyright = lines.filter((line) => /^copyright/i.test(line)).join("; ");
  const text = lines.filter((line) => !/^copyright/i.test(line)).join("\n").replace(/\n{3,}/g, "\n\n").trim();
  texts.set(text, [...(texts.get(text) ?? []), `${name} ${version}: ${copyright || "see below"}`]);
}
const parts = [...texts].map(([text, packages]) => `${packages.join("\n")}\n\n${text}\n`);
writeFileSync("plot.min.js.LICENSE.txt", parts.join("\n----------------------------------------\n\n"));
