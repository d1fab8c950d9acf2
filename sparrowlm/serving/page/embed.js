// Similar: every line as a vector, and how near each is to every other.
import { element } from "./elements.js";
import { Lines } from "./lines.js";
import { ask } from "./server.js";
import { number, say } from "./words.js";

const MOST_IN_MATRIX = 12;
const NUM_PAIRS = 6;

/** Make the view. */
export function embed(model) {
  const lines = new Lines({ hint: "embed-hint", begin: "embed-begin" }, async (texts, signal) => {
    const { data } = await ask("/v1/embeddings", { model: model.id, input: texts }, signal);
    const vectors = data.map((one) => one.embedding);
    const table = vectors.map((a) => vectors.map((b) => product(a, b)));
    const records = texts.map((text, place) => ({ text, embedding: vectors[place] }));
    const rows = texts.map((text, place) => [text, ...table[place].map((one) => one.toFixed(4))]);
    lines.offer("vectors", records, ["text", ...texts], rows);
    const size = element("p.quiet.small", {
      word: "vector-size", fields: { count: vectors[0].length },
    });
    const shown = texts.length <= MOST_IN_MATRIX ? matrix(texts, table) : null;
    return [shown, pairs(texts, table), size].filter(Boolean);
  });
  const view = element("div.view", {}, ...lines.parts);
  return { element: view, leave: () => lines.leave() };
}

function product(a, b) {
  return a.reduce((sum, value, place) => sum + value * b[place], 0);
}

function matrix(texts, table) {
  const heads = texts.map((_text, place) => element("th", { scope: "col" }, String(place + 1)));
  const rows = texts.map((text, place) =>
    element(
      "tr", {},
      element(
        "th", { scope: "row" },
        element("span.quiet", {}, `${place + 1} `), element("bdi", {}, text),
      ),
      ...table[place].map(near),
    ),
  );
  return element(
    "div.scroll", { tabindex: "0", role: "region", label: "matrix" },
    element(
      "table.matrix", {}, element("caption.tiny", { word: "matrix" }),
      element("thead", {}, element("tr", {}, element("td"), ...heads)),
      element("tbody", {}, ...rows),
    ),
  );
}

function near(value) {
  const share = Math.min(Math.max(value, 0), 1).toFixed(3);
  return element("td", { style: { "--near": share } }, number(value, 2));
}

function pairs(texts, table) {
  const all = [];
  for (let a = 0; a < texts.length; a += 1) {
    for (let b = 0; b < a; b += 1) all.push([table[a][b], texts[b], texts[a]]);
  }
  if (!all.length) return element("p.quiet.small", {}, say("one-line"));
  all.sort((one, other) => other[0] - one[0]);
  const close = all.filter(([value], place) => !place || value > 0);
  const items = close.slice(0, NUM_PAIRS).map(([value, first, second]) =>
    element(
      "li", {}, element("span.share", {}, number(value, 2)),
      element("bdi", {}, first), element("span.quiet", {}, " ≈ "), element("bdi", {}, second),
    ),
  );
  return element(
    "section.nearest", {},
    element("h3.tiny", { word: "nearest" }), element("ol.pairs", {}, ...items),
  );
}
