// The list of what else could have stood in one place of a text.
import { bar } from "./bars.js";
import { element } from "./elements.js";
import { number, percent, say } from "./words.js";

/** A list that opens below a token; choose(cell, alternative) is called when one is taken. */
export class Alternatives {
  #choose;
  #leave = () => {};

  constructor(choose) {
    this.#choose = choose;
    this.element = element("div.alternatives.box", {
      hidden: true, role: "dialog", label: "alternatives",
      on: { keydown: (event) => this.#key(event) },
    });
    document.addEventListener("pointerdown", (event) => {
      const { target } = event;
      if (!this.element.hidden && !this.element.contains(target)) this.close();
    });
  }

  /** Open below a token of the text; leave is called when it is closed by key. */
  open(cell, span, frame, leave) {
    this.#leave = leave;
    const rows = cell.alternatives.map((one, place) => this.#row(cell, one, place));
    const bits = number(-cell.logprob / Math.LN2, 1);
    this.element.replaceChildren(
      element("p.quiet.small", {}, say("alternatives-head", { bits })),
      element("ol.bars", {}, ...rows),
    );
    this.element.hidden = false;
    const [box, whole] = [span.getClientRects()[0], frame.getBoundingClientRect()];
    const most = Math.max(whole.width - this.element.offsetWidth, 0);
    const left = Math.min(Math.max(box.left - whole.left - 8, 0), most);
    this.element.style.left = `${left}px`;
    this.element.style.top = `${box.bottom - whole.top + 6}px`;
  }

  /** Put the focus on the first. */
  focus() {
    this.element.querySelector("button")?.focus();
  }

  close() {
    this.element.hidden = true;
  }

  #row(cell, one, place) {
    const press = () => {
      this.close();
      this.#choose(cell, one);
    };
    const choice = element(
      `button.choice${one.isChosen ? ".strong" : ""}`,
      {
        type: "button", disabled: !one.isWhole || one.isChosen, on: { click: press },
        "aria-current": one.isChosen ? "true" : null, "data-place": place,
      },
      name(one), bar(one.probability),
      element("span.share", {}, percent(one.probability)),
    );
    return element("li", {}, choice);
  }

  #key(event) {
    const all = [...this.element.querySelectorAll("button:not([disabled])")];
    const place = all.indexOf(document.activeElement);
    if (event.key === "Escape") {
      event.stopPropagation();
      this.close();
      this.#leave();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const step = event.key === "ArrowDown" ? 1 : -1;
      all.at((place + step + all.length) % all.length)?.focus();
    }
  }
}

/** Return a token's text so that line breaks and the space before it can be seen. */
function name({ text, isEnd }) {
  if (isEnd) return element("span.name.quiet", { word: "end-of-text" });
  const shown = text.replaceAll("\n", "↵").replaceAll("\t", "⇥");
  const space = /^ */.exec(shown)[0];
  const dots = element("span.quiet", { "aria-hidden": "true" }, "·".repeat(space.length));
  return element("bdi.name", {}, space ? dots : null, shown.slice(space.length));
}
