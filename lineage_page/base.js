"use strict";
/* Draws the document of the page. Names only ever become text: nothing is parsed as HTML. */

const page = JSON.parse(document.getElementById("document").textContent);
const AT_ONCE = 200;
const STATES = {
  failed: ["!", "failed"],
  removed: ["−", page.planned ? "to remove" : "removed"],
  stale: ["−", "stale"],
  created: ["+", page.planned ? "to create" : "created"],
  updated: ["~", page.planned ? "to change" : "changed"],
  incomplete: ["○", "incomplete"],
  unchanged: ["=", "unchanged"],
};
const byId = (id) => document.getElementById(id);
const number = (value) => value.toLocaleString("en");
const counted = (count, one) => `${number(count)} ${one}${count === 1 ? "" : "s"}`;

/* What shows as nothing, or turns around what stands beside it, is shown as an escape; letters and emoji stay. */
const HIDDEN = /(?![\ufe0e\ufe0f]|(?<=\p{Extended_Pictographic}\ufe0f?)\u200d\p{Extended_Pictographic})[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]/gu;
const visibly = (text) => String(text).replace(HIDDEN, (found) => `\\u${found.codePointAt(0).toString(16).padStart(4, "0")}`);

function make(tag, properties = {}, ...children) {
  const { role, aria, data, text, title, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  if (role) node.setAttribute("role", role);
  if (title) node.title = visibly(title);
  if (text !== undefined) node.textContent = visibly(text);
  for (const [name, value] of Object.entries(aria || {})) node.setAttribute(`aria-${name}`, visibly(value));
  Object.assign(node.dataset, data);
  node.append(...children.filter((child) => child !== null).map((child) => (typeof child === "string" ? visibly(child) : child)));
  return node;
}

function makeButton(className, text, click, properties = {}) {
  const button = make("button", { type: "button", className, text, ...properties });
  button.addEventListener("click", click);
  return button;
}

/* A name that may be of any script: `bdi` keeps it from turning its surroundings around. */
const named = (text, className = "name") => make("bdi", { className, text });

/* The mark that leads to an asset in Atlan. */
function linked(name, guid) {
  if (!guid || !page.asset_url) return null;
  const href = `${page.asset_url}${encodeURIComponent(guid)}/overview`;
  return make("a", { className: "away", href, target: "_blank", rel: "noopener noreferrer", text: "↗", aria: { label: `${name} in Atlan, in a new tab` } });
}

const clock = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "short" });
const shownTime = (moment) => clock.format(new Date(moment));

function shownSize(bytes) {
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 4);
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${["bytes", "kB", "MB", "GB", "TB"][power]}`;
}

/* Copies a text. The clipboard is not open to every page that is a file; then it is selected, to be copied by hand. */
async function copyText(text, button, source) {
  const before = button.textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
  } catch {
    source.hidden = false;
    source.textContent = text;
    window.getSelection().selectAllChildren(source);
    button.textContent = document.execCommand("copy") ? "Copied" : "Selected";
  }
  setTimeout(() => (button.textContent = before), 1500);
}

/* So many entries at once, and a button for more. When it is printed, all. */
function drawInParts(section, entries, drawEntry) {
  let shown = 0;
  const show = () => {
    const next = entries.slice(shown, view.printing ? entries.length : shown + AT_ONCE);
    more.before(...next.map(drawEntry));
    shown += next.length;
    more.textContent = `Show more (${number(entries.length - shown)})`;
    more.hidden = shown === entries.length;
  };
  const more = makeButton("quiet", "", show);
  section.append(more);
  show();
}

/* What the page shows, and what of it is in its address. */
const view = {
  tab: "chains",
  query: "",
  words: [],
  states: new Set(), // filters: states, and "lacking"
  proofs: new Set(),
  asset: "", // whose whole way is shown
  printing: false,
};
