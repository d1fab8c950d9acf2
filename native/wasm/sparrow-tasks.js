// Models that understand texts in a browser or in Node: this file, sparrow.js, sparrow-tasks.wasm, and a
// classifier, a tagger or an encoder in one GGUF file, from any static file server. What sparrow
// predict, sparrow embed and sparrow fill answer, up to the rounding of float32.
//
//   import { SparrowTask } from "./sparrow-tasks.js";
//   const topics = await SparrowTask.load("topics.gguf");
//   topics.classify("The match ended 3:1").label;

import { WasmMemory, bytesOf } from "./sparrow.js";

const KINDS = ["encoder", "classifier", "tagger"];

export class SparrowTask {
  #wasm;
  #memory;
  #task;

  /**
   * Load a model.
   *
   * @param {string|URL|ArrayBuffer|Uint8Array} model where it is, or its bytes
   * @param {{wasm?: string|URL|ArrayBuffer|Uint8Array}} [where] the program; beside this file
   *     unless said
   * @returns {Promise<SparrowTask>}
   * @throws {Error} nothing is there, or it cannot be used; the message says why
   */
  static async load(model, { wasm = new URL("sparrow-tasks.wasm", import.meta.url) } = {}) {
    const [program, bytes] = await Promise.all([bytesOf(wasm), bytesOf(model)]);
    const { instance } = await WebAssembly.instantiate(program, {});
    return new SparrowTask(instance.exports, bytes);
  }

  /** @private */
  constructor(wasm, bytes) {
    this.#wasm = wasm;
    this.#memory = new WasmMemory(wasm);
    this.#task = wasm.open(this.#memory.put(bytes), bytes.length);
    if (this.#task === 0) throw new Error("sparrow: there is not enough memory");
    this.#check(this.#complaint() === "");
  }

  /** @returns {"encoder"|"classifier"|"tagger"} */
  get kind() {
    return KINDS[this.#wasm.kind(this.#task)];
  }

  /** @returns {number} bytes of memory in use */
  get memory() {
    return this.#wasm.memory.buffer.byteLength;
  }

  /** @returns {string[]} what a classifier may say */
  get labels() {
    this.#demand("classifier");
    const count = this.#wasm.num_labels(this.#task);
    return Array.from({ length: count }, (_, i) => this.#shown(this.#wasm.label(this.#task, i)));
  }

  /**
   * Ask a classifier.
   *
   * @param {string} text
   * @returns {{label: string|null, probability: number, labels: string[],
   *     probabilities: Object<string, number>}} label: the likeliest, null where the model would rather not
   *     say; labels: all that the text has; probabilities: of all, likeliest first
   */
  classify(text) {
    const names = this.labels;
    const place = this.#memory.withBytes(text, (at, size) => this.#wasm.classify(this.#task, at, size));
    this.#check(place !== 0);
    const shares = new Float32Array(this.#wasm.memory.buffer, place, names.length);
    const order = names.map((_, i) => i).sort((a, b) => shares[b] - shares[a] || a - b);
    const given = order.filter((i) => this.#wasm.is_given(this.#task, i) === 1);
    return {
      label: given.includes(order[0]) ? names[order[0]] : null,
      probability: shares[order[0]],
      labels: given.map((i) => names[i]),
      probabilities: Object.fromEntries(order.map((i) => [names[i], shares[i]])),
    };
  }

  /**
   * Ask a tagger.
   *
   * @param {string} text
   * @returns {{spans: {start: number, end: number, label: string, text: string, probability: number}[],
   *     intent: {label: string, probability: number}|null}} start and end count as text.slice() does
   */
  tag(text) {
    this.#demand("tagger");
    const wasm = this.#wasm, task = this.#task;
    const count = this.#memory.withBytes(text, (at, size) => wasm.tag(task, at, size));
    this.#check(count >= 0);
    const bytes = new TextEncoder().encode(text), decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    // Spans are in order: what lies before the last place is not read again.
    let done = 0, length = 0;
    const until = (place) => {
      if (place < done) done = length = 0;
      length += decoder.decode(bytes.subarray(done, place)).length;
      done = place;
      return length;
    };
    const spans = Array.from({ length: count }, (_, i) => {
      const start = until(wasm.span_first(task, i)), end = until(wasm.span_last(task, i));
      const label = this.#shown(wasm.span_label(task, i));
      return { start, end, label, text: text.slice(start, end), probability: wasm.span_probability(task, i) };
    });
    return { spans, intent: this.#intent() };
  }

  /**
   * @param {string} text
   * @returns {Float32Array} its vector, of length one
   */
  embed(text) {
    const width = this.#wasm.width(this.#task);
    if (width === 0) throw new Error("sparrow: the model has no encoder");
    const place = this.#memory.withBytes(text, (at, size) => this.#wasm.embed(this.#task, at, size));
    if (place === 0) throw new Error("sparrow: there is not enough memory");
    return new Float32Array(this.#wasm.memory.buffer, place, width).slice();
  }

  /**
   * Ask an encoder what may stand in the gaps of a text, each written [MASK].
   *
   * @param {string} text
   * @param {number} [most] answers for each gap
   * @returns {{piece: string, probability: number}[][]} for each gap, likeliest first
   */
  fill(text, most = 5) {
    this.#demand("encoder");
    const wasm = this.#wasm, task = this.#task;
    const gaps = this.#memory.withBytes(text, (at, size) => wasm.read_gaps(task, at, size));
    this.#check(gaps >= 0);
    return Array.from({ length: gaps }, (_, gap) => {
      const count = wasm.fill(task, gap, most);
      if (count < 0) throw new Error("sparrow: there is not enough memory");
      return Array.from({ length: count }, (_one, i) => ({
        piece: this.#shown(wasm.filling(task, i)),
        probability: wasm.filling_probability(task, i),
      }));
    });
  }

  #intent() {
    const wasm = this.#wasm, count = wasm.num_intents(this.#task);
    if (count === 0) return null;
    const shares = new Float64Array(
      wasm.memory.buffer, wasm.intent_probabilities(this.#task), count,
    ).slice();
    const best = shares.reduce((kept, share, i) => (share > shares[kept] ? i : kept), 0);
    return { label: this.#shown(wasm.intent(this.#task, best)), probability: shares[best] };
  }

  #demand(kind) {
    if (this.kind !== kind) throw new Error(`sparrow: the model is a ${this.kind}, not a ${kind}`);
  }

  #check(isDone) {
    if (!isDone) throw new Error(`sparrow: ${this.#complaint()}`);
  }

  #complaint() {
    return this.#memory.sentence(this.#wasm.complaint(this.#task));
  }

  #shown(place) {
    return this.#memory.text(place, this.#wasm.shown_size());
  }
}
