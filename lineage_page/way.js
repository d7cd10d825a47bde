/* ---------------------------------------------------------------- the whole way of one asset, up and down */

/* Assets and what leads from one to the next. A table that several chains load is one node. */
class Graph {
  nodes = new Map(); // by id: name, kind, place, guid
  next = new Map();
  previous = new Map();

  add(id, node) {
    if (!this.nodes.has(id)) this.nodes.set(id, { id, ...node });
    return id;
  }

  join(from, to) {
    for (const [ends, one, other] of [[this.next, from, to], [this.previous, to, from]]) {
      if (!ends.has(one)) ends.set(one, new Set());
      ends.get(one).add(other);
    }
  }

  /* What is reached, nearest first, by id with the number of hops. */
  walk(start, ends) {
    const reached = new Map([[start, 0]]);
    for (const [id, depth] of reached) {
      for (const other of ends.get(id) || []) if (!reached.has(other)) reached.set(other, depth + 1);
    }
    reached.delete(start);
    return reached;
  }
}

function fileNode(chain) {
  const { folder, names, bucket } = chain.files;
  return [page.connections[bucket], folder, names[0]].filter(Boolean).join("/");
}

function addTables(graph, chain) {
  const add = (side) => (end) => graph.add(qualifiedName(end), { name: end[0], kind: `${side} table`, place: end[1], guid: end[2] });
  const sources = sourcesOf(chain).map(add(page.lanes[0][0])), targets = targetsOf(chain).map(add(page.lanes[2][0]));
  const { name, place, guid } = chain.files ? endOfFiles(chain.files) : {};
  const path = chain.files && `s3://${bucketOf(chain)}/${chain.files.folder || ""}`;
  const through = chain.files ? [graph.add(fileNode(chain), { name, kind: "S3", place, guid, path })] : [];
  const lanes = [sources, through, targets].filter((lane) => lane.length);
  lanes.slice(1).forEach((lane, at) => lanes[at].forEach((one) => lane.forEach((other) => graph.join(one, other))));
}

/* The columns of a chain, through a column of its files. */
function addColumns(graph, chain) {
  for (const column of columnsOf(chain)) {
    const [left, right, state] = columnOf(chain, column);
    if (!left || !right || ["removed", "stale"].includes(state)) continue;
    const ends = [[sourcesOf(chain), left, 0], [targetsOf(chain), right, 2]].map(([tables, name, lane]) =>
      tables.slice(0, 1).map((table) => graph.add(`${qualifiedName(table)}/${name}`, { name, kind: `${page.lanes[lane][0]} column`, place: [table[1], table[0]].filter(Boolean).join("/") })));
    const file = chain.files ? [graph.add(`${fileNode(chain)}\n${left}`, { name: left, kind: "S3 column", place: endOfFiles(chain.files).name })] : [];
    const lanes = [ends[0], file, ends[1]].filter((lane) => lane.length);
    lanes.slice(1).forEach((lane, at) => graph.join(lanes[at][0], lane[0]));
  }
}

let tables = null;
function graphFor(asset) {
  if (!tables) {
    tables = new Graph();
    page.chains.forEach((chain) => addTables(tables, chain));
  }
  if (tables.nodes.has(asset)) return tables;
  const graph = new Graph();
  const [table] = [...tables.nodes.keys()].filter((id) => asset.startsWith(id) && /[/\n]/.test(asset[id.length]));
  if (!table) return graph;
  const near = new Set([table, ...tables.walk(table, tables.previous).keys(), ...tables.walk(table, tables.next).keys()]);
  const isNear = (chain) => [...sourcesOf(chain), ...targetsOf(chain)].some((end) => near.has(qualifiedName(end)));
  page.chains.filter(isNear).forEach((chain) => addColumns(graph, chain));
  return graph;
}

const WAY_COLUMNS = 40; // nodes in one column of the picture; the list below it has all

function drawWay() {
  const section = byId("way"), graph = graphFor(view.asset);
  if (graph.nodes.has(view.asset)) return drawGraph(section, graph, view.asset);
  section.replaceChildren(make("p", { className: "nothing" }, "No chain on this page has an asset of this name: ", named(view.asset)));
}

/* The picture: a column for each number of hops, upstream to the left; and below it the same as a list to be copied. */
function drawGraph(section, graph, start) {
  const node = graph.nodes.get(start);
  const up = graph.walk(start, graph.previous), down = graph.walk(start, graph.next);
  const depths = new Map([[start, 0], ...[...down].map(([id, depth]) => [id, depth]), ...[...up].map(([id, depth]) => [id, -depth])]);
  const levels = [...new Set(depths.values())].sort((one, other) => one - other);
  const boxes = new Map();
  const column = (level) => {
    const ids = [...depths].filter(([, depth]) => depth === level).map(([id]) => id);
    for (const id of ids.slice(0, WAY_COLUMNS)) boxes.set(id, drawNode(graph.nodes.get(id), id === start));
    const more = ids.length - WAY_COLUMNS;
    return make("div", { className: "level" }, ...ids.slice(0, WAY_COLUMNS).map((id) => boxes.get(id)), more > 0 ? make("p", { className: "place", text: `and ${number(more)} more` }) : null);
  };
  const picture = make("div", { className: "picture" }, ...levels.map(column));
  const text = listOf(graph, start, up, down);
  const area = make("pre", { textContent: text, tabIndex: 0, role: "region", aria: { label: "The whole way as a list" } });
  const copy = makeButton("copy", "Copy the list", () => copyText(text, copy, area));
  const title = make("h2", {}, named(node.name), make("span", { className: "place", text: ` ${node.kind} · ${node.place.replaceAll("/", " / ")}` }));
  const counts = make("p", { className: "lead", text: `${number(up.size)} upstream, ${number(down.size)} downstream` });
  section.replaceChildren(title, counts, picture, copy, area);
  drawEdges(picture, graph, boxes);
}

function drawNode(node, isStart) {
  const inside = [named(node.name), make("bdi", { className: "place", text: `${node.kind} · ${node.place.replaceAll("/", " / ")}` })];
  if (isStart) return make("div", { className: "node start", aria: { current: "true" } }, ...inside, linked(node.name, node.guid));
  const button = make("button", { type: "button", className: "node" }, ...inside);
  button.addEventListener("click", () => showWay(node.id));
  return button;
}

/* Lines between the boxes, drawn where the boxes came to stand. */
function drawEdges(picture, graph, boxes) {
  const area = picture.getBoundingClientRect();
  if (!area.width || isNarrow.matches) return;
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  for (const [id, box] of boxes) {
    for (const other of graph.next.get(id) || []) {
      if (!boxes.has(other)) continue;
      const from = box.getBoundingClientRect(), to = boxes.get(other).getBoundingClientRect();
      const [x, y] = [from.right - area.left, from.top + from.height / 2 - area.top];
      const [toX, toY] = [to.left - area.left, to.top + to.height / 2 - area.top];
      const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
      path.setAttribute("d", `M${x},${y} C${(x + toX) / 2},${y} ${(x + toX) / 2},${toY} ${toX},${toY}`);
      svg.append(path);
    }
  }
  picture.append(svg);
}

function listOf(graph, start, up, down) {
  const line = (id, depth) => {
    const { name, kind, place, path } = graph.nodes.get(id);
    return `${"  ".repeat(depth)}${visibly([path || place, name].filter(Boolean).join("/"))} (${kind})`;
  };
  const side = (title, reached) => (reached.size ? [`${title}:`, ...[...reached].map(([id, depth]) => line(id, depth))] : [`${title}: nothing`]);
  return [line(start, 0), ...side("Upstream", up), ...side("Downstream", down)].join("\n");
}
