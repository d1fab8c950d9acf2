// Requests to try: for a shell, and for OpenAI's library where it has a word for them.

const BODIES = {
  "/v1/chat/completions": { messages: [{ role: "user", content: "你好" }], max_tokens: 50 },
  "/v1/completions": { prompt: "从前", max_tokens: 50, temperature: 0.8 },
  "/v1/responses": { input: "从前", max_output_tokens: 50 },
  "/v1/embeddings": { input: ["你好", "hello"] },
  "/v1/classify": { input: ["一个文本", "another text"], k: 3 },
  "/v1/tag": { input: ["张小凡去北京"] },
  "/v1/match": { first: "怎么付款", second: "如何付款" },
  "/v1/next": { input: "从前", k: 5 },
  "/tokenize": { prompt: "从前" },
  "/detokenize": { tokens: [1, 2, 3] },
};
const CALLS = {
  "/v1/chat/completions": ["client.chat.completions.create", "choices[0].message.content"],
  "/v1/completions": ["client.completions.create", "choices[0].text"],
  "/v1/responses": ["client.responses.create", "output_text"],
  "/v1/embeddings": ["client.embeddings.create", "data[0].embedding"],
};

/** Return an example for an endpoint of this very server; null where there is none. */
export function example(kind, path, method, model) {
  return kind === "curl" ? curl(path, method, model) : python(path, model);
}

function curl(path, method, model) {
  const name = encodeURIComponent(model);
  const address = location.origin + path.replace("{model}", name);
  if (method === "get") {
    const query = path === "/tokenizer_info" ? `?model=${name}` : "";
    return `curl ${quoted(address + query)}`;
  }
  const body = JSON.stringify({ model, ...BODIES[path] });
  const kind = "-H 'Content-Type: application/json'";
  return `curl ${quoted(address)} \\\n  ${kind} \\\n  -d ${quoted(body)}`;
}

/** Return a word as a shell reads it; names of models may hold anything. */
const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

function python(path, model) {
  const address = literal(`${location.origin}/v1`);
  const head = `from openai import OpenAI\n\nclient = OpenAI(base_url=${address}, api_key="-")\n`;
  if (path === "/v1/models") return `${head}print([model.id for model in client.models.list()])`;
  if (!CALLS[path]) return null;
  const [call, shown] = CALLS[path];
  const fields = Object.entries({ model, ...BODIES[path] });
  const lines = fields.map(([name, value]) => `    ${name}=${literal(value)},`);
  return `${head}answer = ${call}(\n${lines.join("\n")}\n)\nprint(answer.${shown})`;
}

/** Return a value as Python writes it: texts, numbers, lists and objects are as in JSON. */
const literal = (value) => JSON.stringify(value);
