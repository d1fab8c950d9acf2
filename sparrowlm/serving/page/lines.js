// The part that views of labels, spans and vectors share: lines in, answers out.
import { button, download, element, isBegin, wellFormed } from "./elements.js";
import { Notice } from "./notices.js";

/** A field in which every line is a text, a button, and a place for what comes back. */
export class Lines {
  #notice = new Notice();
  #running = null;

  /**
   * @param {object} words - hint and begin: keys of words.
   * @param {(texts: string[], signal: AbortSignal) => Promise<Node[]>} answer
   */
  constructor(words, answer) {
    this.answer = answer;
    this.field = element("textarea.lines", {
      rows: 3, label: words.hint, placeholder: words.hint, spellcheck: "false", dir: "auto",
      on: { keydown: (event) => isBegin(event) && this.#start(event) },
    });
    this.begin = button(words.begin, () => this.start(), { kind: "button.main" });
    this.files = element("span.files");
    this.results = resultsPlace();
    const tools = element("div.tools", {}, this.begin, this.files);
    this.parts = [this.field, tools, this.#notice.element, this.results];
  }

  #start(event) {
    event.preventDefault();
    this.start();
  }

  /** Ask about the lines that are there; empty ones are left out. */
  async start() {
    const texts = this.field.value.split("\n").filter((line) => line.trim()).map(wellFormed);
    this.#running?.abort();
    this.#notice.clear();
    if (!texts.length) {
      this.#notice.tell("nothing-written");
      this.field.focus();
      return;
    }
    const running = (this.#running = new AbortController());
    this.results.classList.add("waiting");
    try {
      const found = await this.answer(texts, running.signal);
      if (!running.signal.aborted) this.results.replaceChildren(...found);
    } catch (error) {
      this.#notice.trouble(error);
    }
    if (this.#running === running) this.results.classList.remove("waiting");
  }

  /** Tell something that went wrong in the view itself. */
  trouble(error) {
    this.#notice.trouble(error);
  }

  /** Offer what came back as files. */
  offer(name, records, heads, rows) {
    const jsonl = () => download(`${name}.jsonl`, "application/jsonl", asLines(records));
    const csv = () => download(`${name}.csv`, "text/csv", asTable([heads, ...rows]));
    this.files.replaceChildren(
      button("download-jsonl", jsonl, { kind: "button.plain" }),
      button("download-csv", csv, { kind: "button.plain" }),
    );
  }

  leave() {
    this.#running?.abort();
  }
}

/** Return a place for what comes back; what is put there is read aloud. */
export function resultsPlace() {
  return element("div.results", { role: "region", label: "results", "aria-live": "polite" });
}

/** Return records as lines of JSON. */
export const asLines = (records) => records.map((one) => `${JSON.stringify(one)}\n`).join("");

/** Return rows as a table that spreadsheets read, Chinese included. */
export function asTable(rows) {
  const cell = (value) => {
    const text = String(value ?? "");
    // A spreadsheet would run a text that begins like a formula.
    const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return `\ufeff${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
}
