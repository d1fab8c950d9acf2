// How a model learnt: its losses over the seconds of its training.
import { drawn, element } from "./elements.js";
import { say } from "./words.js";

const HEIGHT = 260;
const [NARROWEST, WIDEST] = [300, 800];
const [LEFT, RIGHT, TOP, BOTTOM] = [48, 12, 10, 34];
const KINDS = { train_nats: "train", held_out_nats: "held-out" };

/** Return drawings of a curve: a list of points, or one list for each stage; [] for none. */
export function curves(curve) {
  if (!curve) return [];
  const stages = Array.isArray(curve) ? { "": curve } : curve;
  return Object.entries(stages)
    .filter(([, points]) => Array.isArray(points) && points.length > 1)
    .map(([stage, points]) => figure(stage, points));
}

function figure(stage, points) {
  const isKnown = (name) => points.some((one) => Number.isFinite(one[name]));
  const shown = Object.keys(KINDS).filter(isKnown);
  const key = shown.map((name) =>
    element(`li.${KINDS[name]}`, {}, element("i"), element("span", { word: KINDS[name] })),
  );
  const title = element("figcaption", {}, element("ul.key", {}, ...key));
  const known = ["pretraining", "labels"].includes(stage);
  const name = known ? element("strong", { word: `stage-${stage}` }) : element("strong", {}, stage);
  if (stage) title.prepend(name);
  const axes = element("p.tiny.axis", { word: "axes" });
  return element("figure", {}, title, chart(points, shown), axes);
}

function chart(points, shown) {
  const values = points.flatMap((one) => shown.map((name) => one[name])).filter(Number.isFinite);
  const across = ticks(0, Math.max(...points.map((one) => one.seconds)));
  const up = ticks(Math.min(...values), Math.max(...values));
  // Drawn as wide as it is shown, so that its words have the size of other words.
  const width = Math.min(Math.max(document.body.clientWidth - 40, NARROWEST), WIDEST);
  const x = placed(across, LEFT, width - RIGHT);
  const y = placed(up, HEIGHT - BOTTOM, TOP);
  const lines = shown.map((name) => line(points, name, x, y));
  const viewBox = `0 0 ${width} ${HEIGHT}`;
  return drawn(
    "svg", { viewBox, role: "img", "aria-label": described(points, shown) },
    ...up.map((value) => rule(y(value), value, width)),
    ...across.map((value) =>
      drawn("text", { x: x(value), y: HEIGHT - 12, "text-anchor": "middle" }, String(value)),
    ),
    ...lines,
  );
}

function described(points, shown) {
  const [first, last] = [points[0], points.at(-1)];
  const name = shown.at(-1);
  return say("curve-label", { first: first[name]?.toFixed(2), last: last[name]?.toFixed(2) });
}

function rule(y, value, width) {
  const text = drawn("text", { x: LEFT - 8, y: y + 4, "text-anchor": "end" }, String(value));
  const path = drawn("path", { class: "grid", d: `M${LEFT} ${y}H${width - RIGHT}` });
  return drawn("g", {}, path, text);
}

function line(points, name, x, y) {
  const places = points
    .filter((one) => Number.isFinite(one[name]) && Number.isFinite(one.seconds))
    .map((one) => `${x(one.seconds).toFixed(1)} ${y(one[name]).toFixed(1)}`);
  return drawn("path", { class: `line ${KINDS[name]}`, d: `M${places.join("L")}` });
}

function placed(marks, from, to) {
  const [least, most] = [marks[0], marks.at(-1)];
  return (value) => from + ((value - least) / (most - least)) * (to - from);
}

/** Return round numbers from at or below least to at or above most. */
export function ticks(least, most) {
  const span = Math.max(most - least, Math.abs(most) * 1e-6, 1e-9);
  const power = 10 ** Math.floor(Math.log10(span / 4));
  const step = [1, 2, 5, 10].map((times) => times * power).find((one) => span / one <= 6);
  const [first, last] = [Math.floor(least / step), Math.ceil(most / step)];
  const count = Math.max(last, first + 1) - first + 1;
  const value = (place) => Number((step * (first + place)).toPrecision(10));
  return Array.from({ length: count }, (_none, place) => value(place));
}
