// Write: the model goes on with a text, and every token can be looked into.
import { Editor } from "./editor.js";
import { button, copied, element, follow, isBegin, latest, wellFormed } from "./elements.js";
import { NextWords, joined } from "./next_words.js";
import { Notice } from "./notices.js";
import { remember, remembered } from "./preferences.js";
import { Sampling } from "./sampling.js";
import { ask, isStopped, streamed } from "./server.js";
import { duration, number, tell } from "./words.js";
import { CellReader } from "./written.js";

const NUM_ALTERNATIVES = 10;
const SCORE_PAUSE_MS = 400;

/** Make the view. */
export const write = (model) => new Write(model);

class Write {
  #editor = new Editor();
  #notice = new Notice();
  #sampling = new Sampling("write");
  #speed = element("span.speed", { role: "status" });
  #running = null;

  constructor(model) {
    this.model = model;
    this.#makeTools();
    this.next = new NextWords(model, (word) => this.#accept(word));
    this.score = latest((signal) => this.#score(signal), SCORE_PAUSE_MS);
    this.element = element(
      "div.view.write", { on: { keydown: (event) => this.#key(event) } },
      this.#editor.element, this.next.element, this.tools, this.#notice.element,
      this.#sampling.element,
      element("p.quiet.small", { id: "writing-keys", word: "write-keys" }),
    );
    this.#listen();
    this.#colour(remembered("surprise", false));
    this.next.refresh("");
  }

  /** Stop what goes on when the view is left for another model. */
  leave() {
    this.#stop();
    this.next.refresh.cancel();
    this.score.cancel();
  }

  #makeTools() {
    this.begin = button("continue", () => this.#write(), { kind: "button.main" });
    this.halt = button("stop-writing", () => this.#stop(), { disabled: true });
    const kind = "button.plain";
    this.back = button("undo", () => this.#editor.step(true), { kind, disabled: true });
    this.copy = button("copy", () => this.#copy(), { kind });
    this.empty = button("clear", () => this.#clear(), { kind });
    this.colours = button("surprise", () => this.#colour(!this.isColoured), {
      kind, hint: "surprise-hint", "aria-pressed": "false",
    });
    this.tools = element(
      "div.tools", {}, this.begin, this.halt, this.back, this.copy, this.empty, this.colours,
      this.#speed,
    );
  }

  #listen() {
    const { field } = this.#editor;
    this.#editor.addEventListener("edit", () => this.#edited());
    this.#editor.addEventListener("rewrite", () => this.#write());
    for (const name of ["keyup", "click"]) {
      field.addEventListener(name, () => this.#refresh());
    }
  }

  #edited() {
    this.#stop();
    this.#refresh();
    if (this.isColoured) this.score();
  }

  #refresh() {
    this.back.disabled = !this.#editor.written.canUndo;
    if (this.#running) return;
    const before = this.#editor.written.text.slice(0, this.#editor.caret);
    if (before === this.before) return;
    this.before = before;
    this.next.refresh(before);
  }

  #key(event) {
    const digit = event.altKey && /^Digit([1-9])$/.exec(event.code);
    if (isBegin(event)) {
      event.preventDefault();
      this.#write();
    } else if (event.key === "Escape" && this.#running) {
      this.#stop();
    } else if (digit) {
      event.preventDefault();
      this.next.accept(Number(digit[1]));
    }
  }

  #accept(word) {
    const before = this.#editor.written.text.slice(0, this.#editor.field.selectionStart);
    this.#editor.insert(joined(before, word));
    this.#editor.field.focus();
  }

  async #write() {
    this.#stop();
    this.#notice.clear();
    const running = (this.#running = new AbortController());
    this.#show(true);
    try {
      const question = {
        ...this.#sampling.fields(), model: this.model.id, logprobs: NUM_ALTERNATIVES,
        prompt: wellFormed(this.#editor.written.text),
      };
      const num_signs = await this.#receive(question, running.signal);
      if (num_signs === 0) this.#notice.tell("ended-here");
    } catch (error) {
      this.#notice.trouble(error);
    }
    if (this.#running === running) this.#ended();
  }

  async #receive(question, signal) {
    const { written } = this.#editor;
    const reader = new CellReader();
    const asked_ms = performance.now();
    let [first_ms, count, num_signs] = [0, 0, 0];
    written.begin();
    try {
      for await (const chunk of streamed("/v1/completions", question, signal)) {
        // What had arrived before the reader stopped may still be in the queue.
        if (signal.aborted) return null;
        const [choice] = chunk.choices;
        if (!choice) continue;
        first_ms ||= performance.now();
        num_signs += choice.text.length;
        count += choice.logprobs?.tokens.length ?? 0;
        written.append(choice.text, choice.logprobs ? reader.read(choice.logprobs) : []);
        this.#paint();
        this.#tellSpeed(count, first_ms - asked_ms, performance.now() - first_ms);
      }
    } finally {
      if (!signal.aborted) written.end();
    }
    return num_signs;
  }

  /** Show what came, once for each picture of the screen. */
  #paint() {
    this.painting ??= requestAnimationFrame(() => {
      this.painting = null;
      follow(this.#editor.element, () => this.#editor.render());
      this.#editor.put();
    });
  }

  #tellSpeed(count, wait_ms, passed_ms) {
    const speed = passed_ms > 0 && count > 1 ? number(((count - 1) * 1000) / passed_ms) : "–";
    tell(this.#speed, "speed", { count, speed, wait: duration(wait_ms) });
  }

  #stop() {
    if (!this.#running) return;
    this.#running.abort();
    this.#editor.written.end();
    this.#ended();
  }

  #ended() {
    this.#running = null;
    this.#show(false);
    this.#editor.render();
    this.#refresh();
    if (this.isColoured) this.score();
  }

  #show(isRunning) {
    // A button that is disabled loses the focus: the other one takes it.
    const hadFocus = document.activeElement === (isRunning ? this.begin : this.halt);
    this.begin.disabled = isRunning;
    this.halt.disabled = !isRunning;
    if (hadFocus) (isRunning ? this.halt : this.begin).focus();
    this.element.classList.toggle("running", isRunning);
    this.#editor.close();
  }

  async #copy() {
    this.#notice.tell((await copied(this.#editor.written.text)) ? "copied" : "not-copied");
  }

  #clear() {
    this.#stop();
    this.#editor.field.select();
    this.#editor.insert("");
    this.#editor.field.focus();
  }

  #colour(isColoured) {
    this.isColoured = isColoured;
    remember("surprise", isColoured);
    this.colours.setAttribute("aria-pressed", String(isColoured));
    this.#editor.element.classList.toggle("coloured", isColoured);
    if (isColoured) this.score();
  }

  /** Ask how surprising each token of the whole text is, the reader's own words included. */
  async #score(signal) {
    const { written } = this.#editor;
    const text = wellFormed(written.text);
    if (!text || this.#running) return;
    const question = {
      model: this.model.id, prompt: text, max_tokens: 0, echo: true, logprobs: NUM_ALTERNATIVES,
    };
    try {
      const found = await ask("/v1/completions", question, signal);
      if (written.text !== text || this.#running) return;
      written.cover(new CellReader().read(found.choices[0].logprobs));
      this.#editor.render();
    } catch (error) {
      if (!isStopped(error)) this.#notice.trouble(error);
    }
  }
}
