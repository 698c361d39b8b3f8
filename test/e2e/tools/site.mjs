// Opens the documentation site in Chromium, from the disk, and says as JSON what became of it:
//   node site.mjs FOLDER SITE
// FOLDER takes screenshots. Chromium is Debian's, or the one that CHROMIUM names.
import { readFile } from "node:fs/promises";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [folder, site] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", chromiumSandbox: false });
const widths = [390, 1280];
const open = async (options = {}) => {
  const page = await (await browser.newContext(options)).newPage();
  const complaints = [], requests = [];
  page.on("console", (m) => complaints.push(`${m.type()}: ${m.text()}`));
  page.on("pageerror", (e) => complaints.push(`error: ${e.message}`));
  page.on("request", (r) => requests.push(r.url()));
  return { page, complaints, requests, go: (name) => page.goto(pathToFileURL(join(site, name)).href) };
};
const pages = readdirSync(site, { recursive: true }).filter((f) => f.endsWith(".html")).sort();
const report = { pages: pages.length, overflow: [], broken: [], complaints: [], foreign: [], views: [], searches: {} };

// Every page at both widths.
const all = await open();
for (const name of pages) {
  await all.go(name);
  for (const width of widths) {
    await all.page.setViewportSize({ width, height: 900 });
    const over = await all.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (over > 0) report.overflow.push(`${name} at ${width}: ${over}`);
  }
  report.broken.push(...await all.page.evaluate(() => [...document.images].filter((i) => i.naturalWidth === 0).map((i) => i.src)));
}
report.complaints = all.complaints;
report.foreign = all.requests.filter((r) => !r.startsWith(pathToFileURL(site).href));

// Some pages by axe-core, in both colours.
for (const name of ["index.html", "ci.html", "rules/NR202.html", "zh-TW/faq.html"]) {
  for (const width of widths) {
    for (const colorScheme of ["light", "dark"]) {
      const { page, go } = await open({ viewport: { width, height: 900 }, colorScheme });
      await go(name);
      await page.screenshot({ path: join(folder, `site-${relative(".", name).replaceAll("/", "-")}-${width}-${colorScheme}.png`) });
      await page.evaluate(axe);
      const { violations, passes } = await page.evaluate(() => window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }));
      report.views.push({
        view: `${name} ${width} ${colorScheme}`, passes: passes.length,
        violations: violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(", ")}`),
      });
      await page.context().close();
    }
  }
}

// The search, by keyboard: type, and Enter opens the best hit. From a page in a folder.
for (const words of ["upload-sarif github", "NR202", "信任政策", "nosuchwordanywhere"]) {
  const { page, go, complaints } = await open({ viewport: { width: 390, height: 900 } });
  await go("rules/NR101.html");
  await page.getByRole("searchbox").fill(words);
  await page.waitForFunction(() => document.querySelector("#found").textContent !== "");
  const result = { said: await page.locator("#found").textContent(), hits: await page.locator("#results li a").allTextContents() };
  await page.screenshot({ path: join(folder, `site-search-${Object.keys(report.searches).length}.png`) });
  if (result.hits.length > 0) {
    await page.getByRole("searchbox").press("Enter");
    await page.waitForLoadState();
    result.opened = relative(site, decodeURIComponent(new URL(page.url()).pathname)) + decodeURIComponent(new URL(page.url()).hash);
    result.seen = await page.evaluate(() => !location.hash || document.getElementById(decodeURIComponent(location.hash.slice(1))).getBoundingClientRect().top < innerHeight);
  }
  result.complaints = complaints;
  report.searches[words] = result;
  await page.context().close();
}

// Without JavaScript the text and the navigation are there, and no dead search box.
const plain = await open({ javaScriptEnabled: false, viewport: { width: 390, height: 900 } });
await plain.go("ci.html");
report.withoutScript = {
  search: await plain.page.locator("#search").isVisible(), text: await plain.page.locator("main h2").first().isVisible(),
  navigation: await plain.page.locator("nav a", { hasText: "Overview" }).isVisible(),
};
await browser.close();
console.log(JSON.stringify(report));
