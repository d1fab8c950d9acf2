// A model's card: enough of Markdown for it, and every word of it as text.
import { element } from "./elements.js";

const HEADING = /^(#{1,4})\s+(.*)$/;
const ITEM = /^\s*[-*]\s+(.*)$/;
const RULE = /^(-{3,}|\*{3,})\s*$/;

/** Return the parts of a card; what is no Markdown that we know stands as it is. */
export function cardParts(source) {
  const lines = withoutHead(source).split(/\r?\n/);
  const parts = [];
  while (lines.length) parts.push(...block(lines));
  return parts;
}

/** Return the half of a card in one language: our cards hold Chinese, a rule, English. */
export function halfOf(source, language) {
  const halves = withoutHead(source).split(/\n---\n/);
  if (halves.length !== 2) return source;
  return language === "zh" ? halves[0] : halves[1];
}

function withoutHead(source) {
  return source.replace(/^---\r?\n[^]*?\r?\n---\r?\n/, "");
}

function block(lines) {
  const line = lines.shift();
  const heading = HEADING.exec(line);
  if (!line.trim()) return [];
  if (heading) return [element(`h${heading[1].length + 1}`, {}, ...inline(heading[2]))];
  if (RULE.test(line)) return [element("hr")];
  if (line.startsWith("```")) return [fence(lines)];
  if (line.startsWith("|")) return [table([line, ...taken(lines, (next) => next.startsWith("|"))])];
  if (ITEM.test(line)) return [list([line, ...taken(lines, (next) => ITEM.test(next))])];
  const more = taken(lines, (next) => next.trim() && !/^(#|```|\||\s*[-*]\s)/.test(next));
  return [element("p", {}, ...inline([line, ...more].join(" ")))];
}

function taken(lines, belongs) {
  const found = [];
  while (lines.length && belongs(lines[0])) found.push(lines.shift());
  return found;
}

function fence(lines) {
  const code = taken(lines, (next) => !next.startsWith("```"));
  lines.shift();
  return element("pre", { tabindex: "0" }, element("code", {}, code.join("\n")));
}

function list(lines) {
  const items = lines.map((line) => element("li", {}, ...inline(ITEM.exec(line)[1])));
  return element("ul", {}, ...items);
}

function cells(line) {
  const inner = line.trim().replace(/^\||\|$/g, "");
  const parts = inner.replaceAll("\\|", "\u0000").split("|");
  return parts.map((cell) => cell.replaceAll("\u0000", "|").trim());
}

function table(lines) {
  const rows = lines.filter((line) => !/^[|\s:-]+$/.test(line) || /[^|\s:-]/.test(line)).map(cells);
  const hasHead = rows[0].some((cell) => cell !== "");
  const head = hasHead
    ? element("tr", {}, ...rows[0].map((cell) => element("th", { scope: "col" }, ...inline(cell))))
    : null;
  const body = (hasHead ? rows.slice(1) : rows).map((row) =>
    element(
      "tr", {},
      ...row.map((cell, place) =>
        element(place ? "td" : "th", { scope: place ? null : "row" }, ...inline(cell)),
      ),
    ),
  );
  return element(
    "div.scroll", { tabindex: "0" },
    element("table", {}, head && element("thead", {}, head), element("tbody", {}, ...body)),
  );
}

/** Return text, code and strong words; addresses stay text, so that nobody is led anywhere. */
function inline(source) {
  return source
    .split(/(`[^`]+`|\*\*[^*]+\*\*)/)
    .filter(Boolean)
    .map((part) => {
      if (part.startsWith("`") && part.length > 2) return element("code", {}, part.slice(1, -1));
      if (part.startsWith("**") && part.length > 4) return element("strong", {}, part.slice(2, -2));
      return part.replace(/\\([\\`*_{}[\]()#+\-.!|])/g, "$1");
    });
}
