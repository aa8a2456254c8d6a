// Renders a report in a browser at phone and desktop width, light, dark and on paper; fails where it does not keep what
// it promises; writes pictures to look at. `make report-pictures` runs it.
//
//   node pictures.js report.html folder
//
// Needs a Chromium: $CHROMIUM, by default /usr/bin/chromium (Debian: apt-get install chromium).
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [page_file, folder] = process.argv.slice(2);
if (!page_file || !folder) throw new Error("usage: node pictures.js report.html folder");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(executablePath)) {
  throw new Error(`no browser at ${executablePath}: install Chromium (Debian: apt-get install chromium) or set CHROMIUM`);
}
mkdirSync(folder, { recursive: true });
const address = pathToFileURL(resolve(page_file)).href;
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const VIEWS = ["executive", "operations", "analyst"];
const SCREENS = [
  { name: "phone", viewport: { width: 360, height: 800 }, colorScheme: "light" },
  { name: "phone-dark", viewport: { width: 360, height: 800 }, colorScheme: "dark" },
  { name: "tablet", viewport: { width: 768, height: 1024 }, colorScheme: "light" },
  { name: "desktop", viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  { name: "desktop-dark", viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
];
const findings = [];
const found = (where, what) => findings.push(`${where}: ${what}`);

/** What is wrong with the charts and the width of what is seen; runs in the page. */
function look() {
  const wrong = [];
  const root = document.scrollingElement;
  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1 && !e.closest(".wide, pre, svg"));
    wrong.push(`${root.scrollWidth} px wide on a screen of ${root.clientWidth}: ${wide.slice(0, 3).map((e) => `${e.tagName}.${e.className}`).join(", ")}`);
  }
  const seen = [...document.querySelectorAll(".plot")].filter((plot) => plot.getClientRects().length > 0 && !plot.closest("[hidden]"));
  for (const plot of seen) {
    const svg = plot.querySelector('svg[role="img"]');
    const name = plot.dataset.chart;
    if (!svg) { wrong.push(`${name} is not drawn`); continue; }
    if (!(svg.getAttribute("aria-label") ?? "").trim()) wrong.push(`${name} has no accessible name`);
    if (!plot.closest("figure")?.querySelector("details table tbody tr")) wrong.push(`${name} has no table behind it`);
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].filter((text) => text.textContent.trim() && text.getClientRects().length > 0)
      .map((text) => ({ text: text.textContent, box: text.getBoundingClientRect() })).filter(({ box }) => box.width > 0);
    for (const { text, box } of texts) {
      if (box.left < frame.left - 2 || box.right > frame.right + 2 || box.top < frame.top - 2 || box.bottom > frame.bottom + 2) {
        wrong.push(`${name}: "${text}" is cut off`);
      }
    }
    // A text's box has some air above and below its letters.
    const air = 1.5;
    texts.forEach((a, i) => texts.slice(i + 1).forEach((b) => {
      const across = Math.min(a.box.right, b.box.right) - Math.max(a.box.left, b.box.left);
      const down = Math.min(a.box.bottom, b.box.bottom) - Math.max(a.box.top, b.box.top);
      if (across > 0.5 && down > 2 * air) wrong.push(`${name}: "${a.text}" and "${b.text}" overlap`);
    }));
  }
  return { wrong, charts: seen.length, texts: document.querySelectorAll(".plot svg text").length };
}

const browser = await chromium.launch({
  executablePath,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let charts = 0;
for (const { name, viewport, colorScheme } of SCREENS) {
  const context = await browser.newContext({ viewport, colorScheme, deviceScaleFactor: 1 });
  const page = await context.newPage();
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && found(name, `console: ${message.text()}`));
  page.on("pageerror", (error) => found(name, `script: ${error.message}`));
  page.on("request", (request) => request.url().split("#")[0] !== address && found(name, `asks for ${request.url()}`));
  await page.goto(address);
  for (const view of VIEWS) {
    const where = `${name}, ${view}`;
    await page.evaluate((view) => { location.hash = view; }, view);
    await page.waitForFunction((view) => !document.getElementById(view).hidden, view);
    await page.waitForTimeout(150);
    const { wrong, charts: drawn } = await page.evaluate(look);
    charts += drawn;
    for (const what of wrong) found(where, what);
    await page.screenshot({ path: `${folder}/${name}-${view}.png`, fullPage: true });
    // Contrast is looked at with everything open, of the many tables of columns one.
    await page.evaluate(() => document.querySelectorAll("details:not(#columns details + details)").forEach((details) => { details.open = true; }));
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"] }));
    for (const { id, help, nodes } of violations) {
      found(where, `${id}: ${help} (${nodes.length}), as ${nodes[0].target.join(" ")}: ${nodes[0].failureSummary.split("\n").slice(1, 2).join("").trim()}`);
    }
    const open = await page.evaluate(look);
    for (const what of open.wrong.filter((what) => what.includes("wide on"))) found(`${where}, all open`, what);
    await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = false; }));
  }
  // By keyboard alone: the first stop skips to the content, the links of the views follow.
  if (name === "desktop") {
    await page.evaluate(() => { location.hash = "executive"; });
    await page.reload();
    await page.keyboard.press("Tab");
    if (await page.evaluate(() => document.activeElement.className) !== "skip") found(name, "the first stop of the keyboard does not skip to the content");
    await page.focus('nav.views a[data-view="analyst"]');
    await page.keyboard.press("Enter");
    await page.waitForTimeout(150);
    if (await page.evaluate(() => document.getElementById("analyst").hidden)) found(name, "the keyboard does not reach the analyst's view");
    await page.click(".theme");
    if (await page.evaluate(() => document.documentElement.dataset.theme) !== "dark") found(name, "the theme does not change");
    await page.click(".theme");
    // A place inside a closed part opens it.
    const link = page.locator('p.more a').first();
    if (await link.count()) {
      await page.evaluate(() => { location.hash = "executive"; });
      await link.click();
      await page.waitForTimeout(150);
      const open = await page.evaluate(() => document.getElementById(decodeURIComponent(location.hash.slice(1)))?.open);
      if (!open) found(name, "a link to a journey does not open it");
    }
    // Every segment of the map.
    await page.evaluate(() => { location.hash = "executive"; });
    await page.waitForTimeout(150);
    const select = page.locator(".chooser select");
    for (let at = (await select.count()) ? (await select.locator("option").count()) - 1 : -1; at >= 0; at -= 1) {
      await select.selectOption({ index: at });
      const { wrong } = await page.evaluate(look);
      for (const what of wrong) found(`${name}, segment ${at}`, what);
    }
    // Without colour.
    await page.evaluate(() => { document.documentElement.style.filter = "grayscale(1)"; });
    await page.screenshot({ path: `${folder}/grey-executive.png`, fullPage: true });
    await page.evaluate(() => { document.documentElement.style.filter = ""; });
    // What the README shows: the map as it is.
    const figure = page.locator("#map-figure");
    if (await figure.count()) {
      await page.setViewportSize({ width: 900, height: 900 });
      await page.waitForTimeout(200);
      // Nothing lies over it.
      await page.evaluate(() => { document.querySelector(".top").style.position = "static"; });
      await page.locator("#map").screenshot({ path: `${folder}/map.png` });
    }
  }
  await context.close();
}
const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
const page = await context.newPage();
page.on("pageerror", (error) => found("paper", `script: ${error.message}`));
await page.goto(address);
await page.pdf({ path: `${folder}/paper.pdf`, format: "A4" });
await page.emulateMedia({ media: "print" });
await page.setViewportSize({ width: 703, height: 900 });
await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
const { wrong, charts: printed } = await page.evaluate(look);
for (const what of wrong) found("paper", what);
await browser.close();

console.log(`${SCREENS.length} screens and paper: ${charts + printed} charts looked at; pictures in ${folder}`);
for (const finding of findings) console.log(`  ${finding}`);
if (charts === 0) console.log("  no chart was drawn");
console.log(findings.length === 0 && charts > 0 ? "nothing found" : `${findings.length} findings`);
process.exit(findings.length === 0 && charts > 0 ? 0 : 1);
