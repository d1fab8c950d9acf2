// How a text is to be written: the dials, and what they are as fields of a request.
import { element, unique } from "./elements.js";
import { remember, remembered } from "./preferences.js";
import { Trouble } from "./server.js";
import { say } from "./words.js";

// [field of the request, least, most, step, value where none is given]
const DIALS = [
  ["max_tokens", 1, 8192, 1, 120],
  ["temperature", 0, 100, 0.05, 0.8],
  ["top_p", 0, 1, 0.01, ""],
  ["top_k", 0, 100000, 1, ""],
  ["min_p", 0, 1, 0.01, ""],
  ["repetition_penalty", 0.1, 100, 0.05, ""],
  ["seed", 0, 4294967295, 1, ""],
];
const FORMS = ["text", "choices", "regex", "json_schema"];

/** The dials of one view, remembered under a name. */
export class Sampling {
  #name;
  #chosen;
  #fields = new Map();

  constructor(name) {
    this.#name = `sampling.${name}`;
    this.#chosen = remembered(this.#name, {}) ?? {};
    this.element = element(
      "details.settings", {},
      element("summary", { word: "settings" }),
      element("div.dials", {}, ...DIALS.map((dial) => this.#dial(...dial)), this.#stop()),
      this.#form(),
    );
  }

  /** Return the fields of a request. Throws Trouble where the form makes no sense. */
  fields() {
    const found = {};
    for (const dial of DIALS) {
      const value = this.#value(dial);
      if (value !== null) found[dial[0]] = value;
    }
    const stops = this.#fields.get("stop").value.split("\n").filter((line) => line !== "");
    // Line breaks cannot stand in a line of their own: they are written as \n.
    if (stops.length) found.stop = stops.map((line) => line.replaceAll("\\n", "\n"));
    const format = this.#format();
    if (format) found.response_format = format;
    return found;
  }

  #value([name, least, most, step]) {
    const { value, validity } = this.#fields.get(name);
    const isOutside = validity.rangeUnderflow || validity.rangeOverflow;
    // Steps are for the arrows; only whole numbers must be whole.
    if (validity.badInput || isOutside || (step === 1 && validity.stepMismatch)) {
      throw new Trouble(say("no-number", { name: say(name), least, most }));
    }
    return value === "" ? null : Number(value);
  }

  #format() {
    const form = this.#fields.get("form").value;
    const content = this.#fields.get("content").value.trim();
    if (form === "text") return null;
    if (!content) throw new Trouble(say("form-empty"));
    if (form === "choices") return { type: form, choices: content.split("\n").filter(Boolean) };
    if (form === "regex") return { type: form, pattern: content };
    try {
      return { type: form, json_schema: { name: "form", schema: JSON.parse(content) } };
    } catch (error) {
      throw new Trouble(say("no-json", { reason: error.message }));
    }
  }

  #dial(name, least, most, step, otherwise) {
    const input = element("input", {
      type: "number", min: least, max: most, step,
      id: unique(name), placeholder: "unset", inputmode: "decimal", autocomplete: "off",
    });
    input.value = this.#chosen[name] ?? otherwise;
    return this.#labelled(name, input);
  }

  #stop() {
    const input = element("textarea", { rows: 1, id: unique("stop"), placeholder: "stop-hint" });
    input.value = this.#chosen.stop ?? "";
    return this.#labelled("stop", input);
  }

  #form() {
    const options = FORMS.map((form) => element("option", { value: form, word: `form-${form}` }));
    const select = element("select", { id: unique("form") }, ...options);
    const content = element("textarea", {
      rows: 3, id: unique("content"), label: "form-content", spellcheck: "false", class: "code",
      dir: "auto",
    });
    const show = () => {
      content.hidden = select.value === "text";
      content.placeholder = say(`form-example-${select.value}`);
    };
    select.value = this.#chosen.form ?? "text";
    content.value = this.#chosen.content ?? "";
    select.addEventListener("change", show);
    document.addEventListener("language", show);
    show();
    this.#fields.set("content", content);
    this.#keep(content, "content");
    return element("div.form", {}, this.#labelled("form", select), content);
  }

  #labelled(name, input) {
    this.#fields.set(name, input);
    this.#keep(input, name);
    return element(
      "div.dial", {},
      element("label", { for: input.id, word: name, hint: `${name}-hint` }), input,
    );
  }

  #keep(input, name) {
    input.addEventListener("change", () => {
      this.#chosen[name] = input.value;
      remember(this.#name, this.#chosen);
    });
  }
}
