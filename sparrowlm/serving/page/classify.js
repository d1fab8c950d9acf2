// Classify: every line is a text; its label, how sure the model is, and the words that told it.
import { barList } from "./bars.js";
import { decisionTrace } from "./decision.js";
import { element } from "./elements.js";
import { Lines } from "./lines.js";
import { markedText } from "./marked_text.js";
import { ask } from "./server.js";
import { number, percent, say } from "./words.js";

const NUM_LABELS = 8;
// Labels that hardly say anything are left out, except the first few.
const [LEAST_SHOWN, LEAST_SHARE] = [3, 0.01];

/** Make the view. */
export function classify(model) {
  const words = { hint: "classify-hint", begin: "classify-begin" };
  const lines = new Lines(words, async (texts, signal) => {
    const question = { model: model.id, input: texts, explain: true, floor: true, k: NUM_LABELS };
    const { data } = await ask("/v1/classify", question, signal);
    const records = data.map(({ index, ...one }) => ({ text: texts[index], ...one }));
    const rows = records.map((one) => [one.text, one.labels.join(" "), one.probability]);
    lines.offer("labels", records, ["text", "label", "probability"], rows);
    return [legend(), element("ol.cards", {}, ...records.map(card))];
  });
  const view = element("div.view", {}, ...lines.parts);
  return { element: view, leave: () => lines.leave() };
}

function card(one) {
  const loudest = Math.max(...(one.reasons ?? []).map(({ weight }) => Math.abs(weight)), 1e-9);
  const text = markedText(one.text, one.reasons ?? [], (reason, piece) => {
    const strength = Math.abs(reason.weight) / loudest;
    const side = reason.weight >= 0 ? "for" : "against";
    return element(`mark.${side}`, {
      title: say(`reason-${side}`, { weight: number(Math.abs(reason.weight), 2) }),
      style: { "--strength": strength.toFixed(3) },
    }, piece);
  });
  const shown = one.probabilities.filter(
    ({ probability }, place) => place < LEAST_SHOWN || probability >= LEAST_SHARE,
  );
  const rows = shown.map(({ label, probability }) => ({
    name: label, share: probability, isStrong: one.labels.includes(label),
  }));
  return element(
    "li.card.judged", {},
    element("div", {}, text, element("div.verdict", {}, label(one), floor(one))),
    barList(rows), decisionTrace(one.decision),
  );
}

function label({ labels, probability }) {
  const name = labels.length
    ? element("bdi.big", {}, labels.join(", "))
    : element("span.big.quiet", { word: "no-label" });
  // A large model's answer has no probability.
  const share = probability === null ? null : element("span.share", {}, percent(probability));
  return element("p", {}, name, " ", share);
}

function floor({ floor: beside, labels }) {
  if (!beside) return null;
  const isSame = labels.includes(beside.label);
  return element(
    `p.quiet.small.floor${isSame ? "" : ".other"}`, {}, element("span", { word: "floor" }), " ",
    element("bdi", {}, beside.label ?? say("no-label")), ` ${percent(beside.probability)}`,
  );
}

function legend() {
  return element(
    "p.legend.small.quiet", {},
    element("mark.for", { word: "speaks-for", style: { "--strength": 0.7 } }), " ",
    element("mark.against", { word: "speaks-against", style: { "--strength": 0.7 } }),
  );
}
