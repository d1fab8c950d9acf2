// Match: do two texts mean the same; which stored answer belongs to a question.
import { bar } from "./bars.js";
import { decisionTrace } from "./decision.js";
import { button, element, isBegin, wellFormed } from "./elements.js";
import { resultsPlace } from "./lines.js";
import { Notice } from "./notices.js";
import { ask } from "./server.js";
import { percent } from "./words.js";

const NUM_ANSWERS = 5;

/** Make the view. */
export function match(model) {
  // A model that was trained on pairs alone has nothing to search in.
  const search = model.info?.measured?.search ? searched(model) : null;
  return { element: element("div.view.match", {}, search, compared(model)), leave() {} };
}

function compared(model) {
  const [first, second] = [field("first-text"), field("second-text")];
  return part("match-heading", "match-begin", [first, second], async () => {
    const question = {
      model: model.id, first: wellFormed(first.value), second: wellFormed(second.value),
    };
    const { data } = await ask("/v1/match", question);
    return data.map((one) =>
      element(
        "div.card", {},
        element(
          "p", {}, element("span.big", { word: one.is_same ? "same" : "not-same" }), " ",
          element("span.share", {
            word: "same-share", fields: { share: percent(one.probability) },
          }),
        ),
        bar(one.probability), decisionTrace(one.decision),
      ),
    );
  });
}

function searched(model) {
  const question = field("question");
  return part("search-heading", "search-begin", [question], async () => {
    const asked = { model: model.id, question: wellFormed(question.value), k: NUM_ANSWERS };
    const { data } = await ask("/v1/match", asked);
    return data.map(({ answers, is_known: isKnown, decision }) =>
      element(
        "div.card", {}, isKnown ? null : element("p.quiet", { word: "not-known" }),
        element("ol.answers", {}, ...answers.map(answer)), decisionTrace(decision),
      ),
    );
  });
}

function answer(one) {
  const { probability: share, question } = one;
  return element(
    "li", {},
    element("p", {}, element("bdi.name", {}, one.answer)), bar(share),
    element("span.share", {}, percent(share)),
    element("p.quiet.small", {}, element("bdi", {}, question)),
  );
}

function field(word) {
  return element("textarea", { rows: 2, label: word, placeholder: word, dir: "auto" });
}

function part(heading, begin, fields, answers) {
  const notice = new Notice();
  const results = resultsPlace();
  const start = async () => {
    notice.clear();
    const empty = fields.find((one) => !one.value.trim());
    if (empty) {
      notice.tell("nothing-written");
      empty.focus();
      return;
    }
    try {
      results.replaceChildren(...(await answers()));
    } catch (error) {
      notice.trouble(error);
    }
  };
  const press = (event) => {
    if (!isBegin(event)) return;
    event.preventDefault();
    start();
  };
  return element(
    "section.part", { on: { keydown: press } }, element("h2", { word: heading }),
    element("div.pair", {}, ...fields),
    element("div.tools", {}, button(begin, start, { kind: "button.main" })), notice.element,
    results,
  );
}
