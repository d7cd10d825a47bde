/* ---------------------------------------------------------------- the search: every word has to be in an entry */

const dotted = (text) => text.toLowerCase().replaceAll("/", ".");

function wordsOf(query) {
  return query.toLowerCase().split(/\s+/).filter(Boolean);
}

function columnOf(chain, column) {
  return typeof column === "string" ? [column, chain.upper ? column.toUpperCase() : column, chain.state] : column;
}

const sourcesOf = (chain) => chain.sources || [];
const targetsOf = (chain) => chain.targets || [];
const columnsOf = (chain) => chain.columns || [];

function linksOf(chain) {
  return (chain.links || []).map(([from, to, state, at, since]) => {
    const [ground, proof, override] = page.grounds[at];
    return { from, to, state: state || chain.state, ground, proof, override, since };
  });
}

/* All that a chain says, to be looked through; its columns also by themselves. */
function textOf(chain) {
  if (chain.text === undefined) {
    const parts = [...sourcesOf(chain), ...targetsOf(chain)].map(([name, path]) => `${name}\n${path}`);
    const { folder = "", names = [] } = chain.files || {};
    for (const [, , , ground] of chain.links || []) parts.push(...page.grounds[ground]);
    for (const told of [chain.details, chain.lacks, chain.changes]) if (told) parts.push(...told.flat());
    chain.columnText = columnsOf(chain).join("\n").toLowerCase();
    chain.text = `${parts.join("\n")}\n${folder}\n${names.join("\n")}\n`.toLowerCase() + chain.columnText;
  }
  return chain.text;
}

/* `schema.table`, `schema/table.column`, `folder/file`, `s3://bucket/key`, a whole qualified name. */
function isPathIn(chain, word) {
  chain.paths ??= [sourcesOf(chain), targetsOf(chain)].map((side) => side.map((end) => dotted(qualifiedName(end))));
  const path = dotted(word.replace(/^s3:\/\//, ""));
  const at = path.lastIndexOf("."), table = `.${path.slice(0, at)}`, column = path.slice(at + 1);
  for (const [side, paths] of chain.paths.entries()) {
    if (paths.some((end) => end.includes(path))) return true;
    const hasColumn = () => columnsOf(chain).some((one) => dotted(columnOf(chain, one)[side]).includes(column));
    if (paths.some((end) => `.${end}`.endsWith(table)) && hasColumn()) return true;
  }
  if (!chain.files) return false;
  const folder = dotted(`${bucketOf(chain)}/${chain.files.folder || ""}`);
  return chain.files.names.some((name) => `${folder}.${dotted(name)}`.includes(path));
}

function chainFits(chain, words) {
  const text = textOf(chain);
  return words.every((word) => text.includes(word) || (/[./]/.test(word) && isPathIn(chain, word)));
}

function textFits(parts, words) {
  const text = parts.flat(3).join("\n").toLowerCase(), path = dotted(text);
  return words.every((word) => text.includes(word) || path.includes(dotted(word)));
}

/* Which columns of a chain are why it fits. */
function isHit(left, right) {
  return view.words.some((word) => hasWord(left.toLowerCase(), word) || (right !== left && hasWord(right.toLowerCase(), word)));
}

function hasWord(name, word) {
  return name.includes(word) || (word.includes(".") && name === word.slice(word.lastIndexOf(".") + 1));
}

function columnHits(chain) {
  textOf(chain);
  if (!view.words.some((word) => word.includes(".") || chain.columnText.includes(word))) return [];
  const names = columnsOf(chain).map((column) => (typeof column === "string" ? [column, column] : column));
  return names.filter(([left, right]) => isHit(left, right)).map(([left, right]) => left || right);
}

function qualifiedName([name, path, , connection]) {
  return [page.connections[connection], path, name].filter(Boolean).join("/");
}

function bucketOf(chain) {
  const name = page.connections[chain.files.bucket] || "";
  return name.slice(name.lastIndexOf(":") + 1);
}

/* What is written of a chain that has not all of its parts. */
const isLoneHop = (chain) => chain.lacks && linksOf(chain).some(({ state }) => !["removed", "stale"].includes(state));

/* What fits in each view; the lists of the views are drawn from it. */
function findAll() {
  const { words, states, proofs } = view;
  const isShown = (chain) =>
    (!states.size || states.has(chain.state) || (states.has("lacking") && isLoneHop(chain))) &&
    (!proofs.size || linksOf(chain).some((link) => proofs.has(link.proof)));
  return {
    chains: page.chains.filter((chain) => isShown(chain) && (!words.length || chainFits(chain, words))),
    open: page.open.filter((group) => fittingThings(group).length),
    removals: page.removals.filter((removal) => !words.length || textFits(removal, words)),
  };
}

const NOUNS = { chains: "chain", open: "open thing", removals: "removal" };
let found = { chains: [], open: [], removals: [] };

function countFound() {
  const things = found.open.reduce((sum, group) => sum + fittingThings(group).length, 0);
  return { chains: found.chains.length, open: things, removals: found.removals.length };
}

/* Within a group that fits by itself all things fit, else those that have the words. */
function fittingThings(group) {
  const { words } = view;
  if (!words.length || textFits([group.kind, group.reason, group.place], words)) return group.things;
  return group.things.filter((thing) => textFits([group.kind, group.reason, group.place, thing], words));
}

function tellFound() {
  const counts = Object.entries(countFound());
  const told = counts.filter(([tab, count]) => count || tab === "chains").map(([tab, count]) => counted(count, NOUNS[tab]));
  const all = counts.every(([, count]) => !count) ? "Nothing on this page has that" : told.join(", ");
  const unlisted = page.chains.reduce((sum, { files }) => sum + (files ? files.count - files.names.length : 0), 0);
  const more = unlisted ? ` (${counted(unlisted, "key")} of large datasets are not in this page)` : "";
  byId("found").textContent = view.words.length ? `Found: ${all}${more}` : "";
}

/* Where a view has nothing, and another has. */
function drawNothing(node, tab, none) {
  const counts = countFound();
  node.hidden = counts[tab] > 0;
  if (node.hidden) return;
  const elsewhere = Object.keys(counts).filter((other) => other !== tab && counts[other] && view.words.length);
  const buttons = elsewhere.map((other) => makeButton("quiet", `Show ${counted(counts[other], NOUNS[other])}`, () => show(other)));
  const isFiltered = tab === "chains" && view.states.size + view.proofs.size > 0;
  if (isFiltered) buttons.push(makeButton("quiet", "Search without the filters", clearFilters));
  if (!view.words.length && !isFiltered) node.replaceChildren(none);
  else node.replaceChildren(buttons.length ? "Not here. " : "Nothing on this page has that.", ...buttons);
}
