"use strict";
/* Draws the document of the page. Names only ever become text: nothing is parsed as HTML. */

const page = JSON.parse(document.getElementById("document").textContent);
const ROW = 54, COLUMN = 28, BEYOND = 600, AT_ONCE = 200;
const MARKS = { created: "+", updated: "~", unchanged: "=", removed: "−", failed: "!", incomplete: "○" };
const WORDS = page.planned
  ? { created: "to create", updated: "to change", unchanged: "unchanged", removed: "to remove", failed: "failed", incomplete: "incomplete" }
  : { created: "created", updated: "changed", unchanged: "unchanged", removed: "removed", failed: "failed", incomplete: "incomplete" };
const byId = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");

function make(tag, properties = {}, ...children) {
  const { role, aria, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  if (role) node.setAttribute("role", role);
  for (const [name, value] of Object.entries(aria || {})) node.setAttribute(`aria-${name}`, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

/* A name that may be of any script: `bdi` keeps it from turning its surroundings around. */
function named(text, guid) {
  if (!guid || !page.asset_url) return make("bdi", { className: "name", textContent: text, title: text });
  const href = `${page.asset_url}${encodeURIComponent(guid)}/overview`;
  return make("a", { className: "name", href, title: text, rel: "noopener" }, make("bdi", { textContent: text }));
}

/* ---------------------------------------------------------------- the head */

function drawHead() {
  const made = new Date(page.made_at);
  const when = make("time", { dateTime: page.made_at, textContent: made.toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) });
  when.title = `${made.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  byId("about").append(make("b", { textContent: page.about }), " · ", when, ` (${when.title.slice(11)}) · `, make("bdi", { textContent: page.tenant }));
  for (const [label, value, share] of page.summary) {
    const shown = typeof value === "number" ? number(value) : value;
    const numbers = make("dd", {}, ...shown.split(/( of .*)/).map((part, at) => (at ? make("small", { textContent: part }) : part)));
    const entry = make("dl", { className: value === 0 ? "none" : "" }, make("dt", { textContent: label }), numbers);
    if (share !== undefined) {
      const filled = make("i");
      filled.style.width = `${share * 100}%`;
      entry.append(make("div", { className: "bar" }, filled));
    }
    byId("summary").append(entry);
  }
  for (const [label, place] of page.lanes) {
    byId("lanes").append(make("span", { title: place }, make("b", { textContent: label }), make("bdi", { textContent: place })));
  }
}

/* ---------------------------------------------------------------- chains */

const view = {
  query: "",
  states: new Set(),
  open: new Set(),
  items: [], // what can be seen by scrolling: a chain, or a line below an open one
  tops: [], // where each begins, in pixels, and at last where all end
  drawn: new Map(),
  width: 0, // of the list; the heights of notes, by their texts, are for it
  heights: new Map(),
  printing: false,
};

function columnOf(chain, column) {
  return typeof column === "string" ? [column, chain.upper ? column.toUpperCase() : column, chain.state] : column;
}

function textOf(chain) {
  const ends = [...chain.sources, ...chain.objects, ...chain.targets].flat();
  chain.text ??= [...ends, chain.folder, ...chain.columns.flat()].join("\n").toLowerCase();
  return chain.text;
}

function isNamed(chain) {
  return [...chain.sources, ...chain.targets].some(([name]) => name.toLowerCase().includes(view.query));
}

function notesOf(chain) {
  const ends = [...chain.sources, ...(chain.count > 1 ? [] : chain.objects), ...chain.targets].map(([name]) => name);
  const elided = (name) => name.length * 9 > view.width / 4; // about as wide as a lane
  const notes = [...new Set(ends)].filter(elided);
  if (chain.ground) notes.push(`Ground: ${chain.ground}`);
  if (chain.missing) notes.push(`Missing: ${chain.missing}`);
  if (chain.count > 1) {
    const more = chain.count - chain.objects.length;
    notes.push(`Objects: ${chain.objects.join(", ")}${more > 0 ? ` and ${number(more)} more` : ""}`);
  }
  return [...notes, ...chain.details];
}

function layOut() {
  const fitting = page.chains.filter(
    (chain) => (!view.states.size || view.states.has(chain.state)) && (!view.query || textOf(chain).includes(view.query)),
  );
  if (view.width !== byId("list").clientWidth) view.heights.clear();
  view.width = byId("list").clientWidth;
  if (view.query) fitting.sort((one, other) => isNamed(other) - isNamed(one)); // tables of that name before all else
  view.items = [];
  view.tops = [0];
  const add = (item, height) => {
    view.items.push(item);
    view.tops.push(view.tops[view.tops.length - 1] + height);
  };
  fitting.forEach((chain, at) => {
    add({ chain, at, of: fitting.length }, ROW);
    if (!view.open.has(chain)) return;
    for (const note of notesOf(chain)) add({ chain, note }, heightOf(note));
    for (const column of chain.columns) add({ chain, column: columnOf(chain, column) }, COLUMN);
  });
  view.drawn.forEach((node) => node.remove());
  view.drawn.clear();
  byId("list").style.height = `${view.tops[view.tops.length - 1] + 2}px`;
  byId("list").hidden = !fitting.length;
  const nothing = document.querySelector("#chains .nothing");
  nothing.hidden = fitting.length > 0;
  nothing.textContent = page.chains.length ? "Nothing fits." : "There are no chains yet.";
  const closed = fitting.some((chain) => !view.open.has(chain));
  byId("all").textContent = closed ? "Expand all" : "Collapse all";
  draw();
}

/* The first item that ends below a height. */
function itemAt(height) {
  let low = 0, high = view.items.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (view.tops[middle + 1] > height) high = middle;
    else low = middle + 1;
  }
  return low;
}

/* Only what is near the window is in the document, so that it does not matter how much there is. */
function draw() {
  if (!view.items.length) return;
  const top = -byId("list").getBoundingClientRect().top;
  const first = view.printing ? 0 : itemAt(top - BEYOND);
  const last = view.printing ? view.items.length - 1 : itemAt(top + window.innerHeight + BEYOND);
  for (const [index, node] of view.drawn) {
    if ((index < first || index > last) && !node.contains(document.activeElement)) {
      node.remove();
      view.drawn.delete(index);
    }
  }
  const fresh = document.createDocumentFragment();
  for (let index = first; index <= last; index += 1) {
    if (view.drawn.has(index)) continue;
    const node = drawItem(view.items[index]);
    node.style.top = `${view.tops[index]}px`;
    node.dataset.index = index;
    view.drawn.set(index, node);
    fresh.append(node);
  }
  byId("list").append(fresh);
}

function drawItem(item) {
  if (item.note) return drawNote(item.note);
  return item.column ? drawColumn(item.column) : drawChain(item);
}

function drawNote(text) {
  return make("div", { className: "note", role: "note" }, make("bdi", { textContent: text }));
}

/* A note may have several lines; only the browser knows how many, but asking it takes a while. */
function heightOf(note) {
  if (note.length * 14 < view.width - 60) return COLUMN;
  if (!view.heights.has(note)) {
    const node = drawNote(note);
    byId("list").append(node);
    view.heights.set(note, node.offsetHeight);
    node.remove();
  }
  return view.heights.get(note);
}

function drawEnd(ends, missing, note = "") {
  if (!ends.length) return make("span", { className: "end" }, make("span", { className: "missing", textContent: missing }));
  const [name, place, guid] = ends[0];
  const more = ends.length > 1 ? ` and ${number(ends.length - 1)} more` : "";
  const where = make("bdi", { className: "place", textContent: note || place + more, title: place });
  return make("span", { className: "end" }, named(name, guid), where);
}

function isHit(left, right) {
  return view.query && `${left}\n${right}`.toLowerCase().includes(view.query);
}

/* Why a chain that is closed fits what is searched for. */
function noteHits(chain) {
  const hits = view.query ? chain.columns.map((column) => columnOf(chain, column)).filter(([left, right]) => isHit(left, right)) : [];
  if (!hits.length) return "";
  return hits.length === 1 ? `column ${hits[0][0]}` : `${number(hits.length)} columns`;
}

function drawChain({ chain, at, of }) {
  const isOpen = view.open.has(chain);
  const label = chain.sources.concat(chain.targets)[0]?.[0] ?? "";
  const lacks = (part) => (chain.gaps || []).includes(part);
  const objects = chain.count > 1 ? [[`${number(chain.count)} objects`, chain.folder, ""]] : chain.objects;
  const edge = (there) => make("span", { className: there ? "edge" : "edge missing" });
  const noObject = lacks("object") ? "no object" : lacks("columns") ? "columns do not fit" : "";
  const lanes = [
    drawEnd(chain.sources, "no source", noteHits(chain)),
    edge(objects.length),
    drawEnd(objects, noObject),
    edge(chain.targets.length && !chain.missing),
    drawEnd(chain.targets, lacks("target") || !chain.missing ? "no target" : ""),
  ];
  const state = drawState(chain.state, ` ${WORDS[chain.state]}`);
  const toggle = make("button", { type: "button", className: "toggle", aria: { expanded: isOpen, label: `Columns of ${label}` } });
  const classes = ["chain", chain.state, isOpen ? "open" : "", at ? "" : "first"];
  const aria = { setsize: of, posinset: at + 1 };
  return make("div", { className: classes.join(" "), role: "listitem", aria }, toggle, ...lanes, state);
}

function drawColumn([left, right, state]) {
  const end = (text) => make("span", { className: "end" }, make("bdi", { textContent: text, title: text }));
  const way = make("span", { className: "edge way" });
  const classes = `column ${state} ${isHit(left, right) ? "hit" : ""}`;
  return make("div", { className: classes, role: "note" }, make("span"), end(left), way, end(right), drawState(state, ""));
}

/* By a mark and in words, not by colour alone. What a tenant holds has no state. */
function drawState(state, word) {
  if (page.assets) return make("span");
  return make("span", { className: "state", title: WORDS[state] }, MARKS[state], make("span", { className: "word", textContent: word }));
}

function toggle(chain) {
  if (!view.open.delete(chain)) view.open.add(chain);
  layOut();
}

/* Bring an item into the window, drawn, and its button into focus. */
function focusItem(index) {
  const top = byId("list").getBoundingClientRect().top + view.tops[index];
  const above = byId("tools").getBoundingClientRect().bottom + 8;
  if (top < above) window.scrollBy(0, top - above);
  else if (top + ROW > window.innerHeight) window.scrollBy(0, top + ROW + 24 - window.innerHeight);
  draw();
  view.drawn.get(index).querySelector(".toggle").focus({ preventScroll: true });
}

function moveFocus(from, by) {
  let index = from + by;
  while (view.items[index] && view.items[index].at === undefined) index += by;
  if (view.items[index]) focusItem(index);
}

function indexOf(chain) {
  return view.items.findIndex((item) => item.chain === chain && item.at !== undefined);
}

function handleListKey(event) {
  const node = event.target.closest("#list > .chain");
  if (!node || event.target.tagName === "A") return;
  const index = Number(node.dataset.index), { chain } = view.items[index], isOpen = view.open.has(chain);
  const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
  if (steps[event.key]) moveFocus(index, steps[event.key]);
  else if (event.key === "Home") focusItem(0);
  else if (event.key === "End") moveFocus(view.items.length, -1);
  else if ((event.key === "ArrowRight" && !isOpen) || (event.key === "ArrowLeft" && isOpen)) {
    toggle(chain);
    focusItem(indexOf(chain));
  } else return;
  event.preventDefault();
}

function handleListClick(event) {
  const node = event.target.closest("#list > .chain");
  if (!node || event.target.closest("a") || String(window.getSelection())) return;
  const { chain } = view.items[Number(node.dataset.index)];
  toggle(chain);
  if (event.target.closest(".toggle")) focusItem(indexOf(chain));
}

/* ---------------------------------------------------------------- what did not match, and what is stale */

function drawSome(section, entries, drawEntry, lead) {
  const fitting = entries.filter((entry) => entry.flat().join("\n").toLowerCase().includes(view.query));
  section.replaceChildren(make("p", { className: "lead", textContent: lead }));
  let shown = 0;
  const more = make("button", { type: "button", className: "quiet" });
  const show = () => {
    more.before(...fitting.slice(shown, shown + AT_ONCE).flatMap(drawEntry));
    shown = Math.min(shown + AT_ONCE, fitting.length);
    more.textContent = `Show more (${number(fitting.length - shown)})`;
    more.hidden = shown === fitting.length;
  };
  more.addEventListener("click", show);
  section.append(more);
  show();
  if (!fitting.length) section.append(make("p", { className: "nothing", textContent: "Nothing fits." }));
}

function byKind(entries) {
  const order = ["table", "object", "column"];
  return [...entries].sort((one, other) => order.indexOf(one[0]) - order.indexOf(other[0]));
}

function drawUnmatched([kind, sentence, ...lines], at, all) {
  const remedies = lines.map((line) => {
    const copy = make("button", { type: "button", className: "copy", textContent: "Copy" });
    copy.addEventListener("click", () => copyText(line, copy));
    return make("div", { className: "remedy" }, make("code", { textContent: line }), copy);
  });
  const item = make("div", { className: "item" }, make("p", { dir: "auto", textContent: sentence }), ...remedies);
  return at && all[at - 1][0] === kind ? [item] : [make("h2", { textContent: `${kind}s` }), item];
}

function drawStale([type, name, guid]) {
  const state = page.pruned ? "removed" : "unchanged";
  const word = make("span", { className: "state", textContent: page.pruned ? `${MARKS[state]} ${WORDS[state]}` : "" });
  return make("div", { className: `item ${state}` }, make("p", { className: "place", textContent: type }), named(name, guid), word);
}

/* The clipboard is not open to every page that is a file; then the text is selected, to be copied by hand. */
async function copyText(text, button) {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    const code = button.previousElementSibling;
    window.getSelection().selectAllChildren(code);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

/* ---------------------------------------------------------------- the lineage of one asset (a tenant that answers) */

async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

let latest; // what was asked for last: an answer that comes later than it should is not drawn

async function drawAssets() {
  const asked = view.query, mine = (latest = {});
  const { assets, total } = await ask(`/_sandbox/assets?name=${encodeURIComponent(asked)}`);
  if (mine !== latest) return;
  const lead = `${number(total)} assets${asked ? " with that in their names" : ""}. Choose one to see its lineage.`;
  const found = assets.map((asset) => {
    const button = make("button", { type: "button", className: "found" }, ...describe(asset));
    button.addEventListener("click", () => (location.hash = asset.guid));
    return button;
  });
  byId("assets").replaceChildren(make("p", { className: "lead", textContent: lead }), ...found);
}

function describe(asset) {
  const where = make("bdi", { className: "place", textContent: `${asset.type} · ${asset.qualified_name}` });
  return [make("bdi", { className: "name", textContent: asset.name }), make("br"), where];
}

async function drawLineage(guid) {
  const mine = (latest = {});
  const { asset, upstream, downstream } = await ask(`/_sandbox/lineage/${encodeURIComponent(guid)}`);
  if (mine !== latest) return;
  const side = (title, assets) => {
    const links = assets.map((other) => make("a", { className: "found", href: `#${other.guid}` }, ...describe(other)));
    return make("div", {}, make("h2", { textContent: `${title} (${number(assets.length)})` }), ...links);
  };
  const own = make("div", {}, make("h2", { textContent: "Asset" }), ...describe(asset));
  const back = make("button", { type: "button", className: "quiet", textContent: "← All assets" });
  back.addEventListener("click", () => (location.hash = "assets"));
  byId("assets").replaceChildren(back, make("div", { className: "around" }, side("Upstream", upstream), own, side("Downstream", downstream)));
}

/* ---------------------------------------------------------------- tabs, search and filters */

const TABS = {
  chains: { label: "Chains", count: page.chains.length, draw: layOut },
  unmatched: {
    label: "Unmatched", count: page.unmatched.length,
    draw: () => drawSome(byId("unmatched"), byKind(page.unmatched), drawUnmatched, "Put a line into the overrides file to settle what it says, and run again."),
  },
  stale: {
    label: "Stale", count: page.stale.length,
    draw: () => drawSome(byId("stale"), page.stale, drawStale, page.pruned
      ? "Made earlier, and wanted no more." : "Made earlier, and wanted no more. They stay until a run with --prune."),
  },
  assets: { label: "Assets", count: page.assets, draw: () => drawAssets() },
};
let current = "chains";

function show(name) {
  current = name;
  for (const tab of byId("tabs").children) {
    const selected = tab.dataset.name === name;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
    byId(tab.dataset.name).hidden = !selected;
  }
  byId("filters").hidden = byId("all").hidden = byId("lanes").hidden = name !== "chains";
  TABS[name].draw();
}

function drawTabs() {
  for (const [name, tab] of Object.entries(TABS)) {
    if (!tab.count && name !== "chains") continue;
    const count = make("span", { className: "number", textContent: ` ${number(tab.count)}` });
    const button = make("button", { type: "button", id: `tab-${name}`, role: "tab", aria: { controls: name } }, tab.label, count);
    button.dataset.name = name;
    button.addEventListener("click", () => {
      if (location.hash) history.replaceState(null, "", location.pathname);
      show(name);
    });
    byId("tabs").append(button);
  }
  byId("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const tabs = [...byId("tabs").children];
    const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
}

function drawFilters() {
  for (const state of Object.keys(MARKS)) {
    const count = page.chains.filter((chain) => chain.state === state).length;
    if (!count || count === page.chains.length) continue;
    const button = make("button", { type: "button", className: `${state} state`, aria: { pressed: false } });
    button.append(`${MARKS[state]} ${WORDS[state]} `, make("span", { className: "number", textContent: number(count) }));
    button.addEventListener("click", () => {
      if (!view.states.delete(state)) view.states.add(state);
      button.setAttribute("aria-pressed", view.states.has(state));
      layOut();
    });
    byId("filters").append(button);
  }
}

function handlePageKey(event) {
  if (event.key === "/" && event.target.tagName !== "INPUT") {
    event.preventDefault();
    byId("search").focus();
  } else if (event.target === byId("search") && event.key === "Escape") {
    byId("search").value = "";
    byId("search").dispatchEvent(new Event("input"));
  } else if (event.target === byId("search") && event.key === "ArrowDown" && current === "chains" && view.items.length) {
    event.preventDefault();
    focusItem(0);
  }
}

/* Another width may give the notes other heights. */
function handleResize() {
  if (current !== "chains" || view.width === byId("list").clientWidth) return draw();
  const focused = document.activeElement.closest("#list > .chain");
  const chain = focused && view.items[Number(focused.dataset.index)].chain;
  layOut();
  if (chain) focusItem(indexOf(chain));
}

function openPlace() {
  const guid = location.hash.slice(1) || /^\/assets\/([^/]+)/.exec(location.pathname)?.[1];
  if (!page.assets || !guid) return show(current);
  show("assets");
  if (guid !== "assets") drawLineage(decodeURIComponent(guid)).catch(() => show("assets"));
}

function start() {
  drawHead();
  drawTabs();
  drawFilters();
  byId("search").addEventListener("input", () => {
    view.query = byId("search").value.trim().toLowerCase();
    show(current);
  });
  byId("all").addEventListener("click", () => {
    const all = byId("all").textContent === "Expand all";
    view.open = new Set(all ? page.chains : []);
    layOut();
  });
  byId("list").addEventListener("keydown", handleListKey);
  byId("list").addEventListener("click", handleListClick);
  document.addEventListener("keydown", handlePageKey);
  document.addEventListener("scroll", draw, { passive: true });
  window.addEventListener("resize", handleResize);
  window.addEventListener("hashchange", openPlace);
  for (const [name, printing] of [["beforeprint", true], ["afterprint", false]]) {
    window.addEventListener(name, () => {
      view.printing = printing;
      if (current === "chains") layOut();
    });
  }
  openPlace();
}

start();
