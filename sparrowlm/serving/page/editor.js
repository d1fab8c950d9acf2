// A text field in which every token can be pointed at: the field itself stays the browser's own,
// and the colours lie on a copy of its text behind it.
import { element, isComposing } from "./elements.js";
import { Alternatives } from "./alternatives.js";
import { WrittenText } from "./written.js";

const QUIET_MS = 600;

/** The field, its text, and the list of what else could stand in a place. */
export class Editor extends EventTarget {
  #mirror = element("div.mirror", { "aria-hidden": "true" });
  #alternatives = new Alternatives((cell, one) => this.#choose(cell, one));
  #spans = new Map();
  #drawn = [];
  #rest = document.createTextNode("");
  #editedAt_ms = 0;
  #marked = null;

  constructor() {
    super();
    this.written = new WrittenText();
    this.field = element("textarea.writing", {
      label: "writing", placeholder: "writing-hint", spellcheck: "false", dir: "auto",
      "aria-describedby": "writing-keys", autocomplete: "off", id: "writing",
      on: {
        input: () => this.#edited(),
        keydown: (event) => this.#key(event),
        click: (event) => this.#click(event),
        mousemove: (event) => this.#point(this.#cellUnder(event)),
        mouseleave: () => this.#point(null),
      },
    });
    const sheet = element("div.sheet", {}, this.#mirror, this.field);
    this.element = element("div.editor", {}, sheet, this.#alternatives.element);
    this.render();
  }

  /** Return where the caret stands. */
  get caret() {
    return this.field.selectionEnd;
  }

  /** Show the text and its cells as they are now. */
  render() {
    const { text, cells } = this.written;
    if (this.field.value !== text) this.field.value = text;
    const parts = [];
    let place = 0;
    for (const cell of cells) {
      if (cell.start < place || text.slice(cell.start, cell.end) !== cell.text) continue;
      parts.push({ cell, before: text.slice(place, cell.start) + this.#space(cell) });
      place = cell.end;
    }
    // A last line that is empty has a height of its own only with something in it.
    this.#draw(parts, `${text.slice(place)}\u200b`);
  }

  /** Draw the copy of the text; what is drawn already and still so is left alone. */
  #draw(parts, rest) {
    let same = 0;
    const isSame = ({ cell, before }, old) => old?.cell === cell && old.before === before;
    while (same < parts.length && isSame(parts[same], this.#drawn[same])) same += 1;
    for (const old of this.#drawn.splice(same)) {
      this.#spans.delete(old.cell);
      old.span.remove();
      old.text.remove();
    }
    this.#rest.remove();
    for (const { cell, before } of parts.slice(same)) {
      const [text, span] = [document.createTextNode(before), this.#span(cell)];
      this.#drawn.push({ cell, before, text, span });
      this.#mirror.append(text, span);
    }
    this.#rest.data = rest;
    this.#mirror.append(this.#rest);
  }

  /** Put the caret somewhere; without a place, at the end. */
  put(place = this.written.text.length) {
    this.field.setSelectionRange(place, place);
  }

  /** Go one step back or forward. */
  step(isBack) {
    const moved = isBack ? this.written.undo() : this.written.redo();
    if (!moved) return;
    this.#alternatives.close();
    this.render();
    this.put();
    this.dispatchEvent(new Event("edit"));
  }

  /** Put a text into the place of the caret, or of what is selected. */
  insert(text) {
    this.written.mark();
    const { selectionStart, selectionEnd } = this.field;
    const before = this.written.text;
    const now = before.slice(0, selectionStart) + text + before.slice(selectionEnd);
    this.written.edited(now);
    this.render();
    this.put(selectionStart + text.length);
    this.dispatchEvent(new Event("edit"));
  }

  /** Show what else could stand where the caret is. */
  open() {
    const cell = this.written.cellAt(this.caret);
    if (cell && this.#spans.has(cell)) this.#show(cell, true);
  }

  close() {
    this.#alternatives.close();
  }

  /** Return the space that a token begins with: colour belongs to the word alone. */
  #space(cell) {
    return /^\s*(?=\S)/.exec(cell.text)?.[0] ?? "";
  }

  #span(cell) {
    const kind = cell.isOwn ? "span.cell.own" : "span.cell";
    const bits = -cell.logprob / Math.LN2;
    // 12 bits: a word of which one in four thousand would have been as likely.
    const span = element(kind, { style: { "--surprise": Math.min(bits / 12, 1).toFixed(3) } });
    span.textContent = cell.text.slice(this.#space(cell).length);
    this.#spans.set(cell, span);
    return span;
  }

  #edited() {
    const now_ms = performance.now();
    if (now_ms - this.#editedAt_ms > QUIET_MS) this.written.mark();
    this.#editedAt_ms = now_ms;
    this.written.edited(this.field.value);
    this.#alternatives.close();
    this.render();
    this.dispatchEvent(new Event("edit"));
  }

  #key(event) {
    if (isComposing(event)) return;
    const isCommand = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    if (isCommand && (key === "z" || key === "y")) {
      event.preventDefault();
      this.step(key === "z" && !event.shiftKey);
    } else if (event.altKey && event.key === "ArrowDown") {
      event.preventDefault();
      this.open();
    } else if (event.key === "Escape") {
      this.close();
    }
  }

  #cellUnder(event) {
    const under = document.elementsFromPoint(event.clientX, event.clientY);
    for (const [cell, span] of this.#spans) if (under.includes(span)) return cell;
    return null;
  }

  #point(cell) {
    this.#marked?.classList.remove("pointed");
    this.#marked = cell && this.#spans.get(cell);
    this.#marked?.classList.add("pointed");
  }

  #click(event) {
    const isSelecting = this.field.selectionStart !== this.field.selectionEnd;
    const cell = isSelecting ? null : this.#cellUnder(event);
    if (cell?.alternatives.length) this.#show(cell, false);
    else this.#alternatives.close();
  }

  #show(cell, isByKey) {
    const span = this.#spans.get(cell);
    this.#alternatives.open(cell, span, this.element, () => this.field.focus());
    if (isByKey) this.#alternatives.focus();
  }

  #choose(cell, alternative) {
    this.written.mark();
    this.written.cut(cell.start);
    if (!alternative.isEnd) {
      const others = cell.alternatives.map((one) => ({ ...one, isChosen: one === alternative }));
      const chosen = {
        text: alternative.text, logprob: Math.log(alternative.probability), alternatives: others,
      };
      this.written.append(alternative.text, [chosen]);
    }
    this.render();
    this.field.focus();
    this.put();
    this.dispatchEvent(new CustomEvent(alternative.isEnd ? "edit" : "rewrite"));
  }
}
