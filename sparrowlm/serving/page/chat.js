// Chat: what was said stands on the page alone; every question brings all of it.
import { decisionTrace } from "./decision.js";
import { button, copied, element, follow, isComposing, wellFormed } from "./elements.js";
import { Notice } from "./notices.js";
import { Sampling } from "./sampling.js";
import { isStopped, streamed } from "./server.js";
import { duration, number, tell } from "./words.js";

/** Make the view. */
export const chat = (model) => new Chat(model);

class Chat {
  #said = [];
  #list = element("ol.said", { role: "log", label: "said" });
  #notice = new Notice();
  #sampling = new Sampling("chat");
  #speed = element("span.speed", { role: "status" });
  #running = null;

  constructor(model) {
    this.model = model;
    this.field = element("textarea", {
      rows: 2, label: "say-something", placeholder: "say-something", dir: "auto",
      on: { keydown: (event) => this.#key(event) },
    });
    this.send = button("send", () => this.#say(), { kind: "button.main" });
    this.halt = button("stop-writing", () => this.#stop(), { disabled: true });
    const kind = "button.plain";
    this.again = button("regenerate", () => this.#again(), { kind, disabled: true });
    this.empty = button("new-chat", () => this.#clear(), { kind });
    this.element = element(
      "div.view.chat", {}, this.#list,
      element("div.composer", {}, this.field),
      element("div.tools", {}, this.send, this.halt, this.again, this.empty, this.#speed),
      this.#notice.element, this.#sampling.element,
      element("p.quiet.small", { word: "chat-keys" }),
    );
  }

  leave() {
    this.#stop();
  }

  #key(event) {
    if (event.key === "Escape") this.#stop();
    if (event.key !== "Enter" || event.shiftKey || isComposing(event)) return;
    event.preventDefault();
    this.#say();
  }

  #say() {
    const content = this.field.value.trim();
    if (!content) return;
    this.#stop();
    this.field.value = "";
    this.#add("user", content);
    this.#answer();
  }

  #add(role, content) {
    const words = element("p.words", { dir: "auto" }, content);
    const tools = element("div.actions");
    const item = element(
      `li.${role}`, {}, element("h3.tiny", { word: `role-${role}` }), words, tools,
    );
    const message = { role, content, item, words, tools };
    tools.append(
      button("edit", () => this.#edit(message), { kind: "button.plain.small" }),
      button("copy", () => this.#copy(message), { kind: "button.plain.small" }),
    );
    this.#said.push(message);
    this.#list.append(item);
    return message;
  }

  async #answer() {
    this.#notice.clear();
    const messages = this.#said.map(({ role, content }) => ({
      role, content: wellFormed(content),
    }));
    const running = (this.#running = new AbortController());
    this.#show(true);
    const message = this.#add("assistant", "");
    message.item.classList.add("writing");
    try {
      const question = { ...this.#sampling.fields(), model: this.model.id, messages };
      await this.#receive(question, running.signal, message);
    } catch (error) {
      this.#notice.trouble(error);
      if (!message.content && !isStopped(error)) this.#drop(message);
    }
    message.item.classList.remove("writing");
    if (this.#running === running) this.#ended();
  }

  async #receive(question, signal, message) {
    const asked_ms = performance.now();
    let [first_ms, count, decision] = [0, 0, null];
    const wanted = { ...question, stream_options: { include_usage: true } };
    for await (const chunk of streamed("/v1/chat/completions", wanted, signal)) {
      if (signal.aborted) return;
      decision = chunk.sparrow?.decision ?? decision;
      count = chunk.usage?.completion_tokens ?? count;
      const piece = chunk.choices[0]?.delta?.content;
      if (!piece) continue;
      first_ms ||= performance.now();
      message.content += piece;
      follow(this.#list, () => message.words.append(piece));
    }
    if (decision) message.item.append(decisionTrace(decision));
    const passed_ms = performance.now() - first_ms;
    if (!first_ms || !count) return;
    const speed = count > 1 && passed_ms > 0 ? number(((count - 1) * 1000) / passed_ms) : "–";
    tell(this.#speed, "speed", { count, speed, wait: duration(first_ms - asked_ms) });
  }

  #stop() {
    if (!this.#running) return;
    this.#running.abort();
    this.#ended();
  }

  #ended() {
    this.#running = null;
    this.#show(false);
  }

  #show(isRunning) {
    const hadFocus = document.activeElement === (isRunning ? this.send : this.halt);
    this.send.disabled = isRunning;
    this.halt.disabled = !isRunning;
    this.again.disabled = isRunning || !this.#said.some(({ role }) => role === "user");
    this.element.classList.toggle("running", isRunning);
    if (hadFocus) (isRunning ? this.halt : this.send).focus();
  }

  #drop(message) {
    this.#said = this.#said.filter((one) => one !== message);
    message.item.remove();
  }

  /** Drop everything that was said from a message on. */
  #cut(message) {
    this.#stop();
    for (const one of this.#said.slice(this.#said.indexOf(message))) this.#drop(one);
  }

  #again() {
    const last = this.#said.findLastIndex(({ role }) => role === "user");
    const after = this.#said[last + 1];
    if (after) this.#cut(after);
    this.#answer();
  }

  #edit(message) {
    this.#stop();
    const field = element("textarea", { rows: 3, label: "edit", dir: "auto" });
    field.value = message.content;
    const close = () => {
      form.replaceWith(message.words);
      message.tools.hidden = false;
    };
    const keep = () => {
      message.content = field.value;
      message.words.textContent = field.value;
      close();
      const after = this.#said[this.#said.indexOf(message) + 1];
      if (message.role !== "user") return;
      if (after) this.#cut(after);
      this.#answer();
    };
    const form = element(
      "div.edit", {}, field,
      element(
        "div.row", {}, button("keep", keep, { kind: "button.main" }), button("cancel", close),
      ),
    );
    message.words.replaceWith(form);
    message.tools.hidden = true;
    field.focus();
  }

  async #copy(message) {
    this.#notice.tell((await copied(message.content)) ? "copied" : "not-copied");
  }

  #clear() {
    this.#stop();
    for (const message of [...this.#said]) this.#drop(message);
    this.#notice.clear();
    this.#show(false);
    tell(this.#speed, "nothing");
    this.field.focus();
  }
}
