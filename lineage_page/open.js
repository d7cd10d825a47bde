/* ---------------------------------------------------------------- open things: chosen, ticked, copied, and done */

/* Of each group or thing (by itself): the line that is chosen, whether it is ticked, and whether it was copied or saved. */
const choices = new Map(), ticked = new Set(), done = new Set(), unfoldedGroups = new Set();
const EACH = "each"; // a group whose things have a line of their own each

const linesOfGroup = (group) => (group.things.length === 1 ? linesOfThing(group.things[0]) : group.lines);
const linesOfThing = (thing) => thing.slice(2);

/* What a group or thing is settled with unless somebody chooses: its only line. Between several nobody decides here. */
function choiceOf(it, lines) {
  if (choices.has(it)) return choices.get(it);
  if (Array.isArray(it) || it.things.length === 1) return lines.length === 1 ? lines[0] : "";
  return lines.length === 1 ? lines[0] : lines.length ? "" : EACH;
}

/* The lines that would be written for a group. */
function chosenLines(group) {
  const choice = choiceOf(group, linesOfGroup(group));
  if (choice !== EACH) return choice ? [choice] : [];
  return fittingThings(group).map((thing) => choiceOf(thing, linesOfThing(thing))).filter(Boolean);
}

function tickedLines() {
  const lines = page.open.filter((group) => ticked.has(group)).flatMap(chosenLines);
  for (const group of page.open.filter((one) => !ticked.has(one))) {
    lines.push(...group.things.filter((thing) => ticked.has(thing)).map((thing) => choiceOf(thing, linesOfThing(thing))));
  }
  return [...new Set(lines.filter(Boolean))];
}

function drawOpen() {
  const section = byId("open"), some = (count) => (count ? ` ${counted(count, "line")}` : "");
  const [file] = page.overrides || ["overrides.txt"];
  const area = make("pre", { hidden: true, tabIndex: 0, role: "region", aria: { label: "The lines to copy" } });
  const all = makeButton("copy", "", () => {
    const open = found.open.filter((group) => chosenLines(group).length && !done.has(group));
    const isFull = open.every((group) => ticked.has(group));
    for (const group of open) isFull ? ticked.delete(group) : ticked.add(group);
    update();
  }, { id: "tick" });
  const copy = makeButton("copy", "", () => {
    copyText(tickedLines().join("\n"), copy, area);
    finish();
  });
  const save = makeButton("copy", "", () => {
    saveText(file.split("/").pop(), [(page.overrides || ["", ""])[1].trimEnd(), ...tickedLines()].filter(Boolean).join("\n") + "\n");
    finish();
  });
  /* What is ticked is done, and stays ticked as long as the page is open: what was copied can be saved, too. */
  const finish = () => {
    for (const it of ticked) done.add(it);
    setTimeout(update, 1600);
    for (const node of section.querySelectorAll(".item")) markDone(node);
  };
  const update = () => {
    const lines = tickedLines().length, open = found.open.filter((group) => chosenLines(group).length && !done.has(group));
    all.textContent = open.length && open.every((group) => ticked.has(group)) ? "Untick all" : "Tick all that have a line";
    copy.textContent = `Copy${some(lines)}`;
    save.textContent = `Save as ${file.split("/").pop()}`;
    copy.disabled = save.disabled = !lines;
    for (const node of section.querySelectorAll(".item")) markDone(node);
  };
  const lead = make("p", { className: "lead" }, "Each of these is settled by a line in ", make("code", { text: file }), ": choose, tick, copy or save them, and run again. What is saved has the lines that are there already, too.");
  const bar = make("div", { className: "bar" }, all, copy, save);
  const nothing = make("p", { className: "nothing" });
  section.replaceChildren(make("h2", { className: "printed", text: "Open things" }), lead, nothing);
  drawNothing(nothing, "open", "Nothing is open.");
  drawInParts(section, found.open, (group) => drawGroup(group, update));
  section.append(area, bar);
  update();
}

function markDone(node) {
  const { it } = node;
  node.classList.toggle("done", done.has(it));
  const box = node.querySelector("input[type=checkbox]");
  if (box) box.checked = ticked.has(it);
}

function saveText(name, text) {
  const link = make("a", { href: URL.createObjectURL(new Blob([text], { type: "text/plain" })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

function drawGroup(group, update) {
  const things = fittingThings(group), alone = group.things.length === 1;
  const title = alone ? things[0][1] : [counted(things.length, group.kind), group.place && `in ${group.place}${group.kind === "object" ? "/" : ""}`].filter(Boolean).join(" ");
  const item = drawItemOf(group, title, alone ? "" : group.reason, linesOfGroup(group), update, !alone);
  if (alone) return item;
  const more = make("details", {}, make("summary", { text: counted(things.length, group.kind) }));
  const fill = () => {
    if (more.childElementCount > 1 || !more.open) return;
    drawInParts(more, things, (thing) => drawItemOf(thing, thing[1], "", linesOfThing(thing), update));
    update();
  };
  more.open = unfoldedGroups.has(group) || view.printing;
  more.addEventListener("toggle", () => {
    more.open ? unfoldedGroups.add(group) : unfoldedGroups.delete(group);
    fill();
  });
  fill();
  item.append(more);
  return item;
}

/* A group or a thing: what it is about, the lines to choose from, and a box to tick where one is chosen. */
function drawItemOf(it, title, reason, lines, update, isGroup = false) {
  const options = isGroup && lines.length && it.things.some((thing) => thing.length > 2) ? [...lines, EACH] : lines;
  const text = make("bdi", { text: title });
  const box = make("input", { type: "checkbox" });
  const line = make("code", {});
  const item = make("div", { className: "item" }, lines.length || isGroup ? make("label", {}, box, text) : make("p", {}, text));
  item.it = it;
  if (reason) item.append(make("p", { className: "reason" }, make("bdi", { text: reason })));
  const sync = () => {
    const choice = choiceOf(it, lines);
    box.disabled = isGroup ? !chosenLines(it).length : !choice;
    line.textContent = visibly(choice === EACH ? "" : choice);
    line.hidden = !line.textContent;
  };
  box.addEventListener("change", () => {
    done.delete(it);
    box.checked ? ticked.add(it) : ticked.delete(it);
    update();
  });
  if (options.length > 1) {
    const shown = (option) => (option === EACH ? "each with its own line" : visibly(option));
    const select = make("select", { aria: { label: `What settles ${title}` } }, make("option", { value: "", text: `Choose from ${number(options.length)}` }));
    for (const option of options) select.append(make("option", { value: option, text: shown(option) }));
    select.value = choiceOf(it, lines);
    select.addEventListener("change", () => {
      choices.set(it, select.value);
      select.value ? ticked.add(it) : ticked.delete(it);
      done.delete(it);
      sync();
      update();
    });
    item.append(select);
  } else if (lines.length) item.append(line);
  sync();
  return item;
}

/* ---------------------------------------------------------------- what is removed, or would be */

function drawRemovals() {
  const section = byId("removals");
  const lead = page.pruned ? "Made earlier, and wanted no more." : "Made earlier, and wanted no more. They stay until a run with --prune.";
  const nothing = make("p", { className: "nothing" });
  section.replaceChildren(make("h2", { className: "printed", text: "Removals" }), make("p", { className: "lead", text: lead }), nothing);
  drawNothing(nothing, "removals", "Nothing is removed.");
  drawInParts(section, found.removals, ([type, name, reason, guid, state]) => {
    const word = make("span", { className: "state", text: STATES[state].join(" ") });
    const told = make("p", { className: "reason" }, make("bdi", { text: [type, reason].filter(Boolean).join(" · ") }));
    return make("div", { className: `item ${state}` }, word, make("p", {}, named(name), linked(name, guid)), told);
  });
}
