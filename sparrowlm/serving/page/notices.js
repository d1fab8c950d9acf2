// One place in each view where troubles and small successes are told.
import { element } from "./elements.js";
import { isStopped } from "./server.js";
import { say, tell } from "./words.js";

/** A line that is read aloud when it changes. */
export class Notice {
  #timer = 0;

  constructor() {
    this.element = element("p.notice", { role: "status", "aria-live": "polite" });
  }

  /** Tell nothing. */
  clear() {
    clearInterval(this.#timer);
    this.element.replaceChildren();
    this.element.classList.remove("trouble");
  }

  /** Tell a sentence of ours, for a while. */
  tell(word, fields) {
    this.clear();
    const line = element("span");
    tell(line, word, fields);
    this.element.append(line);
    this.#timer = setInterval(() => this.clear(), 4000);
  }

  /** Tell what went wrong, and count down to when it may be tried again. */
  trouble(error) {
    if (isStopped(error)) return;
    this.clear();
    this.element.classList.add("trouble");
    this.element.append(element("span", {}, error.message));
    if (!error.wait_s) return;
    const again = element("span");
    const until = Date.now() + 1000 * error.wait_s;
    const count = () => {
      const left = Math.ceil((until - Date.now()) / 1000);
      again.textContent = ` ${left > 0 ? say("again-in", { seconds: left }) : say("again-now")}`;
      if (left <= 0) clearInterval(this.#timer);
    };
    count();
    this.#timer = setInterval(count, 1000);
    this.element.append(again);
  }
}
