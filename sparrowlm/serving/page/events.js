// Server-sent events, whatever pieces they arrive in.

/** Takes text as it comes and gives the data of whole events. */
export class EventReader {
  #line = "";
  #data = [];
  #endsInReturn = false;

  /** Take some text; returns the data of every event that ended in it. */
  feed(text) {
    const found = [];
    for (const sign of text) {
      const isSecondHalf = sign === "\n" && this.#endsInReturn;
      this.#endsInReturn = sign === "\r";
      if (isSecondHalf) continue;
      if (sign === "\n" || sign === "\r") this.#endLine(found);
      else this.#line += sign;
    }
    return found;
  }

  #endLine(found) {
    const line = this.#line;
    this.#line = "";
    if (line === "") {
      if (this.#data.length) found.push(this.#data.join("\n"));
      this.#data = [];
    } else if (line.startsWith("data:")) {
      this.#data.push(line.slice(line[5] === " " ? 6 : 5));
    }
  }
}

/** Yield the data of the events of a response's body; characters are never split. */
export async function* events(body) {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  const parts = new EventReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield* parts.feed(decoder.decode(value, { stream: true }));
    }
    yield* parts.feed(decoder.decode());
  } finally {
    reader.cancel().catch(() => {}); // the server stops working for nobody
  }
}
