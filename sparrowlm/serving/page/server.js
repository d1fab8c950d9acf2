// Questions to the server that this page came from, and to no other.
import { events } from "./events.js";
import { askForKey, currentKey } from "./key.js";
import { language, say } from "./words.js";

/** Something that went wrong, in a sentence for the reader. */
export class Trouble extends Error {
  /**
   * @param {string} sentence - in the page's language.
   * @param {number} status - of HTTP; 0 where no answer came.
   * @param {number|null} wait_s - seconds until it may be asked again.
   */
  constructor(sentence, status = 0, wait_s = null) {
    super(sentence);
    this.status = status;
    this.wait_s = wait_s;
  }
}

/** Say whether an error only means that the answer is not wanted any more. */
export const isStopped = (error) => error?.name === "AbortError";

/** GET a path; returns JSON values. */
export async function get(path, signal) {
  return (await reached(path, { signal })).json();
}

/** POST JSON values to a path; returns JSON values. */
export async function ask(path, values, signal) {
  return (await reached(path, { ...posted(values), signal })).json();
}

/** POST JSON values and yield the JSON values of the events that are answered. */
export async function* streamed(path, values, signal) {
  const response = await reached(path, { ...posted({ ...values, stream: true }), signal });
  try {
    for await (const data of events(response.body)) {
      if (data === "[DONE]") return;
      const found = JSON.parse(data);
      if (found.error) throw new Trouble(found.error.message, 500);
      yield found;
    }
  } catch (error) {
    throw isStopped(error) || error instanceof Trouble ? error : new Trouble(say("lost"));
  }
}

function posted(values) {
  return {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(values),
  };
}

async function reached(path, options) {
  for (;;) {
    const response = await fetched(path, options);
    if (response.ok) return response;
    const trouble = await troubleOf(response);
    if (response.status !== 401) throw trouble;
    if (!(await askForKey(trouble.message))) throw trouble;
  }
}

async function fetched(path, options) {
  const headers = { "accept-language": language(), ...options.headers };
  const key = currentKey();
  if (key) headers.authorization = `Bearer ${key}`;
  try {
    return await fetch(path, { ...options, headers, cache: "no-store", credentials: "omit" });
  } catch (error) {
    throw isStopped(error) ? error : new Trouble(say("unreachable"));
  }
}

async function troubleOf(response) {
  let sentence = say("refused", { status: response.status });
  try {
    sentence = (await response.json()).error.message;
  } catch {
    // Something between us and the server answered: its words are not for the reader.
  }
  const wait_s = Number.parseInt(response.headers.get("retry-after") ?? "", 10);
  return new Trouble(sentence, response.status, Number.isFinite(wait_s) ? wait_s : null);
}
