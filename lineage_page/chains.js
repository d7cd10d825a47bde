/* ---------------------------------------------------------------- the chains: only what is near the window is drawn */

const ROW = 54, COLUMN = 28, LINE = 20, PLACE = 17, TURN = 14, BEYOND = 600, CHANGES = 3;
const isNarrow = matchMedia("(max-width: 760px)");

const list = {
  open: new Set(),
  unfolded: false, // whether the unchanged chains are shown below those that change
  items: [], // what can be seen by scrolling: a chain, a line below an open one, or the line that unfolds
  tops: [], // where each begins, in pixels, and at last where all end
  drawn: new Map(),
  width: 0, // of the list: the heights of texts are for it
  lane: 0, // the width of one lane
  heights: new Map(),
};

/* How many lines a text takes that may be broken anywhere: letter by letter, as asking the browser takes a while. */
const pen = document.createElement("canvas").getContext("2d"), letters = new Map();
function linesOf(text, width, size, weight = 400) {
  if (!text || text.length * size <= width) return text ? 1 : 0;
  const key = `${size} ${width}\n${text}`;
  if (!list.heights.has(key)) {
    let lines = 1, used = 0;
    for (const letter of visibly(text)) {
      const wide = widthOf(letter, size, weight);
      if (used + wide > width - 1) [lines, used] = [lines + 1, 0];
      used += wide;
    }
    list.heights.set(key, lines);
  }
  return list.heights.get(key);
}

function widthOf(letter, size, weight) {
  const key = `${size} ${weight} ${letter}`;
  if (!letters.has(key)) {
    pen.font = `${weight} ${size}px ${list.family}`;
    letters.set(key, pen.measureText(letter).width);
  }
  return letters.get(key);
}

/* The three ends of a chain: its name, its place, and what is told where there is none. */
function endsOf(chain) {
  const lack = (part) => (chain.lacks || []).find(([of]) => of === part);
  const end = (ends, part) => {
    if (!ends.length) return { missing: missingWords(part, lack(part)) || `no ${part}` };
    const [name, path, guid] = ends[0];
    const more = ends.length > 1 ? ` and ${number(ends.length - 1)} more` : "";
    return { name, guid, place: path.replaceAll("/", " / ") + more };
  };
  const columns = lack("columns");
  const files = chain.files ? endOfFiles(chain.files) : { missing: lack("object") ? missingWords("object", lack("object")) : "" };
  if (columns && chain.files) files.warning = "the columns do not fit";
  return [end(sourcesOf(chain), "source"), files, end(targetsOf(chain), "target")];
}

function missingWords(part, lack) {
  if (!lack) return "";
  const candidates = lack.length - 2;
  return candidates > 1 ? `${number(candidates)} candidates` : `no ${part}`;
}

function endOfFiles({ names, count, folder, guid }) {
  if (count === 1) return { name: names[0], guid, place: folder };
  return { name: counted(count, "object"), place: [folder, `${names[0]} … ${names[names.length - 1]}`].filter(Boolean).join(" · ") };
}

/* Why a chain that is closed fits what is searched for, beside its place. */
function noteHits(chain) {
  if (!view.words.length) return "";
  const hits = columnHits(chain);
  const keys = chain.files && chain.files.count > 1 ? chain.files.names.filter((name) => view.words.some((word) => name.toLowerCase().includes(word))) : [];
  const told = [hits.length === 1 ? `column ${hits[0]}` : hits.length ? `${number(hits.length)} columns` : ""];
  told.push(keys.length === 1 ? keys[0] : keys.length ? counted(keys.length, "object") : "");
  return told.filter(Boolean).join(", ");
}

function isNamed(chain) {
  return [...sourcesOf(chain), ...targetsOf(chain)].some(([name]) => view.words.every((word) => name.toLowerCase().includes(word)));
}

/* ---- where everything stands */

function layOut() {
  measureLanes();
  const fitting = [...found.chains];
  const named = new Set(view.words.length ? fitting.filter(isNamed) : []);
  if (named.size) fitting.sort((one, other) => named.has(other) - named.has(one)); // tables of that name before all else
  const rest = fitting.filter((chain) => chain.state === "unchanged").length;
  const folds = rest && rest < fitting.length && !list.unfolded && !view.printing && !view.words.length && !view.states.size && !view.proofs.size;
  const seen = folds ? fitting.filter((chain) => chain.state !== "unchanged") : fitting;
  list.items = [];
  list.tops = [0];
  const add = (item, height) => {
    list.items.push(item);
    list.tops.push(list.tops[list.tops.length - 1] + height);
  };
  seen.forEach((chain, at) => {
    const ends = endsOf(chain), note = noteHits(chain);
    if (note) ends[0].place = [ends[0].place, note].filter(Boolean).join(" · ");
    const row = { chain, ends, at, of: seen.length };
    add(row, heightOfRow(row));
    if (!list.open.has(chain)) return;
    add({ chain, ways: true }, heightOfWays(chain));
    for (const text of notesOf(chain)) add({ chain, text }, heightOfNote(text));
    for (const column of columnsOf(chain)) {
      const ends = columnOf(chain, column);
      add({ chain, column: ends }, heightOfColumn(ends));
    }
  });
  if (folds) add({ fold: rest }, ROW);
  list.drawn.forEach((node) => node.remove());
  list.drawn.clear();
  byId("list").style.height = `${list.tops[list.tops.length - 1] + 2}px`;
  byId("list").hidden = byId("lanes").hidden = !seen.length && !folds;
  drawNothing(document.querySelector("#chains .nothing"), "chains", page.empty);
  const closed = seen.some((chain) => !list.open.has(chain));
  byId("all").textContent = closed ? "Expand all" : "Collapse all";
  byId("all").hidden = !seen.length;
  draw();
}

/* As wide as a lane really is: the style sheet alone says how they are parted. */
function measureLanes() {
  list.family ??= getComputedStyle(document.body).fontFamily;
  byId("list").hidden = false;
  if (list.width === byId("list").clientWidth) return;
  list.width = byId("list").clientWidth;
  list.heights.clear();
  const sample = make("div", { className: "chain" }, make("span", { className: "toggle" }), make("span", { className: "end", text: "…" }));
  byId("list").append(sample);
  list.lane = sample.lastChild.clientWidth - 26; // the mark of a link
  sample.remove();
}

function heightOfRow({ chain, ends }) {
  const heights = ends.map(({ name, place, missing, warning }) =>
    linesOf(name || missing, list.lane, 15, 550) * LINE + linesOf(place, list.lane, 12.5) * PLACE + (warning ? LINE : 0));
  const lanes = isNarrow.matches ? heights.reduce((sum, height) => sum + height, 2 * TURN) : Math.max(...heights);
  const changes = shownChanges(chain).reduce((sum, text) => sum + linesOf(text, list.width - 60, 13) * LINE, 0);
  return Math.max(ROW, lanes + changes + 16);
}

function shownChanges(chain) {
  const changes = (chain.changes || []).map(([mark, words]) => `${mark} ${words}`);
  const more = changes.length - CHANGES;
  return more > 0 ? [...changes.slice(0, CHANGES), `and ${counted(more, "more change")}`] : changes;
}

function heightOfColumn([left, right]) {
  const width = isNarrow.matches ? list.width / 2 - 60 : list.lane;
  return COLUMN + (Math.max(linesOf(left, width, 13.5), linesOf(right, width, 13.5), 1) - 1) * LINE;
}

function heightOfWays(chain) {
  const names = endsForWays(chain).map(([, name]) => name);
  if (names.join("").length * 14 + 40 * names.length < list.width - 200) return COLUMN;
  return heightOf(drawWays(chain));
}

/* A note may have several lines; only the browser knows how many, but asking it takes a while. */
function heightOfNote(text) {
  if (text.length * 14 < list.width - 60) return COLUMN;
  if (!list.heights.has(text)) list.heights.set(text, heightOf(drawNote(text)));
  return list.heights.get(text);
}

function heightOf(node) {
  byId("list").append(node);
  const height = node.offsetHeight;
  node.remove();
  return height;
}

/* The first item that ends below a height. */
function itemAt(height) {
  let low = 0, high = list.items.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (list.tops[middle + 1] > height) high = middle;
    else low = middle + 1;
  }
  return low;
}

function draw() {
  if (!list.items.length || view.tab !== "chains" && !view.printing) return;
  const top = -byId("list").getBoundingClientRect().top;
  const first = view.printing ? 0 : itemAt(top - BEYOND);
  const last = view.printing ? list.items.length - 1 : itemAt(top + window.innerHeight + BEYOND);
  for (const [index, node] of list.drawn) {
    if ((index < first || index > last) && !node.contains(document.activeElement)) {
      node.remove();
      list.drawn.delete(index);
    }
  }
  const fresh = document.createDocumentFragment();
  for (let index = first; index <= last; index += 1) {
    if (list.drawn.has(index)) continue;
    const node = drawItem(list.items[index]);
    node.style.top = `${list.tops[index]}px`;
    if (list.items[index].at !== undefined) node.style.height = `${list.tops[index + 1] - list.tops[index]}px`;
    node.dataset.index = index;
    list.drawn.set(index, node);
    fresh.append(node);
  }
  byId("list").append(fresh);
}

/* ---- what is drawn */

function drawItem(item) {
  if (item.fold) return drawFold(item.fold);
  if (item.ways) return drawWays(item.chain);
  if (item.text) return drawNote(item.text);
  return item.column ? drawColumn(item) : drawChain(item);
}

function drawFold(count) {
  const unfold = () => {
    list.unfolded = true;
    layOut();
  };
  return make("div", { className: "fold", role: "listitem" }, makeButton("quiet", `Show ${counted(count, "unchanged chain")}`, unfold));
}

function drawNote(text) {
  return make("div", { className: "note", role: "listitem" }, make("bdi", { text }));
}

function drawEnd({ name, place, guid, missing, warning }) {
  const node = make("span", { className: "end" });
  if (name) node.append(make("span", { className: "line" }, named(name), linked(name, guid)));
  else node.append(make("span", { className: "missing", text: missing }));
  if (place) node.append(make("bdi", { className: "place", text: place }));
  if (warning) node.append(make("span", { className: "missing", text: warning }));
  return node;
}

/* An edge is whole where a process is or will be, thin where both ends are known and nothing is written, else broken. */
function drawEdge(chain, from, to, ends) {
  const links = linksOf(chain).filter((link) => link.from <= from && link.to >= to);
  const state = Object.keys(STATES).find((one) => links.some((link) => link.state === one));
  if (state) return make("span", { className: `edge ${state}` });
  const isKnown = ends[from].name && ends[to].name && !ends[1].warning;
  return make("span", { className: isKnown ? "edge known" : "edge broken" });
}

function drawChain({ chain, ends, at, of }) {
  const isOpen = list.open.has(chain), [source, files, target] = ends;
  const label = source.name || target.name || files.name || "";
  const toggle = make("button", { type: "button", className: "toggle", aria: { expanded: isOpen, label: `Columns of ${label}` } });
  const lanes = [drawEnd(source), drawEdge(chain, 0, 1, ends), drawEnd(files), drawEdge(chain, 1, 2, ends), drawEnd(target)];
  const changes = shownChanges(chain).map((text) => make("span", { className: "change" }, make("bdi", { text })));
  const told = changes.length ? make("span", { className: "changes" }, ...changes) : null;
  const classes = `chain ${chain.state} ${isOpen ? "open" : ""} ${at ? "" : "first"}`;
  const aria = { setsize: of, posinset: at + 1 };
  return make("div", { className: classes, role: "listitem", aria }, toggle, ...lanes, drawState(chain.state), told);
}

function drawColumn({ chain, column: [left, right, state] }) {
  const end = (text, side) => {
    const table = [sourcesOf(chain), targetsOf(chain)][side][0];
    const name = text && table ? makeButton("plain", text, () => showWay(`${qualifiedName(table)}/${text}`), { title: "Its whole way" }) : make("bdi", { text });
    return make("span", { className: "end" }, name);
  };
  const classes = `column ${state} ${isHit(left, right) ? "hit" : ""}`;
  const way = make("span", { className: `edge way ${state}` });
  return make("div", { className: classes, role: "listitem" }, make("span"), end(left, 0), way, end(right, 1), drawState(state, false));
}

/* By a mark and in words, not by colour alone. What a tenant holds has no state. */
function drawState(state, withWord = true) {
  if (page.live) return make("span");
  const [mark, word] = STATES[state];
  return make("span", { className: "state", title: word }, mark, make("span", { className: withWord ? "word" : "unseen", text: ` ${word}` }));
}

/* The buttons that lead from an open chain to the whole way of each of its ends. */
function drawWays(chain) {
  const buttons = endsForWays(chain).map(([id, name]) => makeButton("quiet", name, () => showWay(id), { aria: { label: `Whole way of ${name}` } }));
  return make("div", { className: "note ways", role: "listitem" }, "Whole way of ", ...buttons);
}

function endsForWays(chain) {
  const ends = [...sourcesOf(chain), ...targetsOf(chain)].map((end) => [qualifiedName(end), end[0]]);
  if (chain.files) ends.splice(sourcesOf(chain).length, 0, [fileNode(chain), endOfFiles(chain.files).name]);
  return ends;
}

function notesOf(chain) {
  const notes = [...(chain.changes || []).slice(CHANGES).map(([mark, words]) => `${mark} ${words}`), ...(chain.details || [])];
  for (const [part, words, ...candidates] of chain.lacks || []) {
    notes.push(...(words ? [`Missing: ${words}`] : []), ...(candidates.length ? [`It may be: ${candidates.join(", ")}`] : []));
  }
  const grounds = linksOf(chain).map((link) => [LINKS[link.from + link.to] || "Process", groundOf(link)]);
  const same = grounds.every(([, ground]) => ground === grounds[0][1]);
  for (const [label, ground] of same ? [["Ground", (grounds[0] || [])[1]]] : grounds) {
    if (ground) notes.push(`${label}: ${ground}`);
  }
  if (chain.files) notes.push(...notesOfFiles(chain));
  const others = (ends) => ends.slice(1).map(([name, path]) => [path, name].filter(Boolean).join("/")).join(", ");
  for (const [label, ends] of [["Also from", sourcesOf(chain)], ["Also to", targetsOf(chain)]]) {
    if (ends.length > 1) notes.push(`${label}: ${others(ends)}`);
  }
  return notes;
}

const LINKS = { 1: "Extract", 2: "Process", 3: "Load" };

function groundOf({ ground, override, since }) {
  return [ground, override && `by override ${override}`, since && `in Atlan since ${shownTime(`${since}Z`)}`].filter(Boolean).join(" · ");
}

function notesOfFiles(chain) {
  const { folder, names, count, newest, read = [] } = chain.files;
  const place = `s3://${bucketOf(chain)}/${folder ? `${folder}/` : ""}`;
  const some = names.slice(0, 10).join(", ") + (count > 10 ? ` … ${names[names.length - 1]}` : "");
  const notes = [count === 1 ? `File: ${place}${names[0]}` : `${counted(count, "object")} in ${place}: ${some}`];
  if (newest) {
    const size = newest[2] === undefined || newest[2] === null ? "" : `, ${shownSize(newest[2])}`;
    notes.push(`Newest: ${newest[0] && `${newest[0]}, `}${shownTime(newest[1])}${size}`);
  }
  if (read.length) notes.push(count === 1 ? "Its columns were read" : `Columns read from: ${read.join(", ")}`);
  return notes;
}

/* ---- opening, and moving about */

function toggle(chain) {
  if (!list.open.delete(chain)) list.open.add(chain);
  layOut();
}

/* Bring an item into the window, drawn, and its button into focus. */
function focusItem(index) {
  const top = byId("list").getBoundingClientRect().top + list.tops[index];
  const height = list.tops[index + 1] - list.tops[index];
  const above = byId(isNarrow.matches ? "tools" : "lanes").getBoundingClientRect().bottom + 8;
  if (top < above) window.scrollBy(0, top - above);
  else if (top + height > window.innerHeight) window.scrollBy(0, top + height + 24 - window.innerHeight);
  draw();
  list.drawn.get(index).querySelector("button").focus({ preventScroll: true });
}

function moveFocus(from, by) {
  let index = from + by;
  while (list.items[index] && list.items[index].at === undefined) index += by;
  if (list.items[index]) focusItem(index);
}

function indexOf(chain) {
  return list.items.findIndex((item) => item.chain === chain && item.at !== undefined);
}

function handleListKey(event) {
  const node = event.target.closest("#list > .chain");
  if (!node || event.target.tagName === "A") return;
  const index = Number(node.dataset.index), { chain } = list.items[index], isOpen = list.open.has(chain);
  const steps = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 };
  if (steps[event.key]) moveFocus(index, steps[event.key]);
  else if (event.key === "Home") focusItem(0);
  else if (event.key === "End") moveFocus(list.items.length, -1);
  else if ((event.key === "ArrowRight" && !isOpen) || (event.key === "ArrowLeft" && isOpen)) {
    toggle(chain);
    focusItem(indexOf(chain));
  } else return;
  event.preventDefault();
}

function handleListClick(event) {
  const node = event.target.closest("#list > .chain");
  if (!node || event.target.closest("a") || String(window.getSelection())) return;
  const { chain } = list.items[Number(node.dataset.index)];
  toggle(chain);
  if (event.target.closest(".toggle")) focusItem(indexOf(chain));
}

/* ---- filters, by state and by how strong the ground is */

const PROOFS = { told: "told by a job", read: "read from a file", named: "by names alone" };

function drawFilters() {
  const states = Object.entries(STATES).map(([state, [mark, word]]) => ["states", state, `${mark} ${word}`, page.chains.filter((chain) => chain.state === state).length]);
  states.push(["states", "lacking", "○ lone hop", page.chains.filter(isLoneHop).length]);
  const proofs = Object.entries(PROOFS).map(([proof, word]) => ["proofs", proof, word, page.chains.filter((chain) => linksOf(chain).some((link) => link.proof === proof)).length]);
  const draw = ([filters, name, word, count]) => {
    if (!count || (count === page.chains.length && !view[filters].has(name))) return null;
    const button = makeButton(`filter ${name}`, `${word} `, () => {
      if (!view[filters].delete(name)) view[filters].add(name);
      change();
    }, { aria: { pressed: view[filters].has(name) }, data: { name } });
    button.append(make("span", { className: "number", text: number(count) }));
    return button;
  };
  const group = (label, filters) => make("div", { role: "group", aria: { label } }, ...filters.map(draw));
  const all = makeButton("quiet", "Expand all", () => {
    list.open = new Set(all.textContent === "Expand all" ? found.chains : []);
    layOut();
  }, { id: "all" });
  byId("filters").replaceChildren(...(page.live ? [] : [group("Show only", states), group("Show only by ground", proofs)]), all);
}

function updateFilters() {
  for (const button of document.querySelectorAll("#filters [aria-pressed]")) {
    button.setAttribute("aria-pressed", view.states.has(button.dataset.name) || view.proofs.has(button.dataset.name));
  }
}

function clearFilters() {
  view.states.clear();
  view.proofs.clear();
  change();
}
