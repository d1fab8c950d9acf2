// What the page says, in the language that its reader chose.
import { english } from "./words_en.js";
import { chinese } from "./words_zh.js";

const LANGUAGES = { en: english, zh: chinese };
const PLACES = new Map([
  ["label", "aria-label"], ["hint", "title"], ["placeholder", "placeholder"],
]);
const bound = new WeakMap();
let current = english;

/** Return a sentence; {name} in it stands for a field. */
export function say(key, fields = {}) {
  const sentence = current[key] ?? key;
  return sentence.replace(/\{(\w+)\}/g, (_whole, name) => String(fields[name] ?? ""));
}

/** Let an element's text and attributes follow the language. */
export function bind(node, keys, fields = {}) {
  const wanted = Object.fromEntries(Object.entries(keys).filter(([, key]) => key));
  if (!Object.keys(wanted).length) return;
  bound.set(node, { keys: wanted, fields });
  node.dataset.said = "";
  put(node);
}

/** Change an element's text, which then follows the language. */
export function tell(node, key, fields = {}) {
  const known = bound.get(node)?.keys ?? {};
  bind(node, { ...known, word: key }, fields);
}

/** Let an element's text follow no language any more, and set it. */
export function tellPlainly(node, text) {
  const { word: _word, ...rest } = bound.get(node)?.keys ?? {};
  bound.set(node, { keys: rest, fields: {} });
  node.textContent = text;
}

function put(node) {
  const { keys, fields } = bound.get(node);
  for (const [place, key] of Object.entries(keys)) {
    // Fields may be made anew for each language.
    const values = typeof fields === "function" ? fields() : fields;
    if (place === "word") node.textContent = say(key, values);
    else node.setAttribute(PLACES.get(place), say(key, values));
  }
}

/** Return "zh" or "en". */
export const language = () => (current === chinese ? "zh" : "en");

/** Speak a language from now on. */
export function speak(name) {
  current = LANGUAGES[name] ?? english;
  document.documentElement.lang = name === "zh" ? "zh-CN" : "en";
  for (const node of document.querySelectorAll("[data-said]")) if (bound.has(node)) put(node);
  delete document.documentElement.dataset.unsaid;
  document.dispatchEvent(new CustomEvent("language"));
}

/** Bind the elements that stand in the page's HTML with data-word or data-label. */
export function bindPage() {
  for (const node of document.querySelectorAll("[data-word], [data-label]")) {
    bind(node, { word: node.dataset.word, label: node.dataset.label });
  }
}

/** Return a share as a percentage that does not claim more than it is. */
export function percent(share) {
  if (!Number.isFinite(share)) return "–";
  if (share > 0.995 && share < 1) return ">99%";
  if (share >= 0.1 || share === 0) return `${Math.round(100 * share)}%`;
  return share < 0.001 ? "<0.1%" : `${(100 * share).toFixed(1)}%`;
}

/** Return a number with the reader's separators. */
export function number(value, digits = 0) {
  const place = language() === "zh" ? "zh-CN" : "en-GB";
  return new Intl.NumberFormat(place, {
    maximumFractionDigits: digits,
    minimumFractionDigits: digits,
  }).format(value);
}

/** Return a size; digits are few because nobody weighs bytes. */
export function size(bytes) {
  const step = ["B", "kB", "MB", "GB"].findIndex((_unit, place) => bytes < 1000 ** (place + 1));
  const place = step < 0 ? 3 : step;
  return `${number(bytes / 1000 ** place, place ? 1 : 0)} ${["B", "kB", "MB", "GB"][place]}`;
}

/** Return a duration in milliseconds, seconds or minutes. */
export function duration(ms) {
  const seconds = Math.round(ms / 1000);
  const minutes = Math.floor(seconds / 60);
  if (minutes >= 2) return say("minutes", { minutes, seconds: seconds % 60 });
  return ms < 1000 ? `${number(ms, ms < 10 ? 1 : 0)} ms` : `${number(ms / 1000, 1)} s`;
}
