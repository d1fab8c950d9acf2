// The page: which model, which view, which language, light or dark.
import { chat } from "./chat.js";
import { classify } from "./classify.js";
import { button, element } from "./elements.js";
import { embed } from "./embed.js";
import { match } from "./match.js";
import { describe, kindName } from "./model.js";
import { applyTheme, isDark, preferredLanguage, remember, remembered } from "./preferences.js";
import { get } from "./server.js";
import { tag } from "./tag.js";
import { bindPage, language, number, say, size, speak } from "./words.js";
import { write } from "./write.js";

// [name in the address, what the model must be able to do, what makes the view]
const VIEWS = [
  ["write", "completions", write],
  ["chat", "chat", chat],
  ["classify", "classify", classify],
  ["tag", "tag", tag],
  ["match", "match", match],
  ["embed", "embeddings", embed],
  ["model", null, describe],
];
const at = (name) => document.getElementById(name);

class Page {
  #model = null;
  #made = new Map();
  #view = "";

  async start() {
    bindPage();
    speak(preferredLanguage());
    at("language").addEventListener("click", () => this.#speak(language() === "zh" ? "en" : "zh"));
    at("theme").addEventListener("click", () => this.#dye());
    at("keys").addEventListener("click", showKeys);
    at("skip").addEventListener("click", () => at("view").focus());
    document.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("language", () => this.#tellModel());
    at("models").addEventListener("change", () => this.#open(at("models").value, ""));
    addEventListener("hashchange", () => this.#follow());
    await this.#list();
  }

  async #list() {
    try {
      const { data } = await get("/v1/models");
      at("models").replaceChildren(
        ...data.map(({ id }) => element("option", { value: id }, id)),
      );
      at("models").disabled = data.length < 2;
      await this.#follow();
    } catch (error) {
      this.#trouble(error, () => this.#list());
    }
  }

  /** Open what the address names; the first model where it names none. */
  async #follow() {
    const [name, view = ""] = location.hash.slice(1).split("/").map(decoded);
    const names = [...at("models").options].map((one) => one.value);
    const wanted = names.includes(name) ? name : names[0];
    if (wanted !== undefined && (wanted !== this.#model?.id || view !== this.#view)) {
      await this.#open(wanted, view);
    }
  }

  async #open(name, view) {
    try {
      if (this.#model?.id !== name) await this.#load(name);
    } catch (error) {
      this.#trouble(error, () => this.#open(name, view));
      return;
    }
    const known = this.#views().map(([one]) => one);
    this.#show(known.includes(view) ? view : known[0]);
  }

  async #load(name) {
    at("models").value = name;
    at("view").replaceChildren();
    const model = await get(`/v1/models/${encodeURIComponent(name)}`);
    for (const made of this.#made.values()) made.leave();
    this.#made.clear();
    this.#model = model;
    this.#tellModel();
    const tabs = this.#views().map(([view]) =>
      element("button", {
        type: "button", role: "tab", id: `tab-${view}`, "aria-controls": "view",
        word: `view-${view}`,
        on: { click: () => this.#show(view), keydown: (event) => this.#turn(event) },
      }),
    );
    at("tabs").replaceChildren(...tabs);
  }

  #views() {
    return VIEWS.filter(([, needed]) => !needed || this.#model.can.includes(needed));
  }

  #tellModel() {
    if (!this.#model) return;
    const { kind, info } = this.#model;
    const parts = [kindName(kind), size(info.bytes)];
    if (info.parameters) parts.push(say("parameters", { count: number(info.parameters) }));
    at("about").textContent = parts.join(" · ");
  }

  #show(name) {
    this.#view = name;
    if (!this.#made.has(name)) {
      const [, , make] = VIEWS.find(([one]) => one === name);
      this.#made.set(name, make(this.#model));
    }
    for (const tab of at("tabs").children) {
      const isShown = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
    }
    at("view").setAttribute("aria-labelledby", `tab-${name}`);
    at("view").replaceChildren(this.#made.get(name).element);
    document.title = `${this.#model.id} – Sparrow`;
    const address = `#${encodeURIComponent(this.#model.id)}/${name}`;
    if (location.hash !== address) history.replaceState(null, "", address);
  }

  /** Let the arrow keys go from tab to tab, as screen readers expect. */
  #turn(event) {
    const tabs = [...at("tabs").children];
    const place = tabs.indexOf(event.currentTarget);
    const steps = { ArrowRight: 1, ArrowLeft: -1, Home: -place, End: -place - 1 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = tabs.at((place + step) % tabs.length);
    next.click();
    next.focus();
  }

  #trouble(error, again) {
    const line = element("p.trouble", { role: "alert" }, error.message);
    const retry = button("try-again", () => {
      at("view").replaceChildren();
      again();
    });
    at("view").replaceChildren(element("div.view", {}, line, retry));
  }

  #speak(name) {
    remember("language", name);
    speak(name);
  }

  #dye() {
    const theme = isDark() ? "light" : "dark";
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    // Back at what the system likes, the page follows the system again.
    remember("theme", theme === system ? null : theme);
    applyTheme(theme === system ? "system" : theme);
  }

  #key(event) {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "?" && !isTyping && !document.querySelector("dialog[open]")) showKeys();
    const digit = event.altKey && event.shiftKey && /^Digit([1-9])$/.exec(event.code);
    if (!digit) return;
    event.preventDefault();
    at("tabs").children[Number(digit[1]) - 1]?.click();
  }
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

const KEYS = [
  ["Ctrl ⏎", "key-begin"], ["Esc", "key-stop"], ["Alt 1…9", "key-next"], ["Alt ↓", "key-open"],
  ["Ctrl Z", "key-undo"], ["Alt ⇧ 1…9", "key-views"], ["?", "key-help"],
];

function showKeys() {
  const rows = KEYS.map(([keys, word]) =>
    element("div", {}, element("dt", {}, element("kbd", {}, keys)), element("dd", { word })),
  );
  const box = element(
    "dialog.box", { "aria-labelledby": "keys-heading" },
    element("h2", { id: "keys-heading", word: "keys" }), element("dl.keys", {}, ...rows),
    element("div.row.end", {}, button("close", () => box.close(), { kind: "button.main" })),
  );
  box.addEventListener("close", () => box.remove());
  document.body.append(box);
  box.showModal();
}

applyTheme(remembered("theme", "system"));
new Page().start();
