// Searches the pages in the browser. The index is loaded when somebody begins to search.
const root = document.currentScript.dataset.root;
const form = document.querySelector("form[role=search]");
const input = document.querySelector("#search");
const results = document.querySelector("#results");
const list = results.querySelector("ol");
const found = document.querySelector("#found");
const most = 20;

// On a phone the navigation would fill the screen.
if (matchMedia("(max-width: 50rem)").matches) document.querySelector("nav .menu").open = false;

const load = () => new Promise((done, failed) => {
  if (window.searchIndex) return done();
  const script = document.createElement("script");
  script.src = root + "search-index.js";
  script.onload = done;
  script.onerror = failed;
  document.head.append(script);
});

// score says how well a section fits: all words have to be in it, and words in a heading count
// more.
function score(entry, words) {
  let sum = 0;
  for (const word of words) {
    const inSection = entry.s.toLowerCase().includes(word), inPage = entry.p.toLowerCase().includes(word);
    if (!inSection && !inPage && !entry.t.toLowerCase().includes(word)) return 0;
    sum += inSection ? 5 : inPage ? 3 : 1;
  }
  return sum;
}

// excerpt is the text around the first word that it has, with the words marked.
function excerpt(text, words) {
  const places = words.map((w) => text.toLowerCase().indexOf(w)).filter((i) => i >= 0);
  const from = places.length === 0 ? 0 : Math.max(0, Math.min(...places) - 60);
  const part = (from > 0 ? "…" : "") + text.slice(from, from + 180) + (from + 180 < text.length ? "…" : "");
  const p = document.createElement("p");
  const pattern = words.map((w) => w.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|");
  part.split(new RegExp(`(${pattern})`, "i")).forEach((piece, i) => {
    const node = i % 2 ? document.createElement("mark") : document.createElement("span");
    node.textContent = piece;
    p.append(node);
  });
  return p;
}

async function search() {
  const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
  results.hidden = words.length === 0;
  if (words.length === 0) return;
  try {
    await load();
  } catch {
    list.replaceChildren();
    found.textContent = "The search index could not be loaded.";
    return;
  }
  const hits = window.searchIndex.map((entry) => ({ entry, score: score(entry, words) })).filter((h) => h.score > 0).sort((a, b) => b.score - a.score);
  found.textContent = hits.length === 0 ? "No section has all of these words." : `${hits.length} ${hits.length === 1 ? "section" : "sections"}` + (hits.length > most ? `, the best ${most}:` : ":");
  list.replaceChildren(...hits.slice(0, most).map(({ entry }) => {
    const item = document.createElement("li"), link = document.createElement("a");
    link.href = root + entry.l;
    link.textContent = entry.s === entry.p ? entry.p : `${entry.p}: ${entry.s}`;
    link.addEventListener("click", () => { results.hidden = true; });
    item.append(link, excerpt(entry.t, words));
    return item;
  }));
}

form.hidden = false;
form.addEventListener("submit", (e) => { e.preventDefault(); list.querySelector("a")?.click(); });
input.addEventListener("input", search);
input.addEventListener("keydown", (e) => { if (e.key === "Escape") { input.value = ""; search(); } });
