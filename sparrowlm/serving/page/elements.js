// Elements of the page, made without ever reading text as HTML.
import { bind } from "./words.js";

const VECTOR = "http://www.w3.org/2000/svg";

/**
 * Make an element.
 *
 * @param {string} kind - "button", "div.panel.quiet": a tag and its classes.
 * @param {object} [traits] - word, label, hint, placeholder: keys of words; fields: of these;
 *   on: {event: listener}; style: {property: value}; anything else is an attribute (false and
 *   null: left out).
 * @param {...(Node|string|null)} content - strings become text nodes; null is left out.
 */
export function element(kind, traits = {}, ...content) {
  const [tag, ...classes] = kind.split(".");
  const made = document.createElement(tag);
  if (classes.length) made.className = classes.join(" ");
  const { on = {}, style = {}, word, label, hint, placeholder, fields, ...attributes } = traits;
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(name, "");
    else if (value !== false && (value ?? null) !== null) made.setAttribute(name, value);
  }
  for (const [name, value] of Object.entries(style)) made.style.setProperty(name, value);
  for (const [name, listener] of Object.entries(on)) made.addEventListener(name, listener);
  bind(made, { word, label, hint, placeholder }, fields);
  made.append(...content.filter((one) => one !== null && one !== undefined));
  return made;
}

/** Make an element of a drawing; attributes are numbers or text. */
export function drawn(tag, attributes = {}, ...content) {
  const made = document.createElementNS(VECTOR, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...content);
  return made;
}

/** Make a button; word is its text. */
export function button(word, press, traits = {}) {
  const { kind = "button", ...rest } = traits;
  return element(kind, { type: "button", word, on: { click: press }, ...rest });
}

/** Return a tag's name that is unique in the page. */
export const unique = (() => {
  let count = 0;
  return (prefix) => `${prefix}-${(count += 1)}`;
})();

/** Return text that can be sent as UTF-8: halves of characters become the replacement sign. */
export function wellFormed(text) {
  return text.replace(/[\ud800-\udbff][\udc00-\udfff]|[\ud800-\udfff]/g, (found) =>
    found.length === 2 ? found : "\ufffd",
  );
}

/** Say whether a key press belongs to an input method that is still composing a character. */
export const isComposing = (event) => event.isComposing || event.keyCode === 229;

/** Say whether a key press asks to begin: Ctrl or Command with Enter. */
export const isBegin = (event) =>
  event.key === "Enter" && (event.ctrlKey || event.metaKey) && !isComposing(event);

/** Change a part of the page that grows at its end; whoever reads along there goes on doing so. */
export function follow(part, change) {
  const before = part.getBoundingClientRect().bottom;
  change();
  const grown = part.getBoundingClientRect().bottom - before;
  if (grown > 0 && before < innerHeight + grown) scrollBy(0, grown);
}

/** Put text on the clipboard; returns whether that was allowed. */
export async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Let a person keep a text as a file. */
export function download(name, kind, text) {
  const address = URL.createObjectURL(new Blob([text], { type: `${kind};charset=utf-8` }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

/** Return a function that runs work for the last call only; work gets the signal of its end. */
export function latest(work, delay_ms = 0) {
  let current = null;
  const start = async (...given) => {
    current?.abort();
    const mine = (current = new AbortController());
    if (delay_ms) await new Promise((done) => setTimeout(done, delay_ms));
    if (!mine.signal.aborted) await work(mine.signal, ...given);
  };
  start.cancel = () => current?.abort();
  return start;
}
