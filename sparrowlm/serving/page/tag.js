// Tag: what is named in each line, and what its writer wants.
import { bar } from "./bars.js";
import { decisionTrace } from "./decision.js";
import { element } from "./elements.js";
import { Lines } from "./lines.js";
import { markedText } from "./marked_text.js";
import { ask } from "./server.js";
import { percent } from "./words.js";

const NUM_COLOURS = 8;

/** Make the view. */
export function tag(model) {
  const lines = new Lines({ hint: "tag-hint", begin: "tag-begin" }, async (texts, signal) => {
    const question = { model: model.id, input: texts, floor: true };
    const { data } = await ask("/v1/tag", question, signal);
    const records = data.map(({ index: _index, ...one }) => one);
    const heads = ["text", "start", "end", "label", "span", "probability", "intent"];
    lines.offer("spans", records, heads, records.flatMap(rowsOf));
    const labels = [...new Set(records.flatMap((one) => one.spans.map(({ label }) => label)))];
    return [element("ol.cards", {}, ...records.map((one) => card(one, labels)))];
  });
  const view = element("div.view", {}, ...lines.parts);
  return { element: view, leave: () => lines.leave() };
}

function rowsOf({ text, spans, intent }) {
  if (!spans.length) return [[text, "", "", "", "", "", intent]];
  return spans.map((one) => [
    text, one.start, one.end, one.label, one.text, one.probability, intent,
  ]);
}

function card(one, labels) {
  const { floor } = one;
  return element(
    "li.card", {},
    one.intent === undefined ? null : intent(one),
    spanText(one.text, one.spans, labels),
    one.spans.length ? null : element("p.quiet.small", { word: "no-spans" }),
    floor ? beside(one, floor, labels) : null,
    decisionTrace(one.decision),
  );
}

function intent({ intent: name, intent_probability: share }) {
  return element(
    "p.intent", {},
    element("span.tiny", { word: "intent" }), " ", element("bdi.big", {}, name), " ",
    element("span.share", {}, percent(share)), bar(share),
  );
}

function beside(one, floor, labels) {
  return element(
    "div.beside", {}, element("h3.tiny", { word: "floor", hint: "floor-hint" }),
    floor.intent ? element("p.quiet.small", {}, floor.intent) : null,
    spanText(one.text, floor.spans ?? [], labels),
  );
}

function spanText(text, spans, labels) {
  return markedText(text, spans, (span, piece) => {
    // A label that only the floor gave has the last colour.
    const colour = labels.indexOf(span.label) % NUM_COLOURS;
    return element(
      `span.span.colour${colour < 0 ? NUM_COLOURS - 1 : colour}`, {},
      element("bdi", {}, piece),
      element("small", { title: percent(span.probability) }, `${span.label} `,
        element("span.share", {}, percent(span.probability))),
    );
  });
}
