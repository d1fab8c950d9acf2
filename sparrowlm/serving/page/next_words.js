// The likeliest next words at the caret, ready to be taken; those of the counts beside them.
import { bar } from "./bars.js";
import { element, latest, wellFormed } from "./elements.js";
import { ask, isStopped } from "./server.js";
import { percent, say } from "./words.js";

const NUM_WORDS = 9;
const PAUSE_MS = 120;
const LATIN = /[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N}]/u;
const CLOSES = /[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{N},.;:!?)\]%"”’]$/u;

/** Return a word as it is written after a text: with a space where the script has spaces. */
export function joined(before, word) {
  return LATIN.test(word[0] ?? "") && CLOSES.test(before) ? ` ${word}` : word;
}

/** The strip below the editor; take(word) is called when one is taken. */
export class NextWords {
  #model;
  #take;
  #words = [];
  #own = element("ol.next");
  #floor = element("ol.next.quiet");
  #beside = element(
    "div.beside", { hidden: true }, element("h3.tiny", { word: "floor", hint: "floor-hint" }),
  );

  constructor(model, take) {
    this.#model = model;
    this.#take = take;
    this.#beside.append(this.#floor);
    this.element = element(
      "section.nextwords", { label: "next-words" },
      element("h3.tiny", { word: "next-words" }), this.#own, this.#beside,
    );
    this.element.addEventListener("keydown", (event) => {
      if (/^[1-9]$/.test(event.key) && !event.altKey) this.accept(Number(event.key));
    });
    this.refresh = latest((signal, before) => this.#ask(signal, before), PAUSE_MS);
  }

  /** Take the word with a number, from 1; returns whether there is one. */
  accept(place) {
    const word = this.#words[place - 1];
    if (word !== undefined) this.#take(word);
    return word !== undefined;
  }

  async #ask(signal, before) {
    const input = wellFormed(before);
    const question = { model: this.#model.id, input, k: NUM_WORDS, floor: true };
    try {
      const found = await ask("/v1/next", question, signal);
      this.#show(found.data, found.floor ?? null);
    } catch (error) {
      // The strip is an offer: what is wrong is told where something is asked for.
      if (!isStopped(error)) this.#show([], null);
    }
  }

  #show(own, floor) {
    this.#words = own.map((one) => one.word);
    this.#own.replaceChildren(...own.map((one, place) => this.#chip(one, place)));
    this.#beside.hidden = floor === null;
    this.#floor.replaceChildren(
      ...(floor ?? []).map((one) =>
        element(
          "li", {}, element("bdi", {}, one.word),
          element("span.share", {}, percent(one.probability)),
        ),
      ),
    );
  }

  #chip(one, place) {
    return element(
      "li", {},
      element(
        "button.chip",
        {
          type: "button", on: { click: () => this.#take(one.word) },
          "aria-label": `${one.word}, ${percent(one.probability)}`,
          "aria-keyshortcuts": `Alt+${place + 1}`, title: say("accept-hint", { place: place + 1 }),
        },
        element("kbd", { "aria-hidden": "true" }, String(place + 1)),
        element("bdi.name", {}, one.word),
        element("span.share", {}, percent(one.probability)), bar(one.probability),
      ),
    );
  }
}
