/* ---------------------------------------------------------------- the assets of a tenant that answers */

async function ask(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(answer.status);
  return answer.json();
}

let latest; // what was asked for last: an answer that comes later than it should is not drawn

async function drawAssets() {
  const section = byId("assets"), asked = view.query, mine = (latest = {});
  let answer;
  try {
    answer = await ask(`/_sandbox/assets?name=${encodeURIComponent(asked)}&type=${encodeURIComponent(view.type || "")}`);
  } catch (error) {
    if (mine === latest) section.replaceChildren(drawNoAnswer(error));
    return;
  }
  if (mine !== latest) return;
  const { assets, total, types } = answer;
  const byType = Object.entries(types).map(([type, count]) => {
    const pick = () => {
      view.type = view.type === type ? "" : type;
      drawAssets();
    };
    const button = makeButton("filter", `${type} `, pick, { aria: { pressed: view.type === type } });
    button.append(make("span", { className: "number", text: number(count) }));
    return button;
  });
  const many = total > assets.length ? `, of which ${number(assets.length)} are shown` : "";
  const lead = total ? `${counted(total, "asset")}${asked ? " with that in their names" : ""}${many}. Choose one to see its lineage.` : "No asset has that in its name.";
  const list = assets.map((asset) => {
    const button = make("button", { type: "button", className: "found" }, named(asset.name), make("bdi", { className: "place", text: `${asset.type} · ${asset.qualified_name}` }));
    button.addEventListener("click", () => showWay(asset.guid));
    return button;
  });
  const groups = make("div", { className: "filters", role: "group", aria: { label: "Show only a type" } }, ...byType);
  section.replaceChildren(groups, make("p", { className: "lead", text: lead }), ...list);
}

/* The lineage of any asset, as the same picture. */
async function drawLineage() {
  const section = byId("way"), mine = (latest = {});
  try {
    const { nodes, edges } = await ask(`/_sandbox/lineage/${encodeURIComponent(view.asset)}`);
    if (mine !== latest) return;
    const graph = new Graph();
    for (const { guid, type, name, qualified_name } of nodes) {
      const place = qualified_name.endsWith(`/${name}`) ? qualified_name.slice(0, -name.length - 1) : qualified_name;
      graph.add(guid, { name, kind: type, place, guid: "" });
    }
    for (const [from, to] of edges) graph.join(from, to);
    drawGraph(section, graph, view.asset);
  } catch (error) {
    if (mine !== latest) return;
    if (error.message !== "404") return section.replaceChildren(drawNoAnswer(error));
    section.replaceChildren(make("p", { className: "nothing" }, "This tenant has no asset with this id: ", named(view.asset)));
  }
}

function drawNoAnswer(error) {
  const again = makeButton("quiet", "Ask again", () => show(view.tab));
  return make("p", { className: "nothing" }, `The tenant does not answer (${error.message}): is it still running? `, again);
}
