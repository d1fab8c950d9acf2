// Model: what it is, how good it was found to be, how it learnt, and its card.
import { bar } from "./bars.js";
import { cardParts, halfOf } from "./card.js";
import { curves } from "./curve.js";
import { element } from "./elements.js";
import { duration, language, number, say, size } from "./words.js";

const MOST_LABELS = 60;
const PARTS = { ngram: "part-ngram", neural: "part-neural", mixture: "part-mixture" };
const JUDGED = { model: "part-model", floor: "part-floor", encoder: "part-neural" };
const FIGURES = [
  "accuracy", "f1", "hit_at_1", "span_f1", "macro_f1", "sentence_accuracy", "intent_accuracy",
];

/** Make the view. */
export function describe(model) {
  const view = element("div.view.model");
  const fill = () => view.replaceChildren(...sections(model));
  fill();
  document.addEventListener("language", fill);
  return { element: view, leave: () => document.removeEventListener("language", fill) };
}

function sections(model) {
  return [
    facts(model), bitsPerCharacter(model.info), judged(model.info?.measured?.held_out),
    section("learning", ...curves(model.curve)), labels(model.info?.task), card(model.card),
  ].filter(Boolean);
}

function section(heading, ...content) {
  if (!content.length) return null;
  return element("section", {}, element("h2", { word: heading }), ...content);
}

/** Return the name of a kind of model in the page's language. */
export function kindName(kind) {
  const name = say(`kind-${kind}`);
  return name.startsWith("kind-") ? kind : name;
}

function facts({ kind, info, max_model_len: most }) {
  const seconds = info.measured?.training_seconds ?? info.measured?.seconds;
  const rows = [
    ["fact-kind", kindName(kind)],
    ["fact-size", size(info.bytes)],
    ["fact-parameters", info.parameters && number(info.parameters)],
    ["fact-vocabulary", info.vocabulary && number(info.vocabulary)],
    ["fact-labels", info.task?.labels && number(info.task.labels.length)],
    ["fact-examples", info.data?.num_examples && number(info.data.num_examples)],
    ["fact-text", info.data?.train && number(info.data.train.num_characters)],
    ["fact-time", seconds && duration(1000 * seconds)],
    ["fact-prompt", info.vocabulary && number(most)],
    ["fact-version", info.version],
  ].filter(([, value]) => value);
  const items = rows.map(([word, value]) =>
    element("div", {}, element("dt", { word }), element("dd", {}, value)),
  );
  return element("dl.facts", {}, ...items);
}

function bitsPerCharacter(info) {
  const found = Object.entries(info.measured?.bits_per_character ?? {});
  const known = found.filter(([name, value]) => PARTS[name] && Number.isFinite(value));
  if (!known.length) return null;
  const most = Math.max(...known.map(([, value]) => value));
  const rows = known.map(([name, value]) =>
    element(
      "li", {}, element("span.name", { word: PARTS[name] }), bar(value / most),
      element("span.share", {}, number(value, 3)),
    ),
  );
  return section(
    "bits", element("p.quiet.small", { word: "bits-hint" }), element("ol.bars.wide", {}, ...rows),
  );
}

function judged(held) {
  const parts = Object.entries(JUDGED).filter(([name]) => held?.[name]);
  const names = FIGURES.filter((name) => parts.some(([part]) => Number.isFinite(held[part][name])));
  if (!names.length) return null;
  const head = element(
    "tr", {}, element("td"), ...names.map((word) => element("th", { scope: "col", word })),
  );
  const rows = parts.map(([part, word]) =>
    element(
      "tr", {}, element("th", { scope: "row", word }),
      ...names.map((name) => element("td", {}, ...figure(held[part], name))),
    ),
  );
  return section(
    "measured", element("p.quiet.small", { word: "measured-hint" }),
    element(
      "div.scroll", { tabindex: "0", role: "region", label: "measured" },
      element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)),
    ),
  );
}

function figure(found, name) {
  const value = found[name];
  if (!Number.isFinite(value)) return ["–"];
  const share = `${number(100 * value, 1)}%`;
  const between = found[`${name}_interval`]?.map((end) => number(100 * end, 1)).join("–");
  return between ? [share, " ", element("span.range", {}, `(${between})`)] : [share];
}

function labels(task) {
  const all = [...(task?.labels ?? []), ...(task?.intents ?? [])];
  if (!all.length) return null;
  const shown = all.slice(0, MOST_LABELS).map((name) => element("bdi.tagname", {}, name));
  const more = all.length > MOST_LABELS ? say("more", { count: all.length - MOST_LABELS }) : null;
  return section("labels", element("p.tagnames", {}, ...shown, more));
}

function card(source) {
  if (!source) return null;
  const parts = cardParts(halfOf(source, language()));
  return element(
    "details.card-text", {},
    element("summary", { word: "card" }), element("div.prose", {}, ...parts),
  );
}
