// A text of which parts were written by the model: which token stands where, and what else could.
// Places are those of JavaScript's strings, UTF-16 units.

const BYTES = /^bytes:((?:\\x[0-9a-f]{2})+)$/;
const END = "<|document|>";
// A field of the browser keeps no carriage return: with one in the text, places would not agree.
const kept = (text) => text.replaceAll("\r", "");

function bytesOf(name) {
  const found = BYTES.exec(name);
  if (!found) return new TextEncoder().encode(name);
  return Uint8Array.from(found[1].slice(2).split("\\x"), (digits) => Number.parseInt(digits, 16));
}

/**
 * Turns the server's lists of tokens into cells: a cell is one token, or several that together are
 * one character.
 */
export class CellReader {
  #decoder = new TextDecoder();
  #open = null;

  /** Take the logprobs of a choice; returns [{text, logprob, alternatives}]. */
  read(logprobs) {
    const cells = [];
    logprobs.tokens.forEach((name, place) => {
      if (name === END) return;
      const logprob = logprobs.token_logprobs[place] ?? 0;
      const top = logprobs.top_logprobs[place] ?? {};
      this.#open ??= { text: "", logprob: 0, alternatives: listed(name, logprob, top) };
      const cell = this.#open;
      cell.text += kept(this.#decoder.decode(bytesOf(name), { stream: true }));
      cell.logprob += logprob;
      if (cell.text === "") return;
      cells.push(cell);
      this.#open = null;
    });
    return cells;
  }
}

function listed(name, logprob, top) {
  const all = Object.entries(top).sort((a, b) => b[1] - a[1]);
  // The first token may begin with what the prompt ended with: "Once upon a " + "time" is the
  // token " time", and so the alternatives begin with a space too.
  const same = all.find(([other, share]) => share === logprob && other.endsWith(name));
  const known = same ? same[0].slice(0, -name.length || undefined) : knownOf(name, all);
  return all.map(([other, share]) => ({
    text: known && other.startsWith(known) ? other.slice(known.length) : other,
    probability: Math.exp(share),
    isEnd: other === END,
    isWhole: !BYTES.test(other),
    isChosen: other === known + name,
  }));
}

function knownOf(name, all) {
  const isSpaced = all.length > 1 && all.every(([other]) => other.startsWith(" "));
  return isSpaced && !name.startsWith(" ") ? " " : "";
}

/** A text and its cells; undoing goes back over whole steps. */
export class WrittenText {
  #past = [];
  #future = [];
  #next = null;

  constructor(text = "") {
    this.text = text;
    /** Cells with {start, end, text, logprob, alternatives, isOwn}, in order of places. */
    this.cells = [];
  }

  /** Remember the text as it is, to come back to. */
  mark() {
    const last = this.#past.at(-1);
    if (last?.text !== this.text) this.#past.push(this.#state());
    if (this.#past.length > 200) this.#past.shift();
    this.#future = [];
  }

  get canUndo() {
    return this.#past.some((state) => state.text !== this.text);
  }

  /** Go back one step; returns whether there was one. */
  undo() {
    return this.#move(this.#past, this.#future);
  }

  /** Go forward again; returns whether that was possible. */
  redo() {
    return this.#move(this.#future, this.#past);
  }

  #move(from, to) {
    while (from.length) {
      const state = from.pop();
      if (state.text === this.text) continue;
      to.push(this.#state());
      this.text = state.text;
      this.cells = state.cells;
      return true;
    }
    return false;
  }

  #state() {
    return { text: this.text, cells: [...this.cells] };
  }

  /** Take a text that was edited: what stood after the edit was written for another text. */
  edited(text) {
    let same = 0;
    const most = Math.min(text.length, this.text.length);
    while (same < most && text[same] === this.text[same]) same += 1;
    this.text = text;
    this.cells = this.cells.filter((cell) => cell.end <= same);
  }

  /** Cut everything from a place on. */
  cut(place) {
    this.text = this.text.slice(0, place);
    this.cells = this.cells.filter((cell) => cell.end <= place);
  }

  /** Put text and the cells that it consists of at the end. */
  append(text, cells) {
    const start = this.text.length;
    this.text += kept(text);
    for (const cell of cells) this.#place(cell, this.#next ?? start);
  }

  /** Put the cells of the whole text in place of those that are there. */
  cover(cells) {
    const written = new Set(this.cells.filter((cell) => !cell.isOwn).map((cell) => cell.start));
    this.cells = [];
    this.#next = 0;
    for (const cell of cells) this.#place({ ...cell, isOwn: true }, this.#next);
    for (const cell of this.cells) cell.isOwn = !written.has(cell.start);
    this.#next = null;
  }

  /** Begin to append. */
  begin() {
    this.mark();
    this.#next = this.text.length;
  }

  /** End appending: cells that hang over the text are dropped. */
  end() {
    this.#next = null;
    this.cells = this.cells.filter((cell) => this.text.slice(cell.start, cell.end) === cell.text);
  }

  /** Return the cell that a place lies in, or that ends there. */
  cellAt(place) {
    const inside = this.cells.find((cell) => cell.start <= place && place < cell.end);
    return inside ?? this.cells.find((cell) => cell.end === place) ?? null;
  }

  #place(cell, start) {
    const end = start + cell.text.length;
    this.#next = end;
    this.cells.push({ ...cell, start, end });
  }
}
