// Opens pages in Chromium and says, as JSON, what became of them:
//   node page.mjs FOLDER FILE…
// FOLDER takes screenshots. Chromium is Debian's, or the one that CHROMIUM names.
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium } from "playwright-core";

const [folder, ...files] = process.argv.slice(2);
const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM || "/usr/bin/chromium", chromiumSandbox: false });

// visit opens a file in a context of its own and returns the page with what it
// complains about and asks for.
async function visit(file, options) {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints = [], requests = [];
  page.on("console", (m) => complaints.push(`${m.type()}: ${m.text()}`));
  page.on("pageerror", (e) => complaints.push(`error: ${e.message}`));
  page.on("dialog", (d) => { complaints.push(`dialog: ${d.message()}`); d.dismiss(); });
  page.on("request", (r) => requests.push(r.url()));
  await page.goto(pathToFileURL(file).href);
  return { context, page, complaints, requests };
}

// unfold goes through the page with the Tab key and opens what is folded with
// Enter, as a reader without a mouse does.
async function unfold(page) {
  let stops = 0;
  for (; stops < 5000; stops++) {
    await page.keyboard.press("Tab");
    const at = await page.evaluate(() => {
      const e = document.activeElement;
      return e === document.body ? "end" : e.tagName === "SUMMARY" && !e.parentElement.open ? "folded" : "";
    });
    if (at === "end") break;
    if (at === "folded") await page.keyboard.press("Enter");
  }
  return stops;
}

const text = (page) => page.evaluate(() => document.body.innerText);
// What passed is not printed.
const hidden = (page) => page.evaluate(() =>
  [...document.querySelectorAll("details:not(.again) > :not(summary)")].filter((e) => !e.checkVisibility() && !(matchMedia("print").matches && e.closest("#passed")))
    .map((e) => e.textContent.trim().slice(0, 60)));

const reports = [];
for (const file of files) {
  const name = basename(file, ".html");
  const report = { name, views: [], complaints: [], requests: [] };
  const looked = await visit(file, {});
  const sizes = [390, 1280].flatMap((width) => ["light", "dark"].map((colorScheme) => ({ width, colorScheme })));
  const show = async ({ width, colorScheme }) => {
    await looked.page.setViewportSize({ width, height: 900 });
    await looked.page.emulateMedia({ colorScheme });
  };
  for (const size of sizes) {
    await show(size);
    await looked.page.screenshot({ path: join(folder, `${name}-${size.width}-${size.colorScheme}.png`) });
  }
  report.complaints.push(...looked.complaints); // axe-core's own are not the page's
  report.requests.push(...looked.requests);
  await looked.page.evaluate(() => document.querySelectorAll("details").forEach((d) => { d.open = true; }));
  await looked.page.evaluate(axe);
  for (const size of sizes) {
    await show(size);
    const overflow = await looked.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    const { violations, passes } = await looked.page.evaluate(() => window.axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa"] }));
    report.views.push({
      view: `${size.width} ${size.colorScheme}`, overflow, passes: passes.length,
      violations: violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.target.join(" ")).join(", ")}`),
    });
  }
  await looked.context.close();

  const first = await visit(file, { viewport: { width: 1280, height: 900 } });
  report.folded = await first.page.evaluate(() => document.querySelectorAll("details:not([open])").length);
  report.unseenAtFirst = (await hidden(first.page)).length;
  report.stops = await unfold(first.page);
  report.stillFolded = await first.page.evaluate(() => document.querySelectorAll("details:not([open])").length);
  report.unseen = await hidden(first.page);
  report.text = await text(first.page);
  report.complaints.push(...first.complaints);
  report.requests.push(...first.requests);
  await first.context.close();

  const noScript = await visit(file, { viewport: { width: 1280, height: 900 }, javaScriptEnabled: false });
  await unfold(noScript.page);
  report.textWithoutScript = await text(noScript.page);
  await noScript.context.close();

  const paper = await visit(file, { viewport: { width: 800, height: 1100 }, colorScheme: "dark" });
  await paper.page.emulateMedia({ media: "print" });
  report.unseenOnPaper = await hidden(paper.page);
  report.paper = await paper.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  await paper.context.close();
  reports.push(report);
}
await browser.close();
process.stdout.write(JSON.stringify(reports));
