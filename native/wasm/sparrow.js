// A small language model in a browser or in Node: this file, sparrow.wasm, and a model.gguf, from
// any static file server. One thread, no memory taken ahead, nothing loaded from elsewhere.
//
//   import { Sparrow } from "./sparrow.js";
//   const model = await Sparrow.load("model.gguf");
//   for await (const piece of model.stream("Once upon a time", { seed: 1 })) show(piece);

const FRAME_MS = 12; // how long the page may wait for us before it draws again

/**
 * @typedef {object} Wishes
 * @property {number} [temperature] 0 takes the likeliest token; 0.8 unless said
 * @property {number} [topK] draw from so many; 0 keeps all
 * @property {number} [topP] above 0 to 1; 1 keeps all
 * @property {number} [minP] 0 to 1; 0 keeps all
 * @property {number} [repetitionPenalty] above 1 avoids the last 64 tokens
 * @property {number|bigint} [seed] 0 to 2^63 - 1; the same seed gives the same text
 * @property {number} [maxTokens] at most so many; 200 unless said
 * @property {string[]} [stop] the text ends before the first of these
 * @property {string[]} [choices] write one of these; of this and the next two only one
 * @property {string} [pattern] write what matches this regular expression as a whole
 * @property {object|string} [schema] write JSON of this JSON schema
 * @property {AbortSignal} [signal] ends a stream
 */

export class Sparrow {
  #wasm;
  #memory;
  #page;

  /**
   * Load a model.
   *
   * @param {string|URL|ArrayBuffer|Uint8Array} model where it is, or its bytes
   * @param {{wasm?: string|URL|ArrayBuffer|Uint8Array}} [where] the program; beside this file
   *     unless said
   * @returns {Promise<Sparrow>}
   * @throws {Error} nothing is there, or it cannot be used; the message says why
   */
  static async load(model, { wasm = new URL("sparrow.wasm", import.meta.url) } = {}) {
    const [program, bytes] = await Promise.all([bytesOf(wasm), bytesOf(model)]);
    const { instance } = await WebAssembly.instantiate(program, {});
    return new Sparrow(instance.exports, bytes);
  }

  /** @private */
  constructor(wasm, bytes) {
    this.#wasm = wasm;
    this.#memory = new WasmMemory(wasm);
    this.#page = wasm.open(this.#memory.put(bytes), bytes.length);
    if (this.#page === 0) throw new Error("sparrow: there is not enough memory");
    const complaint = this.#memory.sentence(wasm.complaint(this.#page));
    if (complaint) throw new Error(`sparrow: ${complaint}`);
  }

  /**
   * Continue a text, piece by piece, letting the page breathe in between.
   *
   * @param {string} prompt
   * @param {Wishes} [wishes]
   * @yields {string} whole characters
   */
  async *stream(prompt, wishes = {}) {
    let drawn = now();
    for (const piece of this.pieces(prompt, wishes)) {
      if (piece) yield piece;
      if (now() - drawn > FRAME_MS) {
        await new Promise((resume) => setTimeout(resume));
        drawn = now();
      }
      if (wishes.signal?.aborted) return;
    }
  }

  /**
   * Continue a text and return all of it at once.
   *
   * @param {string} prompt
   * @param {Wishes} [wishes]
   * @returns {string}
   */
  generate(prompt, wishes = {}) {
    return [...this.pieces(prompt, wishes)].join("");
  }

  /**
   * Continue a text, one piece for every token, without a break.
   *
   * @param {string} prompt
   * @param {Wishes} [wishes]
   * @yields {string} whole characters; "" where a token completes none
   */
  *pieces(prompt, wishes = {}) {
    const wasm = this.#wasm;
    this.#wish(wishes);
    this.#memory.withBytes(prompt, (place, size) => {
      if (!wasm.begin(this.#page, place, size)) throw new Error("sparrow: there is not enough memory");
    });
    let goesOn = true;
    while (goesOn) {
      goesOn = wasm.advance(this.#page) !== 0;
      yield this.#memory.text(wasm.text(this.#page), wasm.text_size(this.#page));
    }
  }

  /**
   * The token drawn last, by a model that was asked to keep its probabilities.
   *
   * @returns {{id: number, logProbability: number}|null} natural logarithm of the model's own
   *     probability, before temperature; null before the first token
   */
  lastToken() {
    const wasm = this.#wasm;
    const logs = wasm.log_probabilities(this.#page);
    if (logs === 0) return null;
    const id = wasm.last_id(this.#page);
    return { id, logProbability: new Float32Array(wasm.memory.buffer, logs, id + 1)[id] };
  }

  /** Keep, from now on, the probabilities that lastToken tells. */
  keepProbabilities() {
    if (!this.#wasm.keep_scores(this.#page)) throw new Error("sparrow: there is not enough memory");
  }

  /**
   * @param {string} text
   * @returns {Int32Array} the ids of a text
   */
  encode(text) {
    const wasm = this.#wasm;
    const count = this.#memory.withBytes(text, (place, size) => wasm.encode(this.#page, place, size));
    return new Int32Array(wasm.memory.buffer, wasm.ids(this.#page), count).slice();
  }

  /** @returns {"absent"|"passed"|"failed"} whether this machine computes what the file's maker did */
  selfTest() {
    return ["absent", "passed", "failed"][this.#wasm.self_test(this.#page)];
  }

  /**
   * @returns {boolean} whether the last text ended because its pattern or schema takes more work at some
   *     place than is done for a token: then it is not whole
   */
  get hasGivenUp() {
    return this.#wasm.has_given_up(this.#page) !== 0;
  }

  /** @returns {number} bytes of memory in use */
  get memory() {
    return this.#wasm.memory.buffer.byteLength;
  }

  #wish({
    temperature = 0.8, topK = 0, topP = 1, minP = 0, repetitionPenalty = 1, seed, maxTokens = 200,
    stop = [], choices, pattern, schema,
  }) {
    this.#shape({
      choices: choices?.length ? choices.join("\0") : undefined, pattern, schema: asText(schema),
    });
    const chosen = BigInt(seed ?? Math.floor(Math.random() * 2 ** 52));
    this.#wasm.wish(
      this.#page, temperature, topK, topP, minP, repetitionPenalty,
      Number(chosen & 0xffffffffn), Number(chosen >> 32n), maxTokens,
    );
    this.#wasm.clear_stops(this.#page);
    for (const text of stop) {
      this.#memory.withBytes(text, (place, size) => this.#wasm.add_stop(this.#page, place, size));
    }
  }

  // What texts may look like.
  #shape(forms) {
    const asked = Object.entries(forms).filter(([, text]) => text !== undefined);
    if (asked.length > 1) throw new Error("sparrow: choices, pattern and schema exclude each other");
    this.#wasm.clear_form(this.#page);
    for (const [name, text] of asked) {
      const set = this.#wasm[`set_${name}`];
      if (this.#memory.withBytes(text, (place, size) => set(this.#page, place, size))) continue;
      throw new Error(`sparrow: ${this.#memory.sentence(this.#wasm.complaint(this.#page))}`);
    }
  }
}

/**
 * What both programs do with the memory of WebAssembly.
 *
 * @private
 */
export class WasmMemory {
  #wasm;
  #decoder = new TextDecoder();

  constructor(wasm) {
    this.#wasm = wasm;
  }

  /** Copy bytes; they stay until they are released. */
  put(bytes) {
    const place = this.#wasm.allocate(bytes.length) >>> 0;
    if (place === 0) throw new Error("sparrow: there is not enough memory");
    new Uint8Array(this.#wasm.memory.buffer, place, bytes.length).set(bytes);
    return place;
  }

  /** Let work(place, size) read a text. */
  withBytes(text, work) {
    const bytes = new TextEncoder().encode(text);
    const place = this.put(bytes);
    try {
      return work(place, bytes.length);
    } finally {
      this.#wasm.release(place);
    }
  }

  text(place, size) {
    return this.#decoder.decode(new Uint8Array(this.#wasm.memory.buffer, place, size));
  }

  /** A text that a zero byte closes. */
  sentence(place) {
    const bytes = new Uint8Array(this.#wasm.memory.buffer, place);
    return this.#decoder.decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}

const asText = (value) => (typeof value === "object" ? JSON.stringify(value) : value);

const now = () => globalThis.performance.now();

/** @private */
export async function bytesOf(source) {
  if (source instanceof Uint8Array) return source;
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  const url = String(source);
  if (url.startsWith("file:") && globalThis.process?.versions?.node) {
    const { readFile } = await import("node:fs/promises");
    return new Uint8Array(await readFile(new URL(url)));
  }
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`sparrow: ${url}: ${answer.status} ${answer.statusText}`);
  return new Uint8Array(await answer.arrayBuffer());
}
