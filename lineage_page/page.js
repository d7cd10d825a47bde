/* ---------------------------------------------------------------- the head */

function drawHead() {
  const [tone, verdict] = page.verdict;
  Object.assign(byId("verdict"), { textContent: visibly(verdict), className: tone });
  const made = new Date(page.made_at), when = make("time", { dateTime: page.made_at, text: shownTime(page.made_at) });
  when.title = `${made.toISOString().slice(0, 16).replace("T", " ")} UTC`;
  const age = make("span", { id: "age" });
  byId("about").append(when, ` (${when.title.slice(11)}, `, age, ") · ", make("bdi", { text: page.tenant }));
  if (page.live) byId("about").append(" ", makeButton("quiet", "Reload", () => location.reload()));
  tellAge(made);
  setInterval(tellAge, 20_000, made);
  drawErrors();
  for (const [label, value, share] of page.summary) {
    const shown = typeof value === "number" ? number(value) : value;
    const numbers = make("dd", {}, ...shown.split(/( of .*)/).map((part, at) => (at ? make("small", { text: part }) : part)));
    const entry = make("dl", { className: value === 0 ? "none" : "" }, make("dt", { text: label }), numbers);
    if (share !== undefined) {
      const filled = make("i", { className: share < 1 ? "some" : "" });
      filled.style.width = `${share * 100}%`;
      numbers.append(make("div", { className: "share" }, filled));
    }
    byId("summary").append(entry);
  }
  drawReasons();
  for (const [label, place] of page.lanes) {
    byId("lanes").append(make("span", { title: place }, make("b", { text: label }), make("bdi", { text: place })));
  }
  drawFacts();
}

/* How old the page is: what it tells was so then. */
function tellAge(made) {
  const minutes = Math.max(Math.round((Date.now() - made) / 60_000), 0);
  const [count, unit] = minutes < 60 ? [minutes, "minute"] : minutes < 2880 ? [Math.round(minutes / 60), "hour"] : [Math.round(minutes / 1440), "day"];
  byId("age").textContent = count ? `${counted(count, unit)} ago` : "just now";
}

/* Why something is removed or stale, with counts. */
function drawReasons() {
  const counts = new Map();
  for (const [, , reason, , state] of page.removals) {
    const told = `${STATES[state][1]}: ${reason}`;
    counts.set(told, (counts.get(told) || 0) + 1);
  }
  const told = [...counts].sort(([, one], [, other]) => other - one).map(([reason, count]) => `${number(count)} ${reason}`);
  const more = told.length > 5 ? [`and ${counted(told.length - 5, "more reason")}`] : [];
  byId("reasons").replaceChildren(make("bdi", { text: [...told.slice(0, 5), ...more].join(" · ") }));
  byId("reasons").hidden = !told.length;
}

function drawErrors() {
  byId("errors").hidden = !page.errors.length;
  for (const [words, count, ...names] of page.errors) {
    const more = count > names.length ? ` and ${number(count - names.length)} more` : "";
    const what = make("span", { className: "place", text: names.join(", ") + more });
    byId("errors").append(make("li", {}, make("b", { text: `${number(count)} × ` }), make("bdi", { text: words }), make("br"), what));
  }
}

function drawFacts() {
  const dl = byId("facts").querySelector("dl");
  byId("facts").hidden = !page.facts.length;
  for (const [label, value] of page.facts) dl.append(make("dt", { text: label }), make("dd", {}, make("bdi", { text: value })));
  if (!page.apply) return;
  const [command, fingerprint] = page.apply;
  const code = make("code", { text: command }), copy = makeButton("copy", "Copy", () => copyText(command, copy, code));
  const line = make("p", { className: "apply" }, "Saved as a plan. To carry out just this: ", code, " ", copy, ` fingerprint ${fingerprint}`);
  byId("facts").before(line);
}

/* ---------------------------------------------------------------- tabs, and what is in the address */

const TABS = {
  chains: { label: "Chains", draw: layOut, there: () => true },
  open: { label: "Open things", draw: drawOpen, there: () => page.open.length },
  removals: { label: page.pruned ? (page.planned ? "To remove" : "Removed") : "Stale", draw: drawRemovals, there: () => page.removals.length },
  assets: { label: "Assets", draw: () => drawAssets(), there: () => page.live },
  way: { label: "Whole way", draw: () => (page.live ? drawLineage() : drawWay()), there: () => view.asset },
};

function drawTabs() {
  for (const [name, tab] of Object.entries(TABS)) {
    const button = makeButton("", "", () => show(name), { id: `tab-${name}`, role: "tab", aria: { controls: name }, data: { name } });
    button.append(tab.label, make("span", { className: "number" }));
    byId("tabs").append(button);
  }
  byId("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const tabs = [...byId("tabs").children].filter((tab) => !tab.hidden);
    const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  });
}

function updateTabs() {
  const counts = { ...countFound(), assets: page.live ? Object.values(page.live).reduce((sum, count) => sum + count, 0) : undefined };
  for (const tab of byId("tabs").children) {
    const { name } = tab.dataset, isSelected = view.tab === name;
    tab.hidden = !TABS[name].there();
    tab.setAttribute("aria-selected", isSelected);
    tab.tabIndex = isSelected ? 0 : -1;
    tab.lastChild.textContent = counts[name] === undefined ? "" : ` ${number(counts[name])}`;
    byId(name).hidden = !isSelected;
  }
}

/* Finds what is asked for, and draws the view that is open. */
function refresh() {
  found = findAll();
  if (!TABS[view.tab].there()) view.tab = "chains";
  updateTabs();
  updateFilters();
  tellFound();
  TABS[view.tab].draw();
}

function show(tab) {
  view.tab = tab;
  change(true);
}

function showWay(asset) {
  view.asset = asset;
  show("way");
  byId("tab-way").focus();
}

/* Another view is a step that the browser can take back; what is typed is none. */
function change(isStep = false) {
  const told = { tab: view.tab, q: view.query, show: [...view.states].join(" "), ground: [...view.proofs].join(" "), asset: view.tab === "way" ? view.asset : "" };
  const parts = new URLSearchParams(Object.entries(told).filter(([name, value]) => value && !(name === "tab" && value === "chains")));
  const address = `${page.live ? "/" : location.pathname}${String(parts) && `#${parts}`}`;
  if (address !== location.pathname + location.hash) history[isStep ? "pushState" : "replaceState"](null, "", address);
  refresh();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function readAddress() {
  const parts = new URLSearchParams(location.hash.slice(1));
  const inPath = page.live && /^\/assets\/([^/]+)/.exec(location.pathname);
  view.asset = parts.get("asset") || (inPath ? decoded(inPath[1]) : view.asset);
  view.tab = TABS[parts.get("tab")] ? parts.get("tab") : inPath ? "way" : "chains";
  const names = (name) => new Set((parts.get(name) || "").split(" ").filter(Boolean));
  [view.states, view.proofs] = [names("show"), names("ground")];
  search(parts.get("q") || "");
  byId("search").value = view.query;
  refresh();
}

function search(query) {
  view.query = query.trim();
  view.words = wordsOf(view.query);
}

/* ---------------------------------------------------------------- keys, sizes and paper */

function handlePageKey(event) {
  if (event.key === "/" && !["INPUT", "SELECT", "TEXTAREA"].includes(event.target.tagName)) {
    event.preventDefault();
    byId("search").focus();
  } else if (event.target === byId("search") && event.key === "Escape") {
    byId("search").value = "";
    byId("search").dispatchEvent(new Event("input"));
  } else if (event.target === byId("search") && event.key === "ArrowDown" && view.tab === "chains" && list.items.length) {
    event.preventDefault();
    focusItem(0);
  }
}

/* Another width may give the texts other heights. */
function handleResize() {
  if (view.tab === "way") return TABS.way.draw();
  if (view.tab !== "chains") return;
  if (list.width === byId("list").clientWidth) return draw();
  const focused = document.activeElement.closest("#list > .chain");
  const chain = focused && list.items[Number(focused.dataset.index)].chain;
  layOut();
  if (chain) focusItem(indexOf(chain));
}

/* On paper is all of it: the chains with what changes first, what is open, and what is removed. */
function handlePrint(printing) {
  view.printing = printing;
  list.width = 0;
  for (const name of printing ? ["chains", "open", "removals"] : []) {
    byId(name).hidden = !TABS[name].there();
    if (TABS[name].there()) TABS[name].draw();
  }
  if (!printing) refresh();
}

function start() {
  const order = Object.keys(STATES);
  if (!page.live) page.chains.sort((one, other) => order.indexOf(one.state) - order.indexOf(other.state));
  drawHead();
  drawTabs();
  drawFilters();
  byId("search").addEventListener("input", () => {
    search(byId("search").value);
    change();
  });
  byId("list").addEventListener("keydown", handleListKey);
  byId("list").addEventListener("click", handleListClick);
  document.addEventListener("keydown", handlePageKey);
  document.addEventListener("scroll", draw, { passive: true });
  window.addEventListener("resize", handleResize);
  // The labels of the lanes stay in sight below the tools, however high those are.
  new ResizeObserver(() => document.body.style.setProperty("--tools", `${byId("tools").offsetHeight}px`)).observe(byId("tools"));
  window.addEventListener("popstate", readAddress);
  window.addEventListener("hashchange", readAddress);
  window.addEventListener("beforeprint", () => handlePrint(true));
  window.addEventListener("afterprint", () => handlePrint(false));
  readAddress();
}

start();
