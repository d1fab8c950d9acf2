// How a cascade came to its answer: how sure the small model was, how sure it had to be, and who
// answered.
import { drawn, element } from "./elements.js";
import { duration, percent, say } from "./words.js";

const ACTIONS = new Set(["answer", "escalate", "ask", "abstain"]);
const REASONS = new Set(["sure", "missing", "close", "unsure", "no-large", "no-budget"]);

/** Return a small picture of a decision and its sentence; null where there is no decision. */
export function decisionTrace(decision) {
  if (!decision) return null;
  const isLarge = decision.action === "escalate" || decision.answered_by === "large";
  const path = element(
    "ol.path", {},
    step("small-model", decision.small?.label ?? decision.small?.answer, true),
    element("li.scale", {}, scale(decision)),
    step("large-model", isLarge ? failure(decision) : null, isLarge),
    step(`action-${ACTIONS.has(decision.action) ? decision.action : "answer"}`, null, true),
  );
  return element(
    "details.decision", {},
    element("summary", {}, sentence(decision)), path, masked(decision), facts(decision),
  );
}

function step(word, said, isTaken) {
  const name = element("span.name", { word });
  const what = typeof said === "string" ? element("bdi.quiet", {}, said) : null;
  return element(`li.step${isTaken ? ".taken" : ""}`, {}, name, what);
}

const failure = ({ answered_by: by, failure: told }) => (by === "nobody" ? (told ?? null) : null);

function sentence({ confidence, threshold, action, answered_by: by }) {
  const fields = { confidence: percent(confidence), threshold: percent(threshold) };
  if (by === "large") return say("told-large", fields);
  if (action === "ask") return say("told-ask", fields);
  if (by === "small" || action === "answer") return say("told-small", fields);
  return say("told-nobody", fields);
}

/** Draw a line from 0 to 1 with the threshold as a mark and the confidence as a dot. */
function scale({ confidence, threshold }) {
  const x = (share) => 6 + 148 * Math.min(Math.max(share ?? 0, 0), 1);
  const isSure = confidence >= threshold;
  const label = say("scale", { confidence: percent(confidence), threshold: percent(threshold) });
  return drawn(
    "svg", { viewBox: "0 0 160 34", role: "img", "aria-label": label },
    drawn("path", { class: "axis", d: "M6 15H154" }),
    drawn("path", { class: "enough", d: `M${x(threshold)} 15H154` }),
    drawn("path", { class: "mark", d: `M${x(threshold)} 8V22` }),
    drawn("circle", { class: isSure ? "sure" : "unsure", cx: x(confidence), cy: 15, r: 4.5 }),
    text(x(threshold), percent(threshold)),
  );
}

function text(x, content) {
  const place = Math.min(Math.max(x, 16), 144);
  return drawn("text", { x: place, y: 33, "text-anchor": "middle" }, content);
}

function masked({ masked: kinds }) {
  if (!kinds?.length) return null;
  const names = kinds.map((kind) => element("bdi.tagname", {}, String(kind)));
  return element("p.small", {}, element("span.quiet", { word: "masked" }), " ", ...names);
}

function facts({ reason, milliseconds, cost, question }) {
  const parts = [];
  if (reason) parts.push(REASONS.has(reason) ? say(`reason-${reason}`) : String(reason));
  if (Number.isFinite(milliseconds)) parts.push(duration(milliseconds));
  if (cost) parts.push(say("cost", { cost }));
  return element(
    "p.small.quiet", {}, parts.join(" · "),
    question ? element("bdi.question", {}, String(question)) : null,
  );
}
